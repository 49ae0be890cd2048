#include <string_view>

#include "base/error.h"
#include "base/file_content.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "engine_list/registry.h"
#include "model_library/library.h"
#include "slipway/inspect.h"

namespace slipway {

Result<FileKind> file_kind(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(auto file, MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                              file->bytes().size());
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) return FileKind::kArchive;
  if (text.size() >= 8 && text.substr(4, 2) == "ET") return FileKind::kProgram;
  if (model_library::is_elf(file->bytes())) {
    const auto program = model_library::program_of(file->bytes());
    if (!program.ok()) return program.error().with_context(path);
    return FileKind::kProgram;
  }
  if (engine_list::find_bare_engine(file->bytes()) != nullptr) return FileKind::kEngine;
  if (text.empty()) return invalid_file("{} is empty", path);
  if (const std::string what = describe_foreign_content(file->bytes()); !what.empty()) {
    return invalid_file("{} {}", path, what);
  }
  return invalid_file(
      "{} is neither an archive of torch.export (.pt2) nor a .pte file nor a bare engine", path);
}

}  // namespace slipway
