#include "cli/model_file.h"

#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/progress.h"
#include "base/try.h"
#include "slipway/compile.h"

namespace slipway::cli {

Result<FileKind> file_kind(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(auto file, MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                              file->bytes().size());
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) return FileKind::kArchive;
  if (text.size() >= 8 && text.substr(4, 2) == "ET") return FileKind::kProgram;
  if (text.empty()) return invalid_file("{} is empty", path);
  return invalid_file("{} is neither an archive of torch.export (.pt2) nor a .pte file", path);
}

Result<Module> load_module(const std::string& path, const LoadOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(FileKind kind, file_kind(path));
  if (kind == FileKind::kProgram) return Module::load(path, options);
  Progress progress;
  progress.step("reading " + path);
  SLIPWAY_ASSIGN_OR_RETURN(Program program, Program::load(path));
  CompileOptions compile_options;
  compile_options.on_step = [&](const std::string& step) { progress.step(step); };
  SLIPWAY_ASSIGN_OR_RETURN(Artefact artefact, compile(program, compile_options));
  progress.finish();
  SLIPWAY_ASSIGN_OR_RETURN(auto bytes, artefact.to_memory());
  return Module::load(std::move(bytes), path, options);
}

}  // namespace slipway::cli
