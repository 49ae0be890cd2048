// A file on its way: nobody sees it under its name before it is complete.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway::build {

// Not thread-safe. Gone with this object unless it was published.
class TemporaryFile {
 public:
  // Without a name, so that not even a killed process leaves it behind; a named one where the file
  // system knows no other.
  static Result<TemporaryFile> create(const std::string& folder);
  static Result<TemporaryFile> create_named(const std::string& folder);

  TemporaryFile(TemporaryFile&& other) noexcept;
  TemporaryFile& operator=(TemporaryFile&&) = delete;
  ~TemporaryFile();

  // After an error the file still has what was appended before.
  Status append(std::span<const std::byte> bytes);
  // What has been appended so far.
  Result<OwnedSpan> map() const;
  // Gives the file a name in its folder, all at once. A file that is there already stays, or is
  // replaced by a named one.
  Status publish(const std::string& name);
  // Takes away the name that a named one has; it can't be published any more.
  void hide();

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

}  // namespace slipway::build
