#include "base/file_writer.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway {

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

namespace {

// Whether they are bytes of the started file, and belong where they are.
bool is_in_place(const StartedFile& started, uint64_t offset, std::span<const std::byte> bytes) {
  const std::span<const std::byte> known = started.bytes.bytes;
  return offset >= started.offset && offset - started.offset <= known.size() &&
         bytes.size() <= known.size() - (offset - started.offset) &&
         bytes.data() == known.data() + (offset - started.offset);
}

// A file that is written and has not its name yet.
struct Written {
  TemporaryFile file;
  std::string target;
};

Result<Written> write(const FileToWrite& wanted, const WriteProgress& progress) {
  const PieceList& pieces = *wanted.pieces;
  StartedFile* started = wanted.started;
  SLIPWAY_ASSIGN_OR_RETURN(std::string target, resolve_target(wanted.path));
  // Elsewhere in the file the pieces would be written over those that are still to be read.
  if (started != nullptr && (!started->file.is_beside(target) ||
                             pieces.offset_of(started->bytes.bytes.data()) != started->offset)) {
    started = nullptr;
  }
  if (started != nullptr) started->is_used = true;
  auto created = started != nullptr ? Result<TemporaryFile>(std::move(started->file))
                                    : TemporaryFile::create_beside(target);
  if (!created.ok()) return created.error();
  TemporaryFile& file = *created;
  uint64_t written = 0;
  SLIPWAY_RETURN_IF_ERROR(pieces.write([&](std::span<const std::byte> bytes) -> Status {
    if (started == nullptr || !is_in_place(*started, written, bytes)) {
      const Status done = file.write_at(written, bytes);
      if (!done.ok()) return done.error().with_context(target);
    }
    written += bytes.size();
    if (progress) progress(written, pieces.size());
    return {};
  }));
  if (wanted.check) {
    SLIPWAY_ASSIGN_OR_RETURN(const OwnedSpan bytes, file.map());
    SLIPWAY_RETURN_IF_ERROR(wanted.check(bytes));
  }
  return Written{std::move(file), std::move(target)};
}

}  // namespace

Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress,
                  const FileCheck& check, StartedFile* started) {
  return write_files({{path, &pieces, check, started}}, progress);
}

Status write_files(const std::vector<FileToWrite>& files, const WriteProgress& progress) {
  uint64_t total = 0;
  for (const FileToWrite& file : files) total += file.pieces->size();
  std::vector<Written> written;
  written.reserve(files.size());
  uint64_t before = 0;
  for (const FileToWrite& file : files) {
    const WriteProgress of_all = [&](uint64_t done, uint64_t) { progress(before + done, total); };
    SLIPWAY_ASSIGN_OR_RETURN(Written one, write(file, progress ? of_all : WriteProgress()));
    written.push_back(std::move(one));
    before += file.pieces->size();
  }
  for (size_t i = 1; i < written.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (written[i].target != written[k].target) continue;
      return invalid_argument("{} and {} are one file, {}: give one of them another name",
                              files[k].path, files[i].path, written[i].target);
    }
  }
  for (Written& file : written) SLIPWAY_RETURN_IF_ERROR(file.file.replace(file.target));
  return {};
}

Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress) {
  return write_file(path, pieces, progress, FileCheck());
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
  FileIdentity identity;
  identity.path_ = path;
  // Nothing is read by it, so that pipes and files without permission have one, too.
  identity.file_ = std::make_shared<const Descriptor>(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (identity.file_->number() < 0 || ::fstat(identity.file_->number(), &identity.status_) != 0) {
    return errno_error(errno, path + ": cannot be read");
  }
  return identity;
}

Status FileIdentity::check_not_output(const std::string& output) const {
  struct stat status = {};
  if (::stat(output.c_str(), &status) != 0 || status.st_dev != status_.st_dev ||
      status.st_ino != status_.st_ino) {
    return {};
  }
  return invalid_argument("{} is {}, which is read: give the output another name", output,
                          output == path_ ? std::string("an input") : path_);
}

Status FileIdentity::check_unchanged() const {
  struct stat status = {};
  if (::fstat(file_->number(), &status) != 0) return errno_error(errno, path_);
  if (status.st_size == status_.st_size && status.st_mtim.tv_sec == status_.st_mtim.tv_sec &&
      status.st_mtim.tv_nsec == status_.st_mtim.tv_nsec) {
    return {};
  }
  return io_error("{} was changed after it was read: read it again", path_);
}

}  // namespace slipway
