// What FileInfo is of each kind of file.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "slipway/inspect.h"

namespace slipway {

class FileInfo::Impl {
 public:
  static FileInfo make(std::shared_ptr<const Impl> impl) { return FileInfo(std::move(impl)); }

  Impl(std::string path, FileKind kind) : path_(std::move(path)), kind_(kind) {}
  virtual ~Impl() = default;

  const std::string& path() const { return path_; }
  FileKind kind() const { return kind_; }
  virtual const std::vector<MethodInfo>& methods() const {
    static const std::vector<MethodInfo> kNone;
    return kNone;
  }
  virtual nlohmann::ordered_json json() const = 0;
  virtual std::string text(const TextOptions& options) const = 0;

 protected:
  std::string path_;
  FileKind kind_;
};

namespace inspection {

// An error where a data file is given of what has none.
Status check_may_have_data_file(const std::string& path, FileKind kind,
                                const std::string& data_file);

using FileInfoImpl = std::shared_ptr<const FileInfo::Impl>;

Result<FileInfoImpl> read_program(const std::string& path, const InspectOptions& options);
Result<FileInfoImpl> read_archive(const std::string& path);

}  // namespace inspection
}  // namespace slipway
