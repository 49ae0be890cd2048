#include "base/mapped_file.h"

#include <cerrno>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/error.h"
#include "base/mapped_place.h"

namespace slipway {

namespace {

// The mappings there are, by where they begin.
class Mappings {
 public:
  struct Entry {
    const MappedFile* file = nullptr;
    struct stat status = {};
    Descriptor nameless;  // of a file that no path leads to
  };

  // Never destroyed: what static objects hold is unmapped after everything else.
  static Mappings& get() {
    static auto* const mappings = new Mappings();
    return *mappings;
  }
  void add(const MappedFile& file, int descriptor, const struct stat& status) {
    Entry entry;
    entry.file = &file;
    entry.status = status;
    if (status.st_nlink == 0) entry.nameless = Descriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.insert_or_assign(file.bytes().data(), std::move(entry));
  }
  void remove(const MappedFile& file) {
    const std::lock_guard<std::mutex> lock(mutex_);
    entries_.erase(file.bytes().data());
  }
  // What `use` gives for the entry with this place in it; a default one where there is none.
  template <class Use>
  auto at(const std::byte* place, Use use) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto after = entries_.upper_bound(place);
    using Found = decltype(use(after->second));
    return after == entries_.begin() ? Found() : use(std::prev(after)->second);
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, Entry> entries_;
};

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return errno_error(errno, path + ": cannot be opened");
  auto file = map(descriptor, path);
  ::close(descriptor);
  return file;
}

Result<std::shared_ptr<const MappedFile>> MappedFile::map(int descriptor, const std::string& path) {
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) return errno_error(errno, path + ": cannot be read");
  if (!S_ISREG(status.st_mode)) {
    return invalid_argument("{}: is {}, not a file", path,
                            S_ISDIR(status.st_mode) ? "a folder" : "a device or a pipe");
  }
  std::span<const std::byte> bytes;
  if (status.st_size > 0) {
    const auto size = static_cast<size_t>(status.st_size);
    // NVIDIA's driver pins shared pages several times faster; not all file systems have them.
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) {
      address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    if (address == MAP_FAILED) return errno_error(errno, path + ": cannot be mapped");
    bytes = {static_cast<const std::byte*>(address), size};
  }
  std::shared_ptr<const MappedFile> file(new MappedFile(path, bytes));
  if (!bytes.empty()) Mappings::get().add(*file, descriptor, status);
  return file;
}

MappedFile::MappedFile(std::string path, std::span<const std::byte> bytes)
    : path_(std::move(path)), bytes_(bytes) {}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  // Once it is unmapped, another thread may have a file at this place.
  Mappings::get().remove(*this);
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

const MappedFile* find_mapped_file(std::span<const std::byte> bytes) {
  return Mappings::get().at(bytes.data(), [&](const Mappings::Entry& entry) {
    const std::span<const std::byte> all = entry.file->bytes();
    const auto start = static_cast<size_t>(bytes.data() - all.data());
    const bool inside = start <= all.size() && bytes.size() <= all.size() - start;
    return inside ? entry.file : nullptr;
  });
}

std::optional<Descriptor> reopen(const MappedFile& file) {
  return Mappings::get().at(
      file.bytes().data(), [&](const Mappings::Entry& entry) -> std::optional<Descriptor> {
        if (entry.nameless.number() >= 0) {
          Descriptor copy(::fcntl(entry.nameless.number(), F_DUPFD_CLOEXEC, 3));
          return copy.number() < 0 ? std::nullopt : std::optional(std::move(copy));
        }
        Descriptor opened(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        struct stat status = {};
        if (opened.number() < 0 || ::fstat(opened.number(), &status) != 0 ||
            status.st_dev != entry.status.st_dev || status.st_ino != entry.status.st_ino) {
          return std::nullopt;
        }
        return opened;
      });
}

OwnedSpan own_bytes(std::vector<std::byte> bytes) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const std::span<const std::byte> span(*owner);
  return {span, std::move(owner)};
}

OwnedSpan own_bytes(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const auto span = std::as_bytes(std::span<const char>(*owner));
  return {span, std::move(owner)};
}

}  // namespace slipway
