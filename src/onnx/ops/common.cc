#include "onnx/ops/common.h"

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
