#include <cmath>
#include <limits>
#include <numbers>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

Ref softplus(Context& c, const Ref& x) { return c.op("Softplus", {x}); }
Ref sigmoid(Context& c, const Ref& x) { return c.op("Sigmoid", {x}); }

void relu(Context& c) {
  const Ref x = c.tensor(0);
  c.result(is_floating_point(x.dtype) ? c.op("Relu", {x}) : c.op("Max", {x, c.number_like(0, x)}));
}

void gelu(Context& c) {
  const Ref x = c.tensor(0);
  const std::string approximate = c.text(1);
  // ONNX defines the fused one with a factor of float32.
  if (c.fused("Gelu") && (approximate != "tanh" || x.dtype != DType::kFloat64)) {
    Attributes attributes;
    if (approximate == "tanh") attributes.emplace_back("approximate", std::string("tanh"));
    return c.result(c.op("Gelu", {x}, attributes));
  }
  Ref gate;
  if (approximate == "tanh") {
    const Ref cube = c.mul(c.mul(x, x), x);
    const Ref inner =
        c.mul(c.add(x, c.mul(cube, 0.044715)), std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
    gate = c.op("Tanh", {inner});
  } else {
    gate = c.op("Erf", {c.mul(x, 1 / std::numbers::sqrt2)});
  }
  c.result(c.mul(c.mul(x, 0.5), c.add(gate, 1.0)));
}

void silu(Context& c) {
  const Ref x = c.tensor(0);
  c.result(c.mul(x, sigmoid(c, x)));
}

void hardtanh(Context& c) {
  const Ref x = c.tensor(0);
  const bool is_relu6 = base_name(c) == "relu6";
  const Ref low = is_relu6 ? c.number_like(0, x) : c.operand(1, c.dtype());
  const Ref high = is_relu6 ? c.number_like(6, x) : c.operand(2, c.dtype());
  c.result(c.op("Clip", {x, low, high}));
}

// clamp(x + 3, 0, 6) / 6
Ref hard_sigmoid(Context& c, const Ref& x) {
  return c.div(c.op("Clip", {c.add(x, 3.0), c.number_like(0, x), c.number_like(6, x)}), 6.0);
}

void hardsigmoid(Context& c) {
  const Ref x = c.tensor(0);
  if (x.dtype != DType::kFloat32) return c.result(hard_sigmoid(c, x));
  c.result(c.op("HardSigmoid", {x}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}}));
}

void hardswish(Context& c) {
  const Ref x = c.tensor(0);
  if (c.fused("HardSwish") && x.dtype == DType::kFloat32) return c.result(c.op("HardSwish", {x}));
  c.result(c.mul(x, hard_sigmoid(c, x)));
}

void leaky_relu(Context& c) {
  const Ref x = c.tensor(0);
  const double slope = c.has(1) ? c.real(1) : 0.01;
  c.result(c.op("LeakyRelu", {x}, {{"alpha", static_cast<float>(slope)}}));
}

// Elu and Celu take 1 from the exponential, of which a large factor would show what is lost.
bool is_large(double factor) { return !(std::abs(factor) < 16); }

// scale * (x > 0 ? x : alpha * expm1(x * input_scale))
void elu(Context& c) {
  const Ref x = c.tensor(0);
  const double alpha = c.has(1) ? c.real(1) : 1;
  const double scale = c.has(2) ? c.real(2) : 1;
  const double input_scale = c.has(3) ? c.real(3) : 1;
  Ref y;
  if (input_scale == 1 && !is_large(alpha * scale)) {
    y = c.op("Elu", {x}, {{"alpha", static_cast<float>(alpha)}});
  } else {
    const Ref inner = c.mul(expm1(c, input_scale == 1 ? x : c.mul(x, input_scale)), alpha);
    y = c.where(c.compare("Greater", x, 0.0), x, inner);
  }
  c.result(scale == 1 ? y : c.mul(y, scale));
}

void selu(Context& c) { c.result(c.op("Selu", {c.tensor(0)})); }

// max(0, x) + min(0, alpha * expm1(x / alpha))
void celu(Context& c) {
  const Ref x = c.tensor(0);
  const double alpha = c.has(1) ? c.real(1) : 1;
  // ONNX has Celu of float32 alone.
  if (x.dtype == DType::kFloat64 || is_large(alpha)) {
    const Ref inner = c.mul(expm1(c, c.mul(x, 1 / alpha)), alpha);
    return c.result(c.where(c.compare("Less", x, 0.0), inner, x));
  }
  const Ref wide = c.cast(x, DType::kFloat32);
  c.result(c.cast(c.op("Celu", {wide}, {{"alpha", static_cast<float>(alpha)}}), x.dtype));
}

void softplus_rule(Context& c) {
  const Ref x = c.tensor(0);
  const double beta = c.has(1) ? c.real(1) : 1;
  const double threshold = c.has(2) ? c.real(2) : 20;
  const Ref scaled = beta == 1 ? x : c.mul(x, beta);
  Ref y = softplus(c, scaled);
  if (beta != 1) y = c.div(y, beta);
  c.result(c.where(c.compare("Greater", scaled, threshold), x, y));
}

void mish(Context& c) {
  const Ref x = c.tensor(0);
  if (c.fused("Mish") && x.dtype == DType::kFloat32) return c.result(c.op("Mish", {x}));
  c.result(c.mul(x, c.op("Tanh", {softplus(c, x)})));
}

