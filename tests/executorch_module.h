// Runs files by ExecuTorch's own C++ API, as a program that knows nothing of Slipway would.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway {

// The flat outputs of the last of so many runs of `forward`, copied, by an
// executorch::extension::Module that is loaded anew and has no output set. The backends that the
// file needs must have been opened.
Result<std::vector<Value>> run_by_executorch(std::span<const std::byte> file,
                                             std::span<const Value> inputs, int runs = 1);

}  // namespace slipway
