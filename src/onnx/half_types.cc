// Half types computed in float32.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/core.h>

#include "base/half.h"
#include "onnx/context.h"
#include "onnx/ops/common.h"

namespace slipway::onnx {

namespace {

constexpr uint8_t kIsFloat16 = 1;
constexpr uint8_t kIsBFloat16 = 2;
constexpr uint8_t kIsBoth = kIsFloat16 | kIsBFloat16;

uint8_t bit_of(DType half) { return half == DType::kFloat16 ? kIsFloat16 : kIsBFloat16; }

double round_number(double value, DType half) {
  return round_to_half(static_cast<float>(value), half);
}

bool is_value_of(double value, DType half) {
  return std::isnan(value) || round_number(value, half) == value;
}

// Operators that compute with a number as it is given, beside tensors of a half type. All others
// round it first, as PyTorch's CPU kernels do.
bool keeps_numbers(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "mul",     "multiply", "div",  "true_divide", "divide", "floor_divide", "softplus",
      "addcmul", "addcdiv",  "lerp", "addmm",       "addmv",  "baddbmm",      "addbmm"};
  return kNames.contains(name);
}

bool adds_epsilon(std::string_view name) { return name.ends_with("_norm"); }

// Whether the results of an ONNX operator are among the values that it is given, or whole numbers
// no longer than these.
bool chooses_values(const Node& node) {
  static const std::set<std::string_view> kNames = {"Abs",
                                                    "Ceil",
                                                    "Clip",
                                                    "Concat",
                                                    "DepthToSpace",
                                                    "Expand",
                                                    "Flatten",
                                                    "Floor",
                                                    "Gather",
                                                    "GatherND",
                                                    "GatherElements",
                                                    "Identity",
                                                    "Max",
                                                    "MaxPool",
                                                    "Min",
                                                    "Neg",
                                                    "Pad",
                                                    "ReduceMax",
                                                    "ReduceMin",
                                                    "Relu",
                                                    "Reshape",
                                                    "Round",
                                                    "ScatterND",
                                                    "ScatterElements",
                                                    "Slice",
                                                    "Split",
                                                    "Squeeze",
                                                    "Tile",
                                                    "TopK",
                                                    "SpaceToDepth",
                                                    "Transpose",
                                                    "Trilu",
                                                    "Unsqueeze",
                                                    "Where"};
  if (!kNames.contains(node.op_type)) return false;
  return std::none_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
    return attribute.first == "reduction" && attribute.second != Attribute(std::string("none"));
  });
}

}  // namespace

bool Context::is_computed_wide(DType dtype) const { return is_wide_ && is_half(dtype); }

// Only numbers are looked at: the sums of layers are the engine's own.
bool Context::needs_float32() const {
  std::optional<DType> half;
  const auto look = [&](const ir::Value* value) {
    if (value->is_tensor() && is_half(value->dtype())) half = value->dtype();
  };
  for (const ir::Value* value : node_->outputs()) look(value);
  if (!half) return false;
  const std::string_view name = base_name(*this);
  const bool keeps = keeps_numbers(name);
  if (!keeps && !adds_epsilon(name)) return false;
  return std::any_of(node_->args().begin(), node_->args().end(), [&](const ir::Argument& argument) {
    if (const auto* value = std::get_if<ir::Value*>(&argument); value && *value) {
      const bool is_number = !(*value)->is_tensor() ||
                             ((*value)->rank() == 0 && is_floating_point((*value)->dtype()) &&
                              (*value)->dtype() != *half);
      return keeps && is_number;
    }
    const auto* real = std::get_if<double>(&argument);
    if (real && !keeps) return *real != 0 && round_number(*real, *half) == 0;
    if (real) return !is_value_of(*real, *half);
    const auto* integer = std::get_if<ir::SymInt>(&argument);
    if (!integer || !keeps) return false;
    const auto known = integer->constant();
    return !known || !is_value_of(static_cast<double>(*known), *half);
  });
}

Ref Context::widened(const Ref& x) {
  if (!is_computed_wide(x.dtype)) return x;
  Ref& wide = widened_[x.name];
  if (!wide.present()) {
    wide = convert(x, DType::kFloat32);
    pinned_.insert(wide.name);
  }
  return wide;
}

