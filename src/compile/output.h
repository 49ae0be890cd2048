// What goes together with each kind of output.
#pragma once

#include <cstddef>
#include <string>

#include "slipway/compile.h"
#include "slipway/result.h"

namespace slipway {

bool is_onnx(Output output);
// Whether it is a .pte file, bare or in something else.
bool is_program(Output output);

// An error for more methods or engines than the output of `options` holds, and for options that
// have no effect on it.
Status check_output(const CompileOptions& options, size_t methods);

// An error for options that decide about what is built, where `source` is one engine that is there.
Status check_nothing_is_built(const CompileOptions& options, const std::string& source);

// A warning for each such option of an engine, by its name, of which `source` came with `count`.
void warn_of_built(const CompileOptions& options, const std::string& engine, size_t count,
                   const std::string& source);

// The whole name that CompileOptions::external_engines stands for.
std::string data_file_name(const CompileOptions& options);

}  // namespace slipway
