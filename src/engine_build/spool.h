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

// The place of an engine in a file that is yet to be written; without a path there is none.
struct Destination {
  std::string path;
  uint64_t offset = 0;
};

// Takes bytes in order, into a file of the first folder that has room for them all, or into memory
// where none has. Not thread-safe.
class Spool {
 public:
  explicit Spool(std::vector<std::string> folders) : folders_(std::move(folders)) {}
  // Tries a file beside the destination before all folders, with the bytes at their offset.
  Spool(const Destination& destination, std::vector<std::string> folders)
      : destination_(destination), folders_(std::move(folders)) {}

  Status append(std::span<const std::byte> bytes);
  // All bytes, page aligned, for as long as anybody holds them. Nothing can be appended afterwards.
  Result<OwnedSpan> finish();

  // The file in the first folder, if it holds the bytes.
  TemporaryFile* first_file();
  // The file beside the destination, if it holds the bytes, for whoever writes the rest of it.
  std::optional<TemporaryFile> take_started();
  // Why each folder that was tried didn't serve.
  const std::vector<Error>& failures() const { return failures_; }

 private:
  class Memory;
  Status open_next();
  Result<TemporaryFile> open_destination(const std::string& path) const;

  Destination destination_;
  bool is_at_destination_ = false;
  std::vector<std::string> folders_;
  size_t next_folder_ = 0;
  std::vector<Error> failures_;
  // One of them, from the first call on.
  std::optional<TemporaryFile> file_;
  std::shared_ptr<Memory> memory_;
};

}  // namespace slipway::engine_build
