// Inputs as the command line gives them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cli/image_input.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::cli {

// "x.npy" is read; else a literal: 3, 1.5, true, none, "text".
Result<Value> parse_value(const std::string& text);

// KEY=VALUE texts as the method's flattened inputs. KEY is a position, a name, or a path in the
// input tree ("[0]['mask']", or without the leading index of the arguments: "['mask']"). Missing
// literals stay empty; with a seed, missing tensors are random: the same for the same seed, and of
// these sizes (Method::example_sizes).
Result<std::vector<Value>> gather_inputs(const Method& method,
                                         const std::vector<std::string>& texts,
                                         const uint64_t* seed,
                                         const std::map<std::string, int64_t>& sizes = {},
                                         const ImageOptions& images = {});

// The tensor as the input's type, where it is stored as NumPy can: bfloat16 as uint16, float8 as
// uint8. Otherwise as it is.
Result<Value> stored_as(Value value, DType dtype);

}  // namespace slipway::cli
