// What delegates for NVIDIA's GPUs are told as they load an engine: load options, and ExecuTorch's
// compile specs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <executorch/runtime/backend/interface.h>

#include "slipway/result.h"

namespace slipway::cuda {

using BackendOptions = executorch::runtime::ArrayRef<executorch::runtime::BackendOption>;
using CompileSpecs = executorch::runtime::ArrayRef<executorch::runtime::CompileSpec>;

// The option of this name: true or false, or a text; nothing where it is not there.
// kInvalidArgument for another type.
Result<std::optional<bool>> flag_of(BackendOptions options, std::string_view key);
Result<std::optional<std::string>> text_of(BackendOptions options, std::string_view key);

// A decimal number of bytes from 0 to INT64_MAX, digits alone; nothing for any other text.
std::optional<int64_t> parse_bytes(std::string_view text);
// The same; kInvalidFile says that `what` ("the load option") of this name is none.
Result<int64_t> parse_bytes(std::string_view text, const char* what, const char* key);

// The option of this name: such a text, or an int; nothing where it is not there. An empty one is
// logged, with the title, and as if it were not there. kInvalidFile for what is no number of bytes.
Result<std::optional<int64_t>> bytes_of(BackendOptions options, const char* key, const char* title);

// The same of the file's compile spec, which is a text.
Result<std::optional<int64_t>> bytes_of(CompileSpecs specs, const char* key);

// The index of the GPU that the load option, or else the file's compile spec `key` ("cuda:1")
// names; nothing where neither is there. kInvalidFile for what names none.
Result<std::optional<int>> device_of(CompileSpecs specs, BackendOptions options, const char* key);

// Whether an engine that is loaded runs as CUDA graphs: the load option `key`, or else no where the
// process said so, or else the file's compile spec ("1" or "0"), or else what the process said.
// kInvalidArgument or kInvalidFile where one can't be read.
Result<bool> wants_graphs(CompileSpecs specs, BackendOptions options, const char* key);

// What the process says, of engines that are loaded from now on. Any thread may call it.
void set_graphs(bool value);

// ExecuTorch's error that stands for one of ours.
executorch::runtime::Error to_executorch(ErrorCode code);

}  // namespace slipway::cuda
