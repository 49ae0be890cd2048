// Quantization by numbers that are known only when the program runs, as the float32 steps that
// PyTorch takes. Levels and zero points are float32, too.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/op_builder.h"

namespace slipway::passes::decompositions {

// The ends of int8.
inline constexpr double kLeastLevel = -128;
inline constexpr double kMostLevel = 127;

struct Chosen {
  ir::Value* scale = nullptr;
  ir::Value* zero = nullptr;
};

// The least and the largest number along dimensions (none: all), and 0 among them.
struct Extrema {
  ir::Value* least;
  ir::Value* most;
};
Extrema extrema_with_0(ir::OpBuilder& build, ir::Value* x, const std::vector<int64_t>& dims,
                       bool keepdim);
// So that `low` to `high` are from the least of these to the largest; `eps` is the least scale.
Chosen choose_affine(ir::OpBuilder& build, ir::Value* x, const std::vector<int64_t>& dims,
                     bool keepdim, double low, double high, double eps);
// The levels of x.
ir::Value* quantize_by(ir::OpBuilder& build, ir::Value* x, const Chosen& by, double low,
                       double high);
// Where each token has its own: the zero point is added before it is rounded.
ir::Value* quantize_token_by(ir::OpBuilder& build, ir::Value* x, const Chosen& by, double low,
                             double high);
ir::Value* dequantize_by(ir::OpBuilder& build, ir::Value* level, const Chosen& by);

// By a tensor of as many elements: kernels multiply with the reciprocal of a single number.
ir::Value* divide(ir::OpBuilder& build, ir::Value* x, double divisor);

}  // namespace slipway::passes::decompositions
