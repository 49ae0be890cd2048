// Inputs to run a program with where nobody gives any.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "ir/program.h"
#include "slipway/module.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway {

// Floats between -1 and 1, integers from 0 to 3: the same ones on every machine.
Result<Tensor> random_tensor(DType dtype, const std::vector<int64_t>& sizes,
                             std::mt19937_64& random);

// For an input of a compiled method, whose Method::example_sizes() are these: a random tensor, or
// the size that an integer is. Nothing for others.
Result<Value> random_value(const ValueInfo& input, const std::vector<int64_t>& sizes,
                           std::mt19937_64& random);

// What a method takes that is compiled of the program: random tensors, whose
// symbols have these sizes.
Result<std::vector<Value>> example_inputs(const ir::Program& program,
                                          const std::map<std::string, int64_t>& sizes);

}  // namespace slipway
