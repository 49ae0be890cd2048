// Where the bytes of an engine lie while they are made.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/temporary_file.h"
#include "slipway/result.h"

namespace slipway::engine_build {

// Takes bytes in order, into a file of the first folder that has room for them all, or into memory
// where none has. Not thread-safe.
class Spool {
 public:
  explicit Spool(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  Status append(std::span<const std::byte> bytes);
  // All bytes, page aligned, for as long as anybody holds them. Nothing can be appended afterwards.
  Result<OwnedSpan> finish();

  // The file in the first folder, if it holds the bytes.
  TemporaryFile* first_file();
  // Why each folder that was tried didn't serve.
  const std::vector<Error>& failures() const { return failures_; }

 private:
  class Memory;
  Status open_next();

  std::vector<std::string> folders_;
  size_t next_folder_ = 0;
  std::vector<Error> failures_;
  // One of them, from the first call on.
  std::optional<TemporaryFile> file_;
  std::shared_ptr<Memory> memory_;
};

}  // namespace slipway::engine_build
