// Files that are checked before they replace anything, and what must not be replaced.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <sys/types.h>

#include "base/mapped_file.h"
#include "base/piece_writer.h"
#include "slipway/result.h"

namespace slipway {

// Is given all bytes of a file before it gets its name; an error leaves everything as it was.
using FileCheck = std::function<Status(const OwnedSpan&)>;

// As write_file() of piece_writer.h.
Status write_file(const std::string& path, const PieceList& pieces, const WriteProgress& progress,
                  const FileCheck& check);

// A file that was read and may still be mapped.
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
  dev_t device_ = 0;
  ino_t inode_ = 0;
  off_t size_ = 0;
  timespec modified_ = {};
};

}  // namespace slipway
