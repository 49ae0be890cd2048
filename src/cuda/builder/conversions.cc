// Changes of the element type.
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cuda/builder/layout.h"
#include "cuda/builder/rule.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

using Elements = std::vector<std::string>;

// From real numbers to integers as x86-64 does it, by way of 32 or 64 bits.
std::string to_integer(const std::string& x, DType to) {
  const bool is_wide = to == DType::kInt64 || to == DType::kUInt64 || to == DType::kUInt32;
  return fmt::format("({}){}({})", c_type(to), is_wide ? "s_to_int64" : "s_to_int32", x);
}

std::string converted(const std::string& x, DType from, DType to) {
  if (from == to) return x;
  if (to == DType::kBool) return fmt::format("({} != 0)", x);
  if (is_half(to)) return fmt::format("(float){}", x);  // is rounded where it is read
  if (is_floating_point(from) && !is_floating_point(to)) return to_integer(x, to);
  return fmt::format("({}){}", c_type(to), x);
}

void cast(Rule& r) {
  Value* x = &r.input(0);
  const DType from = x->dtype;
  const DType to = r.dtype();
  if (x->ints && to == DType::kInt64) return void(r.define_integers(0, x->sizes, *x->ints));
  if (x->scaled && to == DType::kInt64) {
    const auto& [size, factor] = *x->scaled;
    return void(r.define_integers(0, x->sizes, {SymInt::scale(size, factor)}));
  }
  Value& y = r.define_pointwise({x}, 1, [=](Kernel&, const Elements& elements) {
    return converted(elements.front(), from, to);
  });
  y.is_cast = true;
  y.makes_floats = is_floating_point(to);
  if (x->ints && x->ints->size() == 1 && to == DType::kFloat64) y.scaled = {x->ints->front(), 1};
  const bool is_same =
      from == to || (y.narrow && is_half(from)) || (is_half(to) && x->narrow == to);
  if (is_same) keep_view(y, x);
}

size_t quantized_axis(Rule& r, const Value& x) {
  if (r.input(1).sizes.empty()) return 0;
  return r.axis(r.attribute("axis", int64_t{1}), x.sizes.size());
}

// Scales or zero points, one or one for each element of a dimension, as a value that is broadcast
// to `rank` dimensions.
Value* broadcast_along(Rule& r, Value* numbers, size_t axis, size_t rank) {
  if (numbers->sizes.empty()) return numbers;
  settle(r.generator(), {numbers}, {numbers});
  Value& y = r.generator().value(fmt::format("{} along {} of {}", numbers->name, axis, rank));
  y.dtype = numbers->dtype;
  y.sizes.assign(rank, 1);
  y.sizes.at(axis) = numbers->sizes.front();
  y.define = [=](Kernel& k, const Indices& at) { return k.read(*numbers, {at.at(axis)}); };
  y.moved = numbers;
  y.move = [from = numbers->sizes, to = y.sizes](const View& view) {
    return reshaped(view, from, to);
  };
  return &y;
}

// What is quantized or dequantized, its scales and, where it has any, its zero points.
std::vector<Value*> quantized_operands(Rule& r) {
  Value& x = r.input(0);
  const size_t rank = x.sizes.size();
  const size_t axis = quantized_axis(r, x);
  std::vector<Value*> operands = {&x, broadcast_along(r, &r.input(1), axis, rank)};
  if (r.has(2)) operands.push_back(broadcast_along(r, &r.input(2), axis, rank));
  return operands;
}

void quantize(Rule& r) {
  const DType to = r.dtype();
  int64_t min = 0;
  int64_t max = 255;
  if (to == DType::kInt8) {
    min = -128;
    max = 127;
  } else if (to != DType::kUInt8) {
    return r.fail(fmt::format("it quantizes to {}", dtype_name(to)));
  }
  r.define_pointwise(quantized_operands(r), 6, [=](Kernel&, const Elements& x) {
    // PyTorch multiplies by the inverse.
    std::string steps = fmt::format("s_rint({} * (1.0f / {}))", x.at(0), x.at(1));
    if (x.size() > 2) steps = fmt::format("({} + (float){})", steps, x[2]);
    return fmt::format("({})s_to_int32(s_min(s_max({}, {}.0f), {}.0f))", c_type(to), steps, min,
                       max);
  });
}

void dequantize(Rule& r) {
  const DType to = r.dtype();
  Value& y = r.define_pointwise(quantized_operands(r), 2, [=](Kernel&, const Elements& x) {
    std::string steps = fmt::format("({}){}", c_type(to), x.at(0));
    if (x.size() > 2) steps = fmt::format("({} - ({}){})", steps, c_type(to), x[2]);
    return fmt::format("({} * {})", steps, x.at(1));
  });
  y.makes_floats = true;
}

constexpr Entry kConversionRules[] = {
    {"Cast", cast},
    {"Identity", keep_elements},
    {"QuantizeLinear", quantize},
    {"DequantizeLinear", dequantize},
};

}  // namespace

std::span<const Entry> conversion_rules() { return kConversionRules; }

}  // namespace slipway::cuda
