#include "runtime/memory.h"

#include <algorithm>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace slipway::runtime {
namespace {

constexpr size_t kSmallestBlock = 64 * 1024;

uint64_t machine_memory() {
  static const uint64_t bytes = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                                static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

uint64_t memory_limit(const LoadOptions& options) {
  return options.memory_limit.value_or(machine_memory() / 2);
}

Result<Memory> Memory::allocate(uint64_t size, const std::string& what) {
  if (size > machine_memory()) {
    return resource_exhausted("{} takes {} MiB, more than the {} MiB of this machine", what,
                              size >> 20, machine_memory() >> 20);
  }
  Memory memory;
  if (size == 0) return memory;
  void* data =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, /*fd=*/-1, 0);
  if (data == MAP_FAILED) {
    return errno_error(errno, fmt::format("{} takes {} MiB", what, size >> 20));
  }
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_ = size;
  return memory;
}

Memory::~Memory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

Memory::Memory(Memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

void* TemporaryAllocator::allocate(size_t size, size_t alignment) {
  if (!isPowerOf2(alignment)) return nullptr;
  if (!blocks_.empty()) {
    const Memory& block = blocks_.back();
    auto begin = checked_align(used_, alignment);
    if (begin && range_fits(*begin, size, block.size())) {
      used_ = *begin + size;
      return block.data() + *begin;
    }
  }
  const size_t grown = blocks_.empty() ? 0 : 2 * blocks_.back().size();
  auto block = Memory::allocate(std::max({size, grown, kSmallestBlock}), "a kernel's scratch");
  if (!block.ok()) return nullptr;
  blocks_.push_back(std::move(*block));
  used_ = size;
  return blocks_.back().data();
}

void TemporaryAllocator::reset() {
  // The last block is the largest.
  if (blocks_.size() > 1) blocks_.erase(blocks_.begin(), blocks_.end() - 1);
  used_ = 0;
}

}  // namespace slipway::runtime
