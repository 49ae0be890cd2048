#include "onnx/ops/common.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "schema/operator_name.h"

namespace slipway::onnx {

std::string_view base_name(const Context& c) { return schema::base_name(c.node().op()); }

std::string_view overload_name(const Context& c) { return schema::overload_name(c.node().op()); }

namespace {

bool is_any(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return schema::matches(op, name); });
}

bool is_product(std::string_view op) {
  return is_any(
      op, {"aten.linear", "aten.mm", "aten.bmm", "aten.matmul", "aten.addmm", "aten.baddbmm",
           "aten._convolution", "aten.convolution", "aten.conv1d", "aten.conv2d", "aten.conv3d",
           "aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d"});
}

// `depth`: how many steps may follow, since paths may part again and again.
bool feeds_products(const Context& c, const ir::Value* value, bool is_scaled, int depth) {
  const auto& readers = c.readers(value);
  if (readers.empty() || depth == 0) return false;
  return std::all_of(readers.begin(), readers.end(), [&](const ir::Node* reader) {
    if (!reader) return false;
    if (is_product(reader->op())) return is_scaled;
    const bool scales = is_any(reader->op(), {"aten.mul", "aten.sub"});
    const bool moves =
        is_any(reader->op(), {"aten.t", "aten.permute", "aten.transpose", "aten.view",
                              "aten.reshape", "aten._unsafe_view", "aten.flatten"});
    if (!scales && !moves) return false;
    return feeds_products(c, reader->output(), is_scaled || scales, depth - 1);
  });
}

}  // namespace

bool feeds_products(const Context& c, const ir::Value* value, Scaled scaled) {
  constexpr int kMostSteps = 5;
  return feeds_products(c, value, scaled == Scaled::kMaybe, kMostSteps);
}

Ref truncate(Context& c, const Ref& x) {
  // What is rounded up to 0 is -0.0.
  return c.where(c.compare("Less", x, 0.0), c.op("Ceil", {x}), c.op("Floor", {x}));
}

Ref floor_divide(Context& c, const Ref& a, const Ref& b) {
  if (!is_floating_point(a.dtype)) {
    // The difference below may leave a small type.
    if (dtype_size(a.dtype) < dtype_size(DType::kInt32)) {
      return c.cast(floor_divide(c, c.cast(a, DType::kInt32), c.cast(b, DType::kInt32)), a.dtype);
    }
    // a - (a mod b), with the sign of b, is a multiple of b. Where the signs of a and b differ it
    // may leave the type, and the next multiple towards zero does not.
    const Ref zero = c.number_like(0, a);
    const Ref differs = c.op("Xor", {c.compare("Less", a, 0.0), c.compare("Less", b, 0.0)});
    const Ref rest = c.sub(c.op("Mod", {a, b}), c.where(differs, b, zero));
    return c.sub(c.div(c.sub(a, rest), b), c.where(differs, c.number_like(1, a), zero));
  }
  const Ref mod = c.op("Mod", {a, b}, {{"fmod", 1}});
  const Ref quotient = c.div(c.sub(a, mod), b);
  const Ref differs = c.op("Xor", {c.compare("Less", b, 0.0), c.compare("Less", mod, 0.0)});
  const Ref nonzero = c.logical_not(c.compare("Equal", mod, 0.0));
  const Ref below = c.where(c.op("And", {nonzero, differs}), c.sub(quotient, 1.0), quotient);
  const Ref floored = c.op("Floor", {below});
  const Ref nearest =
      c.where(c.compare("Greater", c.sub(below, floored), 0.5), c.add(floored, 1.0), floored);
  const Ref plain = c.div(a, b);
  return c.where(c.compare("Equal", b, 0.0), plain, nearest);
}

// tanh(x/2) * (exp(x) + 1): no digits cancel near 0.
Ref expm1(Context& c, const Ref& x) {
  return c.mul(c.op("Tanh", {c.mul(x, 0.5)}), c.add(c.op("Exp", {x}), 1.0));
}

// log(u) * (x / (u - 1)) with u = 1 + x corrects what the sum rounds away.
Ref log1p(Context& c, const Ref& x) {
  const Ref u = c.add(x, 1.0);
  const Ref is_one = c.compare("Equal", u, 1.0);
  const Ref is_infinite = c.compare("Equal", u, std::numeric_limits<double>::infinity());
  const Ref corrected = c.mul(c.op("Log", {u}), c.div(x, c.sub(u, 1.0)));
  return c.where(c.op("Or", {is_one, is_infinite}), x, corrected);
}

Ref softmax(Context& c, const Ref& x, int64_t axis, int64_t rank) {
  if (rank == 0) return c.squeeze(c.op("Softmax", {c.unsqueeze(x, {0})}, {{"axis", 0}}), {0});
  return c.op("Softmax", {x}, {{"axis", axis}});
}

bool stands_apart(Context& c, const ir::SymInt& inner) {
  return c.options().empty_products_apart && inner.bounds(c.ranges()).min.value_or(0) <= 0;
}

Ref product(Context& c, const Ref& y, const ir::SymInt& inner) {
  if (!stands_apart(c, inner)) return y;
  return c.where(c.compare("Greater", c.scalar_length(inner), 0.0), y, c.number_like(0, y));
}

Sizes tail(const Sizes& sizes, size_t start) {
  if (start > sizes.size()) throw std::out_of_range("tail");
  return {sizes.begin() + static_cast<std::ptrdiff_t>(start), sizes.end()};
}

std::vector<int64_t> iota(int64_t count, int64_t start) {
  std::vector<int64_t> result(static_cast<size_t>(count));
  std::iota(result.begin(), result.end(), start);
  return result;
}

std::vector<int64_t> repeated(std::vector<int64_t> list, size_t count) {
  if (list.size() == 1) list.resize(count, list.front());
  return list;
}

}  // namespace slipway::onnx
