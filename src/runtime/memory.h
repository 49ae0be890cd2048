// Memory that programs run in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <executorch/runtime/core/memory_allocator.h>

#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::runtime {

// What a method's tensors may take, in bytes.
uint64_t memory_limit(const LoadOptions& options);

// Zeroed pages of its own. The system gives each page at its first use, so that an upper bound that
// is never reached costs nothing.
class Memory {
 public:
  Memory() = default;
  // `what` is for the message: "model.pte: planned memory of forward". Fails with
  // kResourceExhausted beyond the machine's memory.
  static Result<Memory> allocate(uint64_t size, const std::string& what);
  ~Memory();
  Memory(Memory&& other) noexcept;
  Memory& operator=(Memory&& other) noexcept;

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// What kernels need for the time of one instruction: an arena that grows to the largest such need
// and is then used again.
class TemporaryAllocator final : public executorch::runtime::MemoryAllocator {
 public:
  TemporaryAllocator() : MemoryAllocator(0, nullptr) {}
  void* allocate(size_t size, size_t alignment = kDefaultAlignment) override;
  void reset() override;

 private:
  std::vector<Memory> blocks_;
  size_t used_ = 0;  // of the last block
};

}  // namespace slipway::runtime
