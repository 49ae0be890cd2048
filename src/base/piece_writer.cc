#include "base/piece_writer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <new>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"

namespace slipway {
namespace {

// Fits into a processor's own cache, so that a checksum finds there what is then written.
constexpr size_t kChunk = size_t{256} << 10;

// Has all pages mapped at once: faults for one after the other would take half as long as writing
// them. Where the system doesn't know how, nothing happens.
void map_pages(std::span<const std::byte> bytes) {
  static const auto kPageSize = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t before = reinterpret_cast<uintptr_t>(bytes.data()) % kPageSize;
  auto* const start = const_cast<std::byte*>(bytes.data() - before);
  ::madvise(start, bytes.size() + before, MADV_POPULATE_READ);
}

Status send(std::span<const std::byte> bytes, const ByteSink& sink) {
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), kChunk);
    map_pages(bytes.first(count));
    SLIPWAY_RETURN_IF_ERROR(sink(bytes.first(count)));
    bytes = bytes.subspan(count);
  }
  return {};
}

Status send_zeros(uint64_t count, const ByteSink& sink) {
  static constexpr std::array<std::byte, 4096> kZeros = {};
  while (count > 0) {
    const auto step = static_cast<size_t>(std::min<uint64_t>(count, kZeros.size()));
    SLIPWAY_RETURN_IF_ERROR(sink(std::span(kZeros).first(step)));
    count -= step;
  }
  return {};
}

Status produce(uint64_t promised, const ByteProducer& producer, const ByteSink& sink) {
  uint64_t produced = 0;
  const ByteSink counting_sink = [&](std::span<const std::byte> bytes) -> Status {
    if (bytes.size() > promised - produced) {
      return internal_error("a producer wrote more than the {} bytes it promised", promised);
    }
    produced += bytes.size();
    return sink(bytes);
  };
  SLIPWAY_RETURN_IF_ERROR(producer(counting_sink));
  if (produced != promised) {
    return internal_error("a producer wrote {} of the {} bytes it promised", produced, promised);
  }
  return {};
}

// A file that is removed again unless it is renamed to its target.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string target) : target_(std::move(target)) {}
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Status create() {
    static std::atomic<uint64_t> counter = 0;
    do {
      path_ = fmt::format("{}.{}-{}.tmp", target_, ::getpid(), counter++);
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ >= 0) return {};
    const int error_number = errno;
    path_.clear();
    return errno_error(error_number, target_ + ": cannot be created");
  }

  Status write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0) {
        if (errno == EINTR) continue;
        return errno_error(errno, target_ + ": cannot be written");
      }
      bytes = bytes.subspan(static_cast<size_t>(count));
    }
    return {};
  }

  Status commit() {
    if (::fsync(descriptor_) != 0) {
      return errno_error(errno, target_ + ": cannot be written to the disk");
    }
    const int closed = ::close(std::exchange(descriptor_, -1));
    if (closed != 0) return errno_error(errno, target_ + ": cannot be closed");
    if (::rename(path_.c_str(), target_.c_str()) != 0) {
      return errno_error(errno, target_ + ": cannot be replaced");
    }
    path_.clear();
    return sync_folder();
  }

 private:
  // Makes the rename durable. Some file systems cannot sync a folder; the file is complete anyway.
  Status sync_folder() const {
    std::string folder = std::filesystem::path(target_).parent_path();
    if (folder.empty()) folder = ".";
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return {};
    const int failed = ::fsync(descriptor) != 0 ? errno : 0;
    ::close(descriptor);
    if (failed == EIO) return errno_error(failed, folder + ": cannot be written to the disk");
    return {};
  }

  std::string target_;
  std::string path_;
  int descriptor_ = -1;
};

// What a symbolic link names is replaced, not the link.
Result<std::string> resolve_target(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return invalid_argument("{}: exists and is not a file", path);
  }
  auto target = std::filesystem::canonical(path, error);
  return error ? path : target.string();
}

}  // namespace

uint64_t PieceList::add(OwnedSpan span) {
  const uint64_t offset = size_;
  size_ += span.bytes.size();
  pieces_.push_back({span.bytes.size(), std::move(span)});
  return offset;
}

uint64_t PieceList::add(uint64_t size, ByteProducer producer) {
  const uint64_t offset = size_;
  size_ += size;
  pieces_.push_back({size, std::move(producer)});
  return offset;
}

void PieceList::align(uint64_t alignment) {
  const uint64_t gap = (alignment - size_ % alignment) % alignment;
  if (gap == 0) return;
  size_ += gap;
  pieces_.push_back({gap, std::monostate()});
}

Status PieceList::write(const ByteSink& sink) const {
  for (const Piece& piece : pieces_) {
    if (const auto* span = std::get_if<OwnedSpan>(&piece.content)) {
      SLIPWAY_RETURN_IF_ERROR(send(span->bytes, sink));
    } else if (const auto* producer = std::get_if<ByteProducer>(&piece.content)) {
      SLIPWAY_RETURN_IF_ERROR(produce(piece.size, *producer, sink));
    } else {
      SLIPWAY_RETURN_IF_ERROR(send_zeros(piece.size, sink));
    }
  }
  return {};
}

Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress) {
  SLIPWAY_ASSIGN_OR_RETURN(std::string target, resolve_target(path));
  TemporaryFile file(std::move(target));
  SLIPWAY_RETURN_IF_ERROR(file.create());
  uint64_t written = 0;
  SLIPWAY_RETURN_IF_ERROR(pieces.write([&](std::span<const std::byte> bytes) -> Status {
    SLIPWAY_RETURN_IF_ERROR(file.write(bytes));
    written += bytes.size();
    if (progress) progress(written, pieces.size());
    return {};
  }));
  return file.commit();
}

Status write_file(const std::string& path, std::span<const std::byte> bytes) {
  PieceList pieces;
  pieces.add({bytes, nullptr});
  return write_file(path, pieces);
}

Status write_file(const std::string& path, const std::string& text) {
  return write_file(path, std::as_bytes(std::span<const char>(text)));
}

Result<std::vector<std::byte>> write_to_memory(const PieceList& pieces) {
  std::vector<std::byte> bytes;
  try {
    bytes.reserve(pieces.size());
  } catch (const std::exception&) {
    return resource_exhausted("no memory for {} bytes: write a file instead", pieces.size());
  }
  SLIPWAY_RETURN_IF_ERROR(pieces.write([&](std::span<const std::byte> chunk) -> Status {
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
    return {};
  }));
  return bytes;
}

}  // namespace slipway