void log_sigmoid(Context& c) {
  if (c.is_used(1)) c.fail("its buffer is used");
  const Ref x = c.tensor(0);
  c.result(c.op("Neg", {softplus(c, c.op("Neg", {x}))}));
}

// One slope, or one a channel (dimension 1).
void prelu(Context& c) {
  const Ref x = c.tensor(0);
  Ref slope = c.tensor(1);
  const int64_t rank = c.rank(0);
  // The kernel's own form has a slope that broadcasts already.
  const bool one_a_channel = c.rank(1) == 1 && c.type(1).sizes.at(0) != ir::SymInt(1);
  if (one_a_channel && rank > 2) slope = c.unsqueeze(slope, iota(rank - 2, 1));
  c.result(c.op("PRelu", {x, slope}));
}

void softsign(Context& c) {
  const Ref x = c.tensor(0);
  c.result(c.div(x, c.add(c.op("Abs", {x}), 1.0)));
}

void tanhshrink(Context& c) {
  const Ref x = c.tensor(0);
  c.result(c.sub(x, c.op("Tanh", {x})));
}

Ref lambda(Context& c) { return c.has(1) ? c.operand(1, c.dtype()) : c.scalar(0.5, c.dtype()); }

void hardshrink(Context& c) {
  const Ref x = c.tensor(0);
  c.result(c.where(c.compare("LessOrEqual", c.op("Abs", {x}), lambda(c)), c.number_like(0, x), x));
}

void softshrink(Context& c) {
  const Ref x = c.tensor(0);
  const Ref limit = lambda(c);
  const Ref shrunk = c.mul(c.op("Sign", {x}), c.sub(c.op("Abs", {x}), limit));
  c.result(c.where(c.compare("LessOrEqual", c.op("Abs", {x}), limit), c.number_like(0, x), shrunk));
}

// PyTorch compares halves with a number that is none.
void threshold(Context& c) {
  const Ref x = c.tensor(0);
  const DType compared = is_half(c.dtype()) ? DType::kFloat32 : c.dtype();
  c.result(c.where(
      c.op("LessOrEqual", {c.tensor(0, compared), c.operand(1, compared)}, {}, DType::kBool),
      c.operand(2, c.dtype()), x));
}

void glu(Context& c) {
  const int64_t axis = c.dim(c.has(1) ? c.constant(1) : -1, c.rank(0));
  const Ref x = c.tensor(0);
  const Refs halves = c.ops("Split", {x}, {{"axis", axis}, {"num_outputs", 2}}, {x.dtype, x.dtype});
  c.result(c.mul(halves.at(0), sigmoid(c, halves.at(1))));
}

// softmax(x, dim, dtype or half_to_float): the result's type says which.
void softmax_rule(Context& c) {
  const int64_t rank = c.rank(0);
  const int64_t axis = c.dim(c.constant(1), rank);
  c.result(softmax(c, c.tensor(0, c.dtype()), axis, rank));
}

void log_softmax(Context& c) {
  const int64_t rank = c.rank(0);
  const int64_t axis = c.dim(c.constant(1), rank);
  const Ref x = c.tensor(0, c.dtype());
  if (rank == 0) {
    return c.result(c.squeeze(c.op("LogSoftmax", {c.unsqueeze(x, {0})}, {{"axis", 0}}), {0}));
  }
  c.result(c.op("LogSoftmax", {x}, {{"axis", axis}}));
}

// Rows that are -inf everywhere become 0.
void safe_softmax(Context& c) {
  const int64_t rank = c.rank(0);
  const int64_t axis = c.dim(c.constant(1), rank);
  const Ref x = c.tensor(0, c.dtype());
  // Not the largest, which engines give as the least finite number.
  const Ref seen = c.compare("Less", c.number_like(-std::numeric_limits<double>::infinity(), x), x);
  const Ref any =
      rank == 0
          ? seen
          : c.cast(c.reduce("ReduceMax", c.cast(seen, DType::kInt32), {axis}, true), DType::kBool);
  c.result(c.where(any, softmax(c, x, axis, rank), c.number_like(0, x)));
}

constexpr Entry kActivationRules[] = {
    {"aten.relu", relu},
    {"aten.gelu", gelu},
    {"aten.silu", silu},
    {"aten.hardtanh aten.relu6", hardtanh},
    {"aten.hardsigmoid", hardsigmoid},
    {"aten.hardswish", hardswish},
    {"aten.leaky_relu", leaky_relu},
    {"aten.elu", elu},
    {"aten.selu", selu},
    {"aten.celu", celu},
    {"aten.softplus", softplus_rule},
    {"aten.mish", mish},
    {"aten.log_sigmoid aten.log_sigmoid_forward", log_sigmoid},
    {"aten.prelu aten._prelu_kernel", prelu},
    {"aten.tanhshrink", tanhshrink},
    {"aten.softsign", softsign},
    {"aten.hardshrink", hardshrink},
    {"aten.softshrink", softshrink},
    {"aten.threshold", threshold},
    {"aten.glu", glu},
    {"aten._softmax aten.softmax.int", softmax_rule},
    {"aten._log_softmax aten.log_softmax.int", log_softmax},
    {"aten._safe_softmax", safe_softmax},
};

}  // namespace

std::span<const Entry> activation_rules() { return kActivationRules; }

}  // namespace slipway::onnx
