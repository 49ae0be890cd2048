// Reads an archive of torch.export into a program (docs/formats/pt2.md).
#pragma once

#include <string>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// Torch 2.7 to 2.15, training or core IR. The program's weights are spans of the mapping. What
// ir::verify refuses is an error of the file.
Result<ir::Program> read_program(const std::string& path);
// The same from bytes in memory; `name` is for messages.
Result<ir::Program> read_program(OwnedSpan archive, const std::string& name);

}  // namespace slipway::pt2
