// What a method needs of the machine: kernels and backends.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pte/reader/reader.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::runtime {

// Opens the libraries of the method's backends, and names what can't be had: a backend, or every
// operator that has no kernel in this process, with where it came from.
Status check_requirements(const pte::File& file, const std::string& method);

// How many kernels the libraries of this process have registered.
size_t registered_kernels();

// Where an instruction came from, as the manifest has it: "relu: File \"m.py\", line 3"; else "".
std::string instruction_origin(const pte::File& file, const std::string& method,
                               size_t instruction);

// Of each engine of the method that another version of its library built than the one that is here,
// or for a device with something that the one here lacks: both sides, and what to do. What the
// manifest or the backend does not tell is no difference. The backends must be registered
// (check_requirements).
std::vector<std::string> environment_differences(const pte::File& file, const std::string& method);

// other_origin() of the backends of the method's engines, the first that there is.
std::string other_delegates(const pte::File& file, const std::string& method);

// Whether an engine of the method lies within the program's own bytes, not in a segment.
bool has_inline_engine(const pte::File& file, const std::string& method);

// Whether an engine of the method may take tensors in the memory of a CUDA device.
bool has_cuda_engine(const pte::File& file, const std::string& method);

// Of each option for some engines that is given although the method has none that takes it: that it
// has no effect.
std::vector<std::string> options_without_effect(const pte::File& file, const std::string& method,
                                                const LoadOptions& options);

}  // namespace slipway::runtime
