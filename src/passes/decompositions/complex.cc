// Complex numbers as far as the kernels go: what is read off them, and how they are made of real
// ones.
#include <cmath>

#include "passes/decompositions/complex_parts.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

DType part_type(DType complex) {
  return complex == DType::kComplex128 ? DType::kFloat64 : DType::kFloat32;
}

DType complex_of(DType real) {
  return real == DType::kFloat64 ? DType::kComplex128 : DType::kComplex64;
}

Value* parts(Context& c, Value* x) {
  Sizes sizes = x->sizes();
  sizes.emplace_back(2);
  return c.build.call("aten.view_as_real_copy.default", {x}, part_type(x->dtype()), sizes);
}

Value* part(Context& c, Value* x, int64_t i) { return c.build.select(parts(c, x), -1, i); }

// No kernel makes a complex number of two, but the transform of four real numbers a, 0, 0, b has
// a - 0 + (b - 0)i as its second entry, exactly.
Value* complex_from(Context& c, Value* real, Value* imaginary) {
  const int64_t rank = real->rank();
  Value* first = c.build.unsqueeze(real, rank);
  Value* zero = c.build.full_like(first, 0);
  Value* four = c.build.cat({first, zero, zero, c.build.unsqueeze(imaginary, rank)}, rank);
  Sizes sizes = real->sizes();
  sizes.emplace_back(3);
  Value* transformed =
      c.build.call("aten._fft_r2c.default", {four, Sizes{SymInt(rank)}, SymInt(0), true},
                   complex_of(real->dtype()), sizes);
  return c.build.select(transformed, -1, 1);
}

namespace {

Values absolute(Context& c) {
  Value* x = c.tensor(0);
  if (!is_complex(x->dtype())) {
    // The kernel leaves -0.0 as it is, unless 0 was added to it.
    if (!is_floating_point(x->dtype()) || adds_zero(x)) return {};
    return {c.build.abs(c.build.add(x, 0.0))};
  }
  return {c.build.call("aten.hypot.default", {part(c, x, 0), part(c, x, 1)}, c.dtype(), c.sizes())};
}

Values angle(Context& c) {
  Value* x = c.tensor(0);
  if (is_complex(x->dtype())) return {c.build.atan2(part(c, x, 1), part(c, x, 0))};
  x = c.build.to_dtype(x, c.dtype());
  Value* turned = c.build.masked_fill(c.build.full_like(x, 0.0), c.build.lt(x, 0), std::acos(-1.0));
  return {c.build.where(c.build.isnan(x), x, turned)};
}

Values real(Context& c) {
  Value* x = c.tensor(0);
  return {is_complex(x->dtype()) ? part(c, x, 0) : x};
}

constexpr Entry kComplexRules[] = {
    {"aten.abs.default", absolute},
    {"aten.angle.default", angle},
    {"aten.real.default", real},
    {"aten.imag.default", [](Context& c) -> Values { return {part(c, c.tensor(0), 1)}; }},
    {"aten.view_as_real.default", [](Context& c) -> Values { return {parts(c, c.tensor(0))}; }},
};

}  // namespace

std::span<const Entry> complex_rules() { return kComplexRules; }

}  // namespace slipway::passes::decompositions
