// Memory that two processes have together, of a size that stays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/child_process.h"
#include "slipway/result.h"

namespace slipway {

// Either process reads and writes it at any time; when the other does is theirs to agree on.
class SharedMemory {
 public:
  // Zeroed.
  static Result<std::shared_ptr<SharedMemory>> create(uint64_t size);
  // What the other process has made. An error where it could be shrunk, which would end whoever
  // reads it.
  static Result<std::shared_ptr<SharedMemory>> open(Descriptor descriptor);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  std::span<std::byte> bytes() const { return bytes_; }
  const Descriptor& descriptor() const { return descriptor_; }

 private:
  SharedMemory(Descriptor descriptor, std::span<std::byte> bytes)
      : descriptor_(std::move(descriptor)), bytes_(bytes) {}

  Descriptor descriptor_;
  std::span<std::byte> bytes_;
};

}  // namespace slipway
