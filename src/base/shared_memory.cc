#include "base/shared_memory.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Error lacking(int error_number, uint64_t size) {
  return errno_error(error_number,
                     fmt::format("{} bytes to share with another process can't be had", size));
}

}  // namespace

Result<std::shared_ptr<SharedMemory>> SharedMemory::create(uint64_t size) {
  if (size > INT64_MAX) return lacking(ENOMEM, size);
  Descriptor descriptor(::memfd_create("slipway shared", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (descriptor.number() < 0 || ::ftruncate(descriptor.number(), static_cast<off_t>(size)) != 0 ||
      ::fcntl(descriptor.number(), F_ADD_SEALS, kSeals) != 0) {
    return lacking(errno, size);
  }
  return open(std::move(descriptor));
}

Result<std::shared_ptr<SharedMemory>> SharedMemory::open(Descriptor descriptor) {
  struct stat status = {};
  const int seals = ::fcntl(descriptor.number(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || ::fstat(descriptor.number(), &status) != 0) {
    return invalid_file("another process shares memory that is not to be relied on");
  }
  const auto size = static_cast<size_t>(status.st_size);
  std::span<std::byte> bytes;
  if (size > 0) {
    void* const address =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number(), 0);
    if (address == MAP_FAILED) return lacking(errno, size);
    bytes = {static_cast<std::byte*>(address), size};
  }
  return std::shared_ptr<SharedMemory>(new SharedMemory(std::move(descriptor), bytes));
}

SharedMemory::~SharedMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace slipway
