// A file on its way: nobody sees it under its name before it is complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway {

// Not thread-safe. Gone with this object unless it was given a name. A file without a name can't
// be left behind by a process that is killed. One with a name can: it is locked (flock) for as
// long as somebody makes it, so that what is left is recognised, and removed by the next that
// wants its name.
class TemporaryFile {
 public:
  // Without a name; a named one where the file system knows no other.
  static Result<TemporaryFile> create(const std::string& folder);
  static Result<TemporaryFile> create_named(const std::string& folder);
  // For replace(): in the folder of `target`, with a name of that where it needs one.
  static Result<TemporaryFile> create_beside(const std::string& target);

  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  // Leaves the first bytes of an empty file to write_at(); until then they take no disk.
  Status reserve(uint64_t bytes);
  // Has so many bytes of an empty file on the disk, and gives them to be written to: zeros, which
  // are there for as long as somebody holds them. They take the memory of files alone.
  Result<std::shared_ptr<std::byte[]>> allocate(uint64_t bytes);
  // After an error the file still has what was appended before. A limit on the size of files gives
  // an error and no signal.
  Status append(std::span<const std::byte> bytes);
  // Over what is there, or behind it.
  Status write_at(uint64_t offset, std::span<const std::byte> bytes);
  // What has been appended so far.
  Result<OwnedSpan> map() const;
  // Gives the file a name in its folder, all at once. A file that is there already stays, or is
  // replaced by a named one.
  Status publish(const std::string& name);
  // Has all bytes on the disk and puts the file in the place of `target`, which is in its folder
  // and need not exist, all at once. The permissions of a file that is there already are kept.
  Status replace(const std::string& target);
  // Takes away the name that a named one has; it can't be published any more.
  void hide();
  // Whether that is a place for replace().
  bool is_beside(const std::string& target) const;

 private:
  TemporaryFile(std::string folder, int descriptor, std::string path);

  std::string folder_;
  int descriptor_;
  std::string path_;  // empty: it has no name
  uint64_t size_ = 0;
};

// $TMPDIR, else /tmp.
std::string temporary_folder();

// Whether create_named() makes such names.
bool is_temporary_name(const std::string& name);

// Removes the names of all temporary files of the process, which must end then: for handlers of
// signals.
void remove_temporary_names() noexcept;

}  // namespace slipway
