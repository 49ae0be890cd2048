// What goes together with each kind of output.
#pragma once

#include <cstddef>
#include <string>

#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

bool is_onnx(Output output);

// An error for more methods or engines than the output of `options` holds, and for options that
// have no effect on it.
Status check_output(const CompileOptions& options, size_t methods);

// The whole name that CompileOptions::external_engines stands for.
std::string data_file_name(const CompileOptions& options);

}  // namespace slipway
