#include "slipway/inspect.h"

#include <memory>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "engine/json.h"
#include "engine_list/registry.h"
#include "inspect/file_info.h"
#include "inspect/html_page.h"
#include "inspect/text.h"

namespace slipway {
namespace {

using inspection::FileInfoImpl;

class BareEngineInfo : public FileInfo::Impl {
 public:
  BareEngineInfo(const std::string& path, const char* title, uint64_t size, std::string sha256)
      : Impl(path, FileKind::kEngine), title_(title), size_(size), sha256_(std::move(sha256)) {}
  nlohmann::ordered_json json() const override {
    return {{"kind", "plan"}, {"size", size_}, {"sha256", sha256_}};
  }
  std::string text(const TextOptions&) const override {
    return fmt::format("{}: bare {}, {}\n  sha256 {}\n", path(), title_,
                       inspection::format_bytes(size_), sha256_);
  }

 private:
  const char* title_;
  uint64_t size_;
  std::string sha256_;
};

Result<FileInfoImpl> read_bare_engine(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  const engine::Description* kind = engine_list::find_bare_engine(file->bytes());
  if (kind == nullptr) return invalid_file("{} changed while it was read", path);
  return FileInfoImpl(std::make_shared<const BareEngineInfo>(
      path, kind->bare_engine, file->bytes().size(), sha256_hex(file->bytes())));
}

Result<FileInfoImpl> read(const std::string& path, FileKind kind, const InspectOptions& options) {
  switch (kind) {
    case FileKind::kArchive:
      return inspection::read_archive(path);
    case FileKind::kProgram:
      return inspection::read_program(path, options);
    case FileKind::kEngine:
      return read_bare_engine(path);
  }
  return internal_error("{}: no kind of file", path);
}

}  // namespace

namespace inspection {

Status check_may_have_data_file(const std::string& path, FileKind kind,
                                const std::string& data_file) {
  if (kind == FileKind::kProgram || data_file.empty()) return {};
  return invalid_argument("{} is no .pte file: leave out option 'data_file'", path);
}

}  // namespace inspection

FileKind FileInfo::kind() const { return impl_->kind(); }

const std::vector<MethodInfo>& FileInfo::methods() const { return impl_->methods(); }

std::string FileInfo::to_json() const { return engine::dump_json(impl_->json(), 2); }

Result<std::string> FileInfo::to_html(const HtmlOptions& options) const {
  return guarded(impl_->path(), [&]() -> Result<std::string> {
    return inspection::html_page(impl_->path(), impl_->json(), options.profile);
  });
}

std::string FileInfo::to_text(const TextOptions& options) const { return impl_->text(options); }

Result<FileInfo> inspect(const std::string& path, const InspectOptions& options) {
  return guarded(path, [&]() -> Result<FileInfo> {
    SLIPWAY_ASSIGN_OR_RETURN(const FileKind kind, file_kind(path));
    SLIPWAY_RETURN_IF_ERROR(inspection::check_may_have_data_file(path, kind, options.data_file));
    SLIPWAY_ASSIGN_OR_RETURN(FileInfoImpl impl, read(path, kind, options));
    return FileInfo::Impl::make(std::move(impl));
  });
}

}  // namespace slipway
