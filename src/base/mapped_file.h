// Read-only mappings of files.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "slipway/result.h"

namespace slipway {

// A whole file, mapped for as long as anybody holds it. Safe to read from several threads. The
// file must not shrink meanwhile: reading past its new end raises SIGBUS.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  // Of a file that is open for reading, as long as it is now; `path` is for messages. The
  // descriptor stays the caller's, and need not outlive the call.
  static Result<std::shared_ptr<const MappedFile>> map(int descriptor, const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  MappedFile(std::string path, std::span<const std::byte> bytes);
  std::string path_;
  std::span<const std::byte> bytes_;
};

// Bytes and whoever keeps them alive: a mapping, a vector, or nobody for static data.
struct OwnedSpan {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// Takes the vector; its bytes live as long as the result.
OwnedSpan own_bytes(std::vector<std::byte> bytes);
OwnedSpan own_bytes(std::string text);

}  // namespace slipway
