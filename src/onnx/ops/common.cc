#include "onnx/ops/common.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace slipway::onnx {

std::string_view base_name(const Context& c) {
  std::string_view op = c.node().op();
  op.remove_prefix(op.find('.') + 1);
  return op.substr(0, op.find('.'));
}

std::string_view overload_name(const Context& c) {
  std::string_view op = c.node().op();
  return op.substr(op.rfind('.') + 1);
}

namespace {

bool is_any(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return op.starts_with(name) && (op.size() == name.size() || op[name.size()] == '.');
  });
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
    if (!scales && !is_any(reader->op(), {"aten.t", "aten.permute", "aten.transpose"}))
      return false;
    return feeds_products(c, reader->output(), is_scaled || scales, depth - 1);
  });
}

}  // namespace

bool feeds_products(const Context& c, const ir::Value* value, Scaled scaled) {
  constexpr int kMostSteps = 5;
  return feeds_products(c, value, scaled == Scaled::kMaybe, kMostSteps);
}

Ref truncate(Context& c, const Ref& x) {
  return c.mul(c.op("Sign", {x}), c.op("Floor", {c.op("Abs", {x})}));
}

// log(u) * x / (u - 1) with u = 1 + x corrects what the sum rounds away.
Ref log1p(Context& c, const Ref& x) {
  const Ref u = c.add(x, 1.0);
  const Ref is_one = c.compare("Equal", u, 1.0);
  const Ref is_infinite = c.compare("Equal", u, std::numeric_limits<double>::infinity());
  const Ref corrected = c.div(c.mul(c.op("Log", {u}), x), c.sub(u, 1.0));
  return c.where(c.op("Or", {is_one, is_infinite}), x, corrected);
}

Ref softmax(Context& c, const Ref& x, int64_t axis, int64_t rank) {
  if (rank == 0) return c.squeeze(c.op("Softmax", {c.unsqueeze(x, {0})}, {{"axis", 0}}), {0});
  return c.op("Softmax", {x}, {{"axis", axis}});
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
