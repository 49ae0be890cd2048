// The whole file: the program, its segments and the manifest, as pieces.
#pragma once

#include <vector>

#include "base/piece_writer.h"
#include "engine/manifest.h"
#include "pte/emitter/method_emitter.h"
#include "slipway/result.h"

namespace slipway::pte {

// `manifest` has its methods and tool version; its checksums and segments are filled in here,
// and its engines' segments. The order is: program, constants, what mutable buffers start with,
// engines, manifest.
Result<PieceList> lay_out(const std::vector<EmittedMethod>& methods, const FileData& data,
                          engine::Manifest manifest);

}  // namespace slipway::pte
