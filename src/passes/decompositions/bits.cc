// The bytes of a tensor's elements as elements of another type.
#include <fmt/core.h>

#include "passes/decompositions/complex_parts.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

Value* shift(Context& c, const char* op, Value* x, Value* bits) {
  Sizes sizes = x->sizes();
  sizes.at(sizes.size() - 1) = bits->sizes().at(0);
  return c.build.call(op, {x, bits}, x->dtype(), sizes);
}

// How many bits the `count` parts of `size` bytes are from the lowest one.
Value* places(Context& c, int64_t count, int64_t size, DType dtype) {
  return c.build.mul(c.build.arange(SymInt(count), dtype), SymInt(8 * size));
}

// An integer as smaller ones, from the lowest byte on.
Value* in_parts(Context& c, Value* x, DType to) {
  const auto size = static_cast<int64_t>(dtype_size(to));
  const int64_t count = static_cast<int64_t>(dtype_size(x->dtype())) / size;
  Value* shifted = shift(c, "aten.bitwise_right_shift.Tensor", c.build.unsqueeze(x, -1),
                         places(c, count, size, x->dtype()));
  return c.build.view(c.build.to_dtype(shifted, to), c.sizes());
}

// And back: a number without sign from each part, at its place.
Value* of_parts(Context& c, Value* x, DType to) {
  const auto size = static_cast<int64_t>(dtype_size(x->dtype()));
  const int64_t count = static_cast<int64_t>(dtype_size(to)) / size;
  Sizes sizes = c.sizes();
  sizes.emplace_back(count);
  x = c.build.to_dtype(c.build.view(x, sizes), to);
  x = c.build.call("aten.bitwise_and.Scalar", {x, SymInt((int64_t{1} << (8 * size)) - 1)}, to,
                   sizes);
  x = shift(c, "aten.bitwise_left_shift.Tensor", x, places(c, count, size, to));
  return c.build.sum(x, {-1}, false, to);
}

// (self, dtype)
Values bits(Context& c) {
  Value* x = c.tensor(0);
  const DType from = x->dtype();
  const DType to = c.dtype();
  if (from == to) return {x};
  if (is_complex(from) && part_type(from) == to) return {c.build.view(parts(c, x), c.sizes())};
  if (is_complex(to) && part_type(to) == from) {
    Sizes sizes = c.sizes();
    sizes.emplace_back(2);
    x = c.build.view(x, sizes);
    return {complex_from(c, c.build.select(x, -1, 0), c.build.select(x, -1, 1))};
  }
  const bool is_byte = to == DType::kUInt8 || to == DType::kInt8;
  if (from == DType::kBool && is_byte) return {c.build.to_dtype(x, to)};
  if (is_integral(from) && is_integral(to)) {
    if (dtype_size(from) == dtype_size(to)) return {c.build.to_dtype(x, to)};
    return {dtype_size(from) > dtype_size(to) ? in_parts(c, x, to) : of_parts(c, x, to)};
  }
  return c.unsupported(
      fmt::format("no kernel reads the bits of {} as {}, which is done for integers and for the "
                  "parts of complex numbers: view the tensor outside of the exported module and "
                  "pass both in, or convert it by .to()",
                  dtype_name(from), dtype_name(to)));
}

constexpr Entry kBitRules[] = {{"aten.view.dtype aten.view_copy.dtype", bits}};

}  // namespace

std::span<const Entry> bit_rules() { return kBitRules; }

}  // namespace slipway::passes::decompositions
