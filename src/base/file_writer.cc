#include "base/file_writer.h"

#include <cerrno>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/temporary_file.h"
#include "base/try.h"

namespace slipway {
namespace {

// What a symbolic link names is replaced or made, not the link.
Result<std::string> resolve_target(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr int kMaxLinks = 40;
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return invalid_argument("{}: exists and is not a file", path);
  }
  fs::path target = path;
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    if (links == kMaxLinks) return errno_error(ELOOP, path + ": cannot be created");
    const fs::path next = fs::read_symlink(target, error);
    if (error) return errno_error(error.value(), path + ": the link cannot be followed");
    target = target.parent_path() / next;
  }
  return target.string();
}

}  // namespace

Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress,
                  const FileCheck& check) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string target, resolve_target(path));
  SLIPWAY_ASSIGN_OR_RETURN(TemporaryFile file, TemporaryFile::create_beside(target));
  uint64_t written = 0;
  SLIPWAY_RETURN_IF_ERROR(pieces.write([&](std::span<const std::byte> bytes) -> Status {
    const Status appended = file.append(bytes);
    if (!appended.ok()) return appended.error().with_context(target);
    written += bytes.size();
    if (progress) progress(written, pieces.size());
    return {};
  }));
  if (check) {
    SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan bytes, file.map());
    SLIPWAY_RETURN_IF_ERROR(check(bytes));
  }
  return file.replace(target);
}

Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress) {
  return write_file(path, pieces, progress, {});
}

Status write_file(const std::string& path, std::span<const std::byte> bytes) {
  PieceList pieces;
  pieces.add(OwnedSpan{bytes, nullptr});
  return write_file(path, pieces);
}

Status write_file(const std::string& path, const std::string& text) {
  return write_file(path, std::as_bytes(std::span<const char>(text)));
}

Result<FileIdentity> FileIdentity::of(const std::string& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return errno_error(errno, path + ": cannot be read");
  FileIdentity identity;
  identity.path_ = path;
  identity.device_ = status.st_dev;
  identity.inode_ = status.st_ino;
  identity.size_ = status.st_size;
  identity.modified_ = status.st_mtim;
  return identity;
}

Status FileIdentity::check_not_output(const std::string& output) const {
  struct stat status = {};
  if (::stat(output.c_str(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_) {
    return {};
  }
  return invalid_argument("{} is {}, which is read: give the output another name", output,
                          output == path_ ? std::string("an input") : path_);
}

Status FileIdentity::check_unchanged() const {
  struct stat status = {};
  if (::stat(path_.c_str(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_) {
    return {};
  }
  if (status.st_size == size_ && status.st_mtim.tv_sec == modified_.tv_sec &&
      status.st_mtim.tv_nsec == modified_.tv_nsec) {
    return {};
  }
  return io_error("{} was changed after it was read: read it again", path_);
}

}  // namespace slipway
