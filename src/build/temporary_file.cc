#include "build/temporary_file.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/error.h"

namespace slipway::build {

namespace {

constexpr const char* kTemporaryExtension = ".slipway-tmp";

}  // namespace

Result<TemporaryFile> TemporaryFile::create(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
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

TemporaryFile::TemporaryFile(std::string folder, int descriptor, std::string path)
    : folder_(std::move(folder)), descriptor_(descriptor), path_(std::move(path)) {}

TemporaryFile::TemporaryFile(TemporaryFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::exchange(other.path_, {})),
      size_(other.size_) {}

TemporaryFile::~TemporaryFile() {
  hide();
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status TemporaryFile::append(std::span<const std::byte> bytes) {
  uint64_t offset = size_;
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
  size_ = offset;
  return {};
}

Result<OwnedSpan> TemporaryFile::map() const {
  auto mapped = MappedFile::map(descriptor_, folder_ + ": a file there");
  if (!mapped.ok()) return mapped.error();
  return OwnedSpan{(*mapped)->bytes().first(size_), *mapped};
}

Status TemporaryFile::publish(const std::string& name) {
  const std::string target = folder_ + "/" + name;
  if (path_.empty()) {
    const std::string source = fmt::format("/proc/self/fd/{}", descriptor_);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) == 0 ||
        errno == EEXIST) {
      return {};
    }
  } else if (::rename(path_.c_str(), target.c_str()) == 0) {
    path_.clear();
    return {};
  }
  return errno_error(errno, target + ": cannot be created");
}

void TemporaryFile::hide() {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
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

}  // namespace slipway::build
