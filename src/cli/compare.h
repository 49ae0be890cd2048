// Whether two results are the same within a tolerance.
#pragma once

#include <string>

#include "slipway/tensor.h"

namespace slipway::cli {

struct Tolerance {
  double absolute = 1e-5;
  double relative = 1e-5;
};

struct Comparison {
  bool equal = false;
  double worst = 0;     // the largest absolute difference of finite numbers
  std::string problem;  // where not equal
};

// Numbers within absolute + relative * |expected| are equal, as are NaNs and infinities of one
// sign; of float16 and bfloat16, each is at least two units in the last place of 1 (2^-9, 2^-6).
// Integers, booleans and float8 must be the same, and so must types and shapes; bfloat16 and float8
// may be expected as the unsigned integers that NumPy stores them as.
Comparison compare(const Tensor& found, const Tensor& expected, const Tolerance& tolerance);

}  // namespace slipway::cli
