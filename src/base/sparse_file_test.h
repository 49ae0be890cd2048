// For tests of what is larger than the memory and the disk of a machine: mostly zeros.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <span>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"

namespace slipway {

inline bool is_zero(std::span<const std::byte> bytes) {
  return bytes.front() == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// The pieces as a new file whose zeros are holes.
inline Status write_sparse(const PieceList& pieces, const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return errno_error(errno, path);
  uint64_t end = 0;
  Status written = pieces.write([&](std::span<const std::byte> bytes) -> Status {
    constexpr size_t kBlock = 4096;
    for (; !bytes.empty();) {
      const auto block = bytes.first(std::min<size_t>(bytes.size(), kBlock));
      if (!is_zero(block) && ::pwrite(file, block.data(), block.size(), static_cast<off_t>(end)) !=
                                 static_cast<ssize_t>(block.size())) {
        return errno_error(errno, path);
      }
      end += block.size();
      bytes = bytes.subspan(block.size());
    }
    return {};
  });
  if (written.ok() && end != pieces.size()) written = internal_error("{} bytes are written", end);
  if (written.ok() && ::ftruncate(file, static_cast<off_t>(end)) != 0) {
    written = errno_error(errno, path);
  }
  ::close(file);
  return written;
}

// Zeros but for the start and for marks that no other size has at its place: at multiples of half a
// GiB and at the end. Pages without one take no memory. Null where the system has no room.
inline OwnedSpan make_sparse(uint64_t size, const char* start) {
  constexpr uint64_t kStep = uint64_t{1} << 29;
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return {};
  auto* const bytes = static_cast<std::byte*>(memory);
  std::memcpy(bytes, start, std::strlen(start));
  for (uint64_t place = kStep; place + 8 < size; place += kStep) {
    const uint64_t mark = place ^ (size << 16);
    std::memcpy(bytes + place - 4, &mark, sizeof(mark));
  }
  bytes[size - 1] = std::byte{0xe5};
  return {{bytes, size},
          std::shared_ptr<const void>(memory, [size](void* first) { ::munmap(first, size); })};
}

}  // namespace slipway
