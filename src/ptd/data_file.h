// The checked reader of data files (.ptd): what programs have outside of themselves, by name.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway::ptd {

// A checked file. Immutable; safe to read from several threads.
class DataFile {
 public:
  struct Entry {
    std::string key;
    std::span<const std::byte> bytes;
  };

  // Checks everything but the bytes of the entries; `name` is for messages. Fails with
  // kInvalidFile, or kUnsupported for another version of the format.
  static Result<DataFile> read(OwnedSpan bytes, const std::string& name);

  const std::string& name() const { return name_; }
  // Sorted by their keys, each of which is there once.
  const std::vector<Entry>& entries() const { return entries_; }
  std::optional<std::span<const std::byte>> find(std::string_view key) const;

 private:
  std::string name_;
  OwnedSpan bytes_;
  std::vector<Entry> entries_;
};

}  // namespace slipway::ptd
