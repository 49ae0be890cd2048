// Files that are checked before they replace anything, and what must not be replaced.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "base/child_process.h"
#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "base/temporary_file.h"
#include "slipway/result.h"

namespace slipway {

// Is given all bytes of a file before it gets its name; an error leaves everything as it was.
using FileCheck = std::function<Status(const OwnedSpan&)>;

// A file on its way to be another's, with some of its bytes in their place already.
struct StartedFile {
  TemporaryFile file;
  OwnedSpan bytes;  // where they are mapped
  uint64_t offset = 0;
  bool is_used = false;  // by write_file(), which has the file then
};

// What a file at this path is written beside: links are followed. An error where something else
// than a file is there.
Result<std::string> resolve_target(const std::string& path);

// As write_file() of piece_writer.h. Where the pieces have the bytes of `started` at the same
// offset, and its file is beside `path`, it is finished and those bytes are not written again.
Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress,
                  const FileCheck& check, StartedFile* started = nullptr);

struct FileToWrite {
  std::string path;
  const PieceList* pieces = nullptr;
  FileCheck check = {};
  StartedFile* started = nullptr;
};

// Writes files that belong together: all of them are written and checked before the first gets its
// name, in their order. Where a later one is not given its name (a disk is full, a folder forbids
// it), those before it are the new ones already. `progress` is of all together.
Status write_files(const std::vector<FileToWrite>& files, const WriteProgress& progress);

// A file that was read and may still be mapped, by whatever name it goes later. Copies share a
// descriptor.
class FileIdentity {
 public:
  static Result<FileIdentity> of(const std::string& path);

  // kInvalidArgument if `output` is this file, by whatever name: writing there would lose it.
  Status check_not_output(const std::string& output) const;
  // kIo if somebody wrote to the file, or cut it. One that was replaced or removed as a whole lives
  // on in its mapping.
  Status check_unchanged() const;

 private:
  std::string path_;
  std::shared_ptr<const Descriptor> file_;
  struct stat status_ = {};
};

}  // namespace slipway