Ref Context::operand(size_t i, DType dtype) {
  const bool keeps = node_ && keeps_numbers(base_name(*this));
  const auto number = [&](double value) {
    if (!is_computed_wide(dtype)) return scalar(value, dtype);
    return scalar(keeps ? value : round_number(value, dtype), DType::kFloat32);
  };
  const ir::Argument& argument = arg(i);
  if (const auto* value = std::get_if<ir::Value*>(&argument); value && *value) {
    const bool is_number =
        !(*value)->is_tensor() || ((*value)->rank() == 0 && is_floating_point((*value)->dtype()));
    const bool stays = keeps && is_number && is_computed_wide(dtype);
    return cast(find(*value), stays ? DType::kFloat32 : dtype);
  }
  if (const auto* value = std::get_if<double>(&argument)) return number(*value);
  if (const auto* value = std::get_if<bool>(&argument)) {
    return scalar(static_cast<int64_t>(*value), dtype);
  }
  if (const auto* value = std::get_if<ir::SymInt>(&argument)) {
    if (auto known = value->constant()) {
      return is_computed_wide(dtype) ? number(static_cast<double>(*known)) : scalar(*known, dtype);
    }
    const Ref length = scalar_length(*value);
    return cast(length, keeps && is_computed_wide(dtype) ? DType::kFloat32 : dtype);
  }
  fail(fmt::format("argument {} is neither a tensor nor a real number", i));
  return scalar(int64_t{0}, dtype);
}

// Engines drop conversions to a half type and back, and what arithmetic of theirs is proven to be
// nothing, but not this. Adding and taking away 3 * 2^n rounds to a multiple of a power of two that
// n says; here it is the unit in the last place that the half type has for x, found by
// S. Rump's ufp(x) = |y - y * (1 - 2^-24)|, where y = x * (2^23 + 1). No product goes straight into
// a sum where one rounding less would matter, since engines join these.
Ref Context::rounded(const Ref& x, DType half) {
  if (const auto found = halves_.find(x.name);
      found != halves_.end() && (found->second & bit_of(half)) != 0) {
    return x;
  }
  if (!options_.round_halves || fused("Cast")) {
    Ref result = convert(convert(x, half), DType::kFloat32);
    halves_[result.name] = bit_of(half);
    return result;
  }
  const auto number = [&](double value) { return scalar(value, DType::kFloat32); };
  const auto unit = [&](double factor, double limit) {
    const Ref y = op("Clip", {mul(op("Abs", {x}), number(factor)), number(0), number(limit)});
    const Ref below = op("Max", {mul(y, number(1 - 0x1p-24)), number(0)});
    return sub(y, below);
  };
  Ref result;
  if (half == DType::kFloat16) {
    // Below 2^-14 the unit stays the same.
    const Ref place = op("Max", {unit(0x1p23 + 1, 0x1p41), number(0x1p-14)});
    const Ref shift = mul(place, number(0x1.8p13));
    const Ref sum = sub(add(x, shift), shift);
    // Zeros have their sign from x, and so have infinities, which begin at 65520.
    const Ref magnitude = op("Abs", {sum});
    const Ref bounded = op("Clip", {magnitude, number(0x1p-24), number(65504)});
    const Ref beyond = mul(x, mul(magnitude, number(0x1p112)));
    result = where(compare("Equal", bounded, magnitude), sum, beyond);
  } else {
    // All scaled down, so that only what becomes infinite leaves the range.
    const Ref shift = mul(unit(0.5 + 0x1p-24, 1.7e38), number(0x1.8p23));
    const Ref scaled = sub(add(mul(x, number(0x1p-17)), shift), shift);
    const Ref sum = mul(scaled, number(0x1p17));
    result = where(compare("Equal", sum, number(0)), x, sum);
  }
  halves_[result.name] = bit_of(half);
  return result;
}

void Context::note_halves(const Node& node, const Refs& inputs, const Refs& outputs) {
  uint8_t bits = 0;
  if (node.op_type == "Cast" && is_half(inputs.at(0).dtype)) {
    bits = bit_of(inputs.at(0).dtype);
  } else if (node.op_type == "Cast") {
    const DType from = inputs.at(0).dtype;
    const bool is_short = from == DType::kBool || from == DType::kInt8 || from == DType::kUInt8;
    if (is_short) bits = kIsBoth;
  } else if (node.op_type == "Sign") {
    bits = kIsBoth;
  } else if (chooses_values(node)) {
    bits = kIsBoth;
    for (const Ref& input : inputs) {
      if (!input.present() || input.dtype != DType::kFloat32) continue;
      const auto found = halves_.find(input.name);
      bits &= found == halves_.end() ? 0 : found->second;
    }
  }
  if (bits == 0) return;
  for (const Ref& output : outputs) {
    if (output.dtype == DType::kFloat32) halves_[output.name] = bits;
  }
}

void Context::note_number(const std::string& name, double value) {
  halves_[name] = static_cast<uint8_t>((is_value_of(value, DType::kFloat16) ? kIsFloat16 : 0) |
                                       (is_value_of(value, DType::kBFloat16) ? kIsBFloat16 : 0));
}

}  // namespace slipway::onnx
