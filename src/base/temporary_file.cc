#include "base/temporary_file.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway {
namespace {

constexpr const char* kTemporaryExtension = ".slipway-tmp";
// Of a file's name, leaves room for the extension and a number.
constexpr size_t kLongestStem = 220;

// The names that a signal's handler is to remove. What finds no room is left to the next writer.
std::array<std::atomic<char*>, 16> names_in_use = {};

void note_name(const std::string& path) {
  char* copy = ::strdup(path.c_str());
  for (auto& slot : names_in_use) {
    char* none = nullptr;
    if (slot.compare_exchange_strong(none, copy)) return;
  }
  std::free(copy);
}

void forget_name(const std::string& path) {
  for (auto& slot : names_in_use) {
    char* name = slot.load();
    if (name != nullptr && path == name && slot.compare_exchange_strong(name, nullptr)) {
      std::free(name);
      return;
    }
  }
}

// Past the limit on the size of files, write() sends a signal that ends the process; blocked, the
// error of the call is all that happens.
class NoFileSizeSignal {
 public:
  NoFileSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
    ::pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoFileSizeSignal() {
    constexpr timespec kNow = {};
    if (!was_pending_) ::sigtimedwait(&signal_, nullptr, &kNow);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoFileSizeSignal(const NoFileSizeSignal&) = delete;
  NoFileSizeSignal& operator=(const NoFileSizeSignal&) = delete;

 private:
  sigset_t signal_;
  sigset_t before_;
  bool was_pending_ = false;
};

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Locks a file that `path` names, unless another has. A file system without locks lets everybody.
bool lock(int descriptor, const std::string& path) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  struct stat opened = {};
  struct stat named = {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         same_file(opened, named);
}

// Whether `path`, a temporary name, was left by a process that is gone, and could be removed.
bool remove_leftover(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return errno == ENOENT;
  struct stat status = {};
  const bool is_file = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const bool removed = is_file && ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 &&
                       lock(descriptor, path) && ::unlink(path.c_str()) == 0;
  ::close(descriptor);
  return removed;
}

std::string folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// Has `make` take the first name beside `target` that is free, or was left behind. It gives an
// errno value.
template <class Make>
Result<std::string> take_name(const std::string& target, const Make& make) {
  constexpr int kAttempts = 1000;
  const std::string stem =
      std::filesystem::path(target).filename().string().substr(0, kLongestStem);
  int failed = EEXIST;
  for (int i = 0, number = 0; i < kAttempts && failed == EEXIST; ++i) {
    const std::string path =
        fmt::format("{}/{}{}{}", folder_of(target), stem,
                    number == 0 ? std::string() : fmt::format("-{}", number), kTemporaryExtension);
    failed = make(path);
    if (failed == 0) return path;
    if (failed == EEXIST && !remove_leftover(path)) ++number;
  }
  return errno_error(failed, target + ": cannot be created");
}

int create_locked(const std::string& path, int& descriptor) {
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  descriptor = ::open(path.c_str(), kFlags, 0666);
  if (descriptor < 0) return errno;
  if (lock(descriptor, path)) return 0;
  // Another took it for a leftover before it was locked.
  ::close(std::exchange(descriptor, -1));
  return EEXIST;
}

int open_unnamed(const std::string& folder) {
  // Without /proc there is no way to give it a name later.
  if (::access("/proc/self/fd", X_OK) != 0) return -1;
  return ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
}

int link_unnamed(int descriptor, const std::string& path) {
  const std::string source = fmt::format("/proc/self/fd/{}", descriptor);
  const int linked = ::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW);
  return linked == 0 ? 0 : errno;
}

// Makes a new name durable. Some file systems cannot sync a folder; the file is complete anyway.
Status sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return {};
  const int failed = ::fsync(descriptor) != 0 ? errno : 0;
  ::close(descriptor);
  if (failed == EIO) return errno_error(failed, folder + ": cannot be written to the disk");
  return {};
}

}  // namespace

Result<TemporaryFile> TemporaryFile::create(const std::string& folder) {
  const int descriptor = open_unnamed(folder);
  if (descriptor < 0) return create_named(folder);
  return TemporaryFile(folder, descriptor, "");
}

Result<TemporaryFile> TemporaryFile::create_named(const std::string& folder) {
  static std::atomic<uint64_t> counter = 0;
  std::string path;
  int descriptor = -1;
  do {
    path = fmt::format("{}/{}-{}{}", folder, ::getpid(), counter++, kTemporaryExtension);
    descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EEXIST);
  if (descriptor < 0) return errno_error(errno, folder + ": no file can be created there");
  return TemporaryFile(folder, descriptor, std::move(path));
}

