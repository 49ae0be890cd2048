// Whether an engine's result is PyTorch's.
#pragma once

#include <optional>
#include <string>

#include "slipway/tensor.h"

namespace slipway::conformance {

// What is different; nothing where the values are the same: types, shapes, integers and bools
// exactly, floating-point numbers within `tolerance`, absolute and relative, or a hundred
// thousandth of it for float64, infinities and NaN where they are expected. With `any_for_nan` any
// number may stand where NaN is expected.
std::optional<std::string> difference(const Value& found, const Value& expected, double tolerance,
                                      bool any_for_nan);

}  // namespace slipway::conformance
