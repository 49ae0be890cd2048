#include "engine_build/spool.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/file_writer.h"
#include "base/try.h"

namespace slipway::engine_build {

// Grows without a second copy, which a vector would make.
class Spool::Memory {
 public:
  Memory() = default;
  ~Memory() {
    if (data_ != nullptr) ::munmap(data_, capacity_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Status append(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    SLIPWAY_RETURN_IF_ERROR(reserve(bytes.size()));
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return {};
  }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  static constexpr size_t kFirstCapacity = size_t{1} << 20;

  Status reserve(size_t more) {
    const auto needed = checked_add(size_, more);
    if (needed && *needed <= capacity_) return {};
    // Pages that are not written to cost nothing.
    const size_t capacity = std::max({kFirstCapacity, capacity_ * 2, needed.value_or(SIZE_MAX)});
    void* address = data_ == nullptr ? ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                     : ::mremap(data_, capacity_, capacity, MREMAP_MAYMOVE);
    if (address == MAP_FAILED) {
      return resource_exhausted(
          "there is neither disk space nor memory for an engine past {} bytes", size_);
    }
    data_ = static_cast<std::byte*>(address);
    capacity_ = capacity;
    return {};
  }

  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

Status Spool::append(std::span<const std::byte> bytes) {
  if (!file_ && !memory_) SLIPWAY_RETURN_IF_ERROR(open_next());
  while (file_) {
    const Status appended = file_->append(bytes);
    if (appended.ok()) return {};
    failures_.push_back(appended.error());
    SLIPWAY_RETURN_IF_ERROR(open_next());
  }
  return memory_->append(bytes);
}

// Takes along what has been appended so far.
Status Spool::open_next() {
  OwnedSpan before;
  if (file_) {
    SLIPWAY_ASSIGN_OR_RETURN(before, finish());
  }
  file_.reset();
  is_at_destination_ = false;
  if (const std::string path = std::exchange(destination_.path, {}); !path.empty()) {
    auto file = open_destination(path);
    if (file.ok()) {
      file_.emplace(std::move(*file));
      is_at_destination_ = true;
      return {};
    }
    failures_.push_back(file.error());
  }
  while (next_folder_ < folders_.size()) {
    auto file = TemporaryFile::create(folders_[next_folder_++]);
    const Status appended = file.ok() ? file->append(before.bytes) : Status(file.error());
    if (!appended.ok()) {
      failures_.push_back(appended.error());
      continue;
    }
    file_.emplace(std::move(*file));
    // Only a file of the first folder is given a name in the end.
    if (next_folder_ > 1) file_->hide();
    return {};
  }
  memory_ = std::make_shared<Memory>();
  return memory_->append(before.bytes);
}

Result<TemporaryFile> Spool::open_destination(const std::string& path) const {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string target, resolve_target(path));
  SLIPWAY_ASSIGN_OR_RETURN(TemporaryFile file, TemporaryFile::create_beside(target));
  SLIPWAY_RETURN_IF_ERROR(file.reserve(destination_.offset));
  return file;
}

Result<OwnedSpan> Spool::finish() {
  if (file_) {
    SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan bytes, file_->map());
    if (is_at_destination_) bytes.bytes = bytes.bytes.subspan(destination_.offset);
    return bytes;
  }
  if (!memory_) return OwnedSpan{};
  return OwnedSpan{memory_->bytes(), memory_};
}

TemporaryFile* Spool::first_file() {
  return file_ && !is_at_destination_ && next_folder_ == 1 ? &*file_ : nullptr;
}

std::optional<TemporaryFile> Spool::take_started() {
  if (!is_at_destination_) return std::nullopt;
  is_at_destination_ = false;
  std::optional<TemporaryFile> taken = std::move(file_);
  file_.reset();
  return taken;
}

}  // namespace slipway::engine_build
