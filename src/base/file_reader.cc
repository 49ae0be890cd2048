#include "base/file_reader.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child_process.h"
#include "base/error.h"

namespace slipway {
namespace {

// Aligned for every table and engine.
class Pages {
 public:
  explicit Pages(size_t size) : size_(size) {
    if (size == 0) return;
    void* address =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address != MAP_FAILED) data_ = static_cast<std::byte*>(address);
  }
  ~Pages() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_;
};

}  // namespace

Result<OwnedSpan> read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) return errno_error(errno, path + ": cannot be opened");
  struct stat status = {};
  if (::fstat(file.number(), &status) != 0) return errno_error(errno, path + ": cannot be read");
  if (!S_ISREG(status.st_mode)) return invalid_argument("{}: is not a file", path);
  const auto size = static_cast<size_t>(status.st_size);
  auto pages = std::make_shared<const Pages>(size);
  if (size > 0 && pages->data() == nullptr) {
    return resource_exhausted("{}: there is no memory for its {} bytes", path, size);
  }
  constexpr size_t kMostAtOnce = size_t{1} << 30;
  for (size_t done = 0; done <= size;) {
    std::byte past_the_end = {};
    std::byte* target = done < size ? pages->data() + done : &past_the_end;
    const size_t wanted = done < size ? std::min(size - done, kMostAtOnce) : 1;
    const ssize_t count = ::read(file.number(), target, wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_error(errno, path + ": cannot be read");
    if (done == size && count == 0) break;
    if (done == size || count == 0) return io_error("{}: was changed while it was read", path);
    done += static_cast<size_t>(count);
  }
  return OwnedSpan{{pages->data(), size}, pages};
}

}  // namespace slipway
