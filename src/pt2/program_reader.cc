#include "pt2/program_reader.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/try.h"
#include "pt2/archive_layout.h"
#include "pt2/model_reader.h"
#include "pt2/weights.h"
#include "pt2/zip_reader.h"

namespace slipway::pt2 {
namespace {}  // namespace

Result<ir::Program> read_program(OwnedSpan bytes, const std::string& name) {
  // An ExecuTorch program has its mark after a first offset.
  if (as_text(bytes).substr(0, 8).ends_with("ET12")) {
    return invalid_file("{} is an ExecuTorch program (.pte), which is compiled already", name);
  }
  SLIPWAY_ASSIGN_OR_RETURN(ZipReader archive, ZipReader::open(bytes, name));
  SLIPWAY_ASSIGN_OR_RETURN(const ArchiveLayout layout, find_layout(archive));
  SLIPWAY_ASSIGN_OR_RETURN(const auto document, read_json(archive, layout.model));
  SLIPWAY_RETURN_IF_ERROR(check_schema_version(*document));

  const auto read_weights = layout.pickled ? read_torch_save : read_payloads;
  SLIPWAY_ASSIGN_OR_RETURN(const Weights state, read_weights(archive, layout.state, {}));
  SLIPWAY_ASSIGN_OR_RETURN(const Weights constants, read_weights(archive, layout.constants, {}));

  SLIPWAY_ASSIGN_OR_RETURN(ir::Program program, read_model(*document, name, state, constants));
  program.archive = std::move(bytes);
  return program;
}

Result<ir::Program> read_program(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  return read_program(OwnedSpan{file->bytes(), file}, path);
}

}  // namespace slipway::pt2
