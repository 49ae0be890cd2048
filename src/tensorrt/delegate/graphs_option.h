// Whether engines run as CUDA graphs: the option kGraphsOption, which is a bool.
#pragma once

#include <executorch/runtime/backend/interface.h>

#include "slipway/result.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {

// Of an engine that is loaded: the load option, or else no where the process said so, or else the
// file's compile spec ("1" or "0"), or else what the process said. kInvalidArgument or kInvalidFile
// where one can't be read.
Result<bool> wants_graphs(const executorch::runtime::BackendInitContext& context,
                          executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> specs);

// What the process says, of engines that are loaded from now on. Any thread may call it.
void set_graphs(bool value);

}  // namespace slipway::tensorrt
