// Writes programs as one ExecuTorch file (docs/formats/pte.md).
#pragma once

#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::pte {

struct Method {
  std::string name;
  // What passes::decompose left. Its storages must live as long as the pieces.
  const ir::Program* program = nullptr;
  std::string source_sha256;
};

struct EmitOptions {
  std::string tool_version;
};

// The file as pieces, in order; the manifest is last, because it holds the checksums of what comes
// before it. Errors: a symbol without an upper bound (names it, and `--bound`), an operator without
// a kernel, a type that ExecuTorch lacks.
Result<PieceList> emit(const std::vector<Method>& methods, const EmitOptions& options);

}  // namespace slipway::pte