Result<TemporaryFile> TemporaryFile::create_beside(const std::string& target) {
  int descriptor = open_unnamed(folder_of(target));
  if (descriptor >= 0) return TemporaryFile(folder_of(target), descriptor, "");
  SLIPWAY_ASSIGN_OR_RETURN(std::string path, take_name(target, [&](const std::string& name) {
                             return create_locked(name, descriptor);
                           }));
  return TemporaryFile(folder_of(target), descriptor, std::move(path));
}

TemporaryFile::TemporaryFile(std::string folder, int descriptor, std::string path)
    : folder_(std::move(folder)), descriptor_(descriptor), path_(std::move(path)) {
  if (!path_.empty()) note_name(path_);
}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::exchange(other.path_, {})),
      size_(other.size_) {}

TemporaryFile::~TemporaryFile() {
  hide();
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status TemporaryFile::reserve(uint64_t bytes) {
  const NoFileSizeSignal guard;
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
    return errno_error(errno, folder_ + ": a file there cannot be written");
  }
  size_ = bytes;
  return {};
}

Result<std::shared_ptr<std::byte[]>> TemporaryFile::allocate(uint64_t bytes) {
  const NoFileSizeSignal guard;
  const int failed = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes));
  if (failed != 0) return errno_error(failed, folder_ + ": a file there cannot be written");
  void* const address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (address == MAP_FAILED) return errno_error(errno, folder_ + ": a file there cannot be mapped");
  size_ = bytes;
  return std::shared_ptr<std::byte[]>(static_cast<std::byte*>(address),
                                      [bytes](std::byte* start) { ::munmap(start, bytes); });
}

Status TemporaryFile::append(std::span<const std::byte> bytes) { return write_at(size_, bytes); }

Status TemporaryFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  const NoFileSizeSignal guard;
  while (!bytes.empty()) {
    const ssize_t count =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno_error(errno, folder_ + ": a file there cannot be written");
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  size_ = std::max(size_, offset);
  return {};
}

Result<OwnedSpan> TemporaryFile::map() const {
  auto mapped = MappedFile::map(descriptor_, folder_ + ": a file there");
  if (!mapped.ok()) return mapped.error();
  return OwnedSpan{(*mapped)->bytes().first(size_), *mapped};
}

Status TemporaryFile::publish(const std::string& name) {
  const std::string target = folder_ + "/" + name;
  int failed = 0;
  if (path_.empty()) {
    failed = link_unnamed(descriptor_, target);
    if (failed == EEXIST) return {};
  } else if (::rename(path_.c_str(), target.c_str()) == 0) {
    forget_name(std::exchange(path_, {}));
  } else {
    failed = errno;
  }
  return failed == 0 ? Status() : errno_error(failed, target + ": cannot be created");
}

Status TemporaryFile::replace(const std::string& target) {
  struct stat before = {};
  if (::stat(target.c_str(), &before) == 0) {
    // Only root may give a file away; others replace what they own, or may as well.
    std::ignore = ::fchown(descriptor_, before.st_uid, before.st_gid);
    if (::fchmod(descriptor_, before.st_mode & 07777) != 0) {
      return errno_error(errno, target + ": its permissions cannot be kept");
    }
  }
  if (::fsync(descriptor_) != 0) {
    return errno_error(errno, target + ": cannot be written to the disk");
  }
  if (path_.empty()) {
    const int failed = link_unnamed(descriptor_, target);
    if (failed == 0) return sync_folder(folder_);
    if (failed != EEXIST) return errno_error(failed, target + ": cannot be created");
    // A link can't replace a file. The name that it needs for that is there for a moment only.
    ::flock(descriptor_, LOCK_EX | LOCK_NB);
    SLIPWAY_ASSIGN_OR_RETURN(path_, take_name(target, [&](const std::string& path) {
                               return link_unnamed(descriptor_, path);
                             }));
    note_name(path_);
  }
  if (::rename(path_.c_str(), target.c_str()) != 0) {
    return errno_error(errno, target + ": cannot be replaced");
  }
  forget_name(std::exchange(path_, {}));
  return sync_folder(folder_);
}

bool TemporaryFile::is_beside(const std::string& target) const {
  struct stat own = {};
  struct stat other = {};
  return ::stat(folder_.c_str(), &own) == 0 && ::stat(folder_of(target).c_str(), &other) == 0 &&
         same_file(own, other);
}

void TemporaryFile::hide() {
  if (path_.empty()) return;
  ::unlink(path_.c_str());
  forget_name(std::exchange(path_, {}));
}

std::string temporary_folder() {
  const char* folder = std::getenv("TMPDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/tmp";
}

bool is_temporary_name(const std::string& name) {
  return name.ends_with(kTemporaryExtension) &&
         name.find_first_not_of("0123456789-") ==
             name.size() - std::string(kTemporaryExtension).size();
}

void remove_temporary_names() noexcept {
  for (const auto& slot : names_in_use) {
    const char* name = slot.load();
    if (name != nullptr) ::unlink(name);
  }
}

}  // namespace slipway
