// Activation functions.
#include <cmath>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;

Values silu(Context& c) {
  Value* x = c.tensor(0);
  return {c.build.mul(x, c.build.sigmoid(x))};
}

Value* sixth(Context& c, Value* x) {
  return c.build.div(c.build.clamp(c.build.add(x, 3.0), 0.0, 6.0), 6.0);
}

Values hardswish(Context& c) {
  Value* x = c.tensor(0);
  // In PyTorch's order: the division comes last.
  Value* gate = c.build.clamp(c.build.add(x, 3.0), 0.0, 6.0);
  return {c.build.div(c.build.mul(x, gate), 6.0)};
}

Value* softplus_of(Context& c, Value* x, double beta, double threshold) {
  Value* scaled = beta == 1.0 ? x : c.build.mul(x, beta);
  Value* soft = c.build.log1p(c.build.exp(scaled));
  if (beta != 1.0) soft = c.build.div(soft, beta);
  return c.build.where(c.build.gt(scaled, threshold), x, soft);
}

Values softplus(Context& c) {
  return {softplus_of(c, c.tensor(0), c.has(1) ? c.real(1) : 1.0, c.has(2) ? c.real(2) : 20.0)};
}

Values mish(Context& c) {
  Value* x = c.tensor(0);
  return {c.build.mul(x, c.build.tanh(softplus_of(c, x, 1.0, 20.0)))};
}

// One slope for all or for each channel, dimension 1.
Values prelu(Context& c) {
  Value* x = c.tensor(0);
  Value* weight = c.tensor(1);
  if (c.op() == "aten.prelu.default" && x->rank() != 2 && weight->rank() == 1 && x->rank() > 0) {
    std::vector<SymInt> sizes(x->sizes().size(), 1);
    if (x->rank() > 1) sizes.at(1) = weight->sizes().at(0);
    weight = c.build.view(weight, sizes);
  } else if (x->rank() == 0) {
    weight = c.build.view(weight, {});
  }
  return {c.build.where(c.build.gt(x, 0), x, c.build.mul(x, weight))};
}

Values celu(Context& c) {
  const double alpha = c.has(1) ? c.real(1) : 1.0;
  return {c.build.elu(c.tensor(0), alpha, 1.0, 1.0 / alpha)};
}

Values selu(Context& c) {
  return {c.build.elu(c.tensor(0), 1.6732632423543772848170429916717,
                      1.0507009873554804934193349852946, 1.0)};
}

// Bounds of the tensor's own kind, so that integers stay integers.
Values clamped(Context& c, double min, double max) {
  if (is_integral(c.dtype())) {
    return {c.build.clamp(c.tensor(0), SymInt(static_cast<int64_t>(min)),
                          SymInt(static_cast<int64_t>(max)))};
  }
  return {c.build.clamp(c.tensor(0), min, max)};
}

Values hardtanh(Context& c) {
  return clamped(c, c.has(1) ? c.real(1) : -1.0, c.has(2) ? c.real(2) : 1.0);
}

Values threshold(Context& c) {
  Value* x = c.tensor(0);
  return {c.build.masked_fill(x, c.build.le(x, c.scalar(1)), c.scalar(2))};
}

Values hardshrink(Context& c) {
  Value* x = c.tensor(0);
  const double lambda = c.has(1) ? c.real(1) : 0.5;
  return {c.build.masked_fill(x, c.build.le(c.build.abs(x), lambda), 0)};
}

// x * 0 within the band, so that a NaN stays one.
Values softshrink(Context& c) {
  Value* x = c.tensor(0);
  const double lambda = c.has(1) ? c.real(1) : 0.5;
  Value* beyond = c.build.sub(x, c.build.mul(c.build.sign(x), lambda));
  return {c.build.where(c.build.gt(c.build.abs(x), lambda), beyond, c.build.mul(x, 0.0))};
}

Value* log_sigmoid_of(Context& c, Value* x) {
  Value* zero = c.build.scalar_tensor(0.0, x->dtype());
  return c.build.sub(c.build.minimum(x, zero),
                     c.build.log1p(c.build.exp(c.build.neg(c.build.abs(x)))));
}

Values rrelu(Context& c) {
  // (self, noise, lower, upper, training) -> (result, noise), or without the noise.
  const bool has_noise = c.output_count() > 1;
  const size_t lower = has_noise ? 2 : 1;
  if (c.flag(lower + 2)) {
    return c.unsupported("it draws random numbers in training: export in eval mode");
  }
  const double slope = (c.real(lower) + c.real(lower + 1)) / 2;
  Values values = {c.build.leaky_relu(c.tensor(0), slope)};
  if (has_noise) values.push_back(c.tensor(1));
  return values;
}

// The kernel takes 0 times an infinite slope for 0, and refuses a slope that its type can't hold.
Values leaky_relu(Context& c) {
  if (!c.has(1) || std::isfinite(rounded_to(c.real(1), c.dtype()))) return {};
  Value* x = c.tensor(0);
  return {c.build.where(c.build.gt(x, 0), x, c.build.mul(x, c.real(1)))};
}

constexpr Entry kActivationRules[] = {
    {"aten.leaky_relu.default", leaky_relu},
    {"aten.silu.default", silu},
    {"aten.hardswish.default", hardswish},
    {"aten.hardsigmoid.default", [](Context& c) -> Values { return {sixth(c, c.tensor(0))}; }},
    {"aten.softplus.default", softplus},
    {"aten.mish.default", mish},
    {"aten.prelu.default aten._prelu_kernel.default", prelu},
    {"aten.celu.default", celu},
    {"aten.selu.default", selu},
    {"aten.hardtanh.default", hardtanh},
    {"aten.relu6.default", [](Context& c) { return clamped(c, 0.0, 6.0); }},
    {"aten.threshold.default", threshold},
    {"aten.hardshrink.default", hardshrink},
    {"aten.softshrink.default", softshrink},
    {"aten.log_sigmoid.default",
     [](Context& c) -> Values { return {log_sigmoid_of(c, c.tensor(0))}; }},
    {"aten.log_sigmoid_forward.default",
     [](Context& c) -> Values {
       return {log_sigmoid_of(c, c.tensor(0)), nullptr};
     }},
    {"aten.rrelu.default aten.rrelu_with_noise_functional.default", rrelu},
};

}  // namespace

std::span<const Entry> activation_rules() { return kActivationRules; }

}  // namespace slipway::passes::decompositions
