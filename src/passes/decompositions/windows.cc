// Max pooling by the greater of slices, since ExecuTorch's kernel of it forgets NaN.
#include "passes/decompositions/windows.h"

namespace slipway::passes::decompositions {

using ir::SymInt;
using ir::Value;

SymInt window_count(const SymInt& size, const SymInt& kernel, const SymInt& dilation,
                    const SymInt& padding, const SymInt& stride, bool ceil) {
  const SymInt room = size + padding + padding - dilation * (kernel - 1) - 1;
  if (!ceil) return SymInt::floordiv(room, stride) + 1;
  return SymInt::min(SymInt::floordiv(room + stride - 1, stride) + 1,
                     SymInt::floordiv(size + padding - 1, stride) + 1);
}

bool may_miss(Context& c, const SymInt& size, const SymInt& padding, const SymInt& dilation) {
  const auto least = c.bounds(size - dilation).min;
  return padding != SymInt(0) && dilation != SymInt(1) && (!least || *least < 0);
}

namespace {

using Sizes = std::vector<SymInt>;

bool may_miss(Context& c, const Value* x, const PoolWindows& w) {
  const Sizes image = last(x->sizes(), 2);
  return may_miss(c, image.at(0), w.padding.at(0), w.dilation.at(0)) ||
         may_miss(c, image.at(1), w.padding.at(1), w.dilation.at(1));
}

// What has no NaN, which the kernel forgets where it is not the first element of a window.
bool lacks_nan(const Value* x) {
  if (!is_floating_point(x->dtype())) return true;
  const ir::Node* node = x->producer();
  if (!node || node->op() != "aten.where.self" || !node->value(0)->producer()) return false;
  const ir::Node* condition = node->value(0)->producer();
  return condition->op() == "aten.isnan.default" && condition->value(0) == node->value(2);
}

// [C, H, W] or [N, C, H, W] as images of one channel each, and back: the kernel takes no images
// without channels, but none.
bool may_lack_channels(Context& c, const Value* x) {
  return c.may_be_empty(x->sizes().at(x->sizes().size() - 3));
}

// By the kernel, for which NaN becomes the least number.
Value* kernel_places(Context& c, Value* x, const PoolWindows& w, bool ceil) {
  const Sizes lead = without_last(x->sizes(), 2);
  const Sizes image = last(x->sizes(), 2);
  const bool one_channel = may_lack_channels(c, x);
  if (one_channel) x = c.build.view(x, {ir::numel(lead), 1, image.at(0), image.at(1)});
  if (!lacks_nan(x)) {
    x = c.build.where(c.build.isnan(x), c.build.full_like(x, lowest(x->dtype())), x);
  }
  Value* places =
      c.build.max_pool2d_with_indices(x, w.kernel, w.stride, w.padding, w.dilation, ceil).second;
  if (!one_channel) return places;
  Sizes sizes = lead;
  for (const SymInt& size : last(places->sizes(), 2)) sizes.push_back(size);
  return c.build.view(places, sizes);
}

// A place in a padded line as one of the line itself: PyTorch steps from padding to the first place
// of the window that is not.
Value* without_padding(Context& c, Value* place, const SymInt& padding, const SymInt& dilation) {
  Value* inside = c.build.sub(place, padding);
  return c.build.where(c.build.lt(inside, 0), c.build.remainder(inside, dilation), inside);
}

// The kernel gives 0 for a window of padding alone, PyTorch the place of its first element: there
// the image is padded first.
Value* places_without_nan(Context& c, Value* x, const PoolWindows& w, bool ceil) {
  if (!may_miss(c, x, w)) return kernel_places(c, x, w, ceil);
  if (ceil) {
    c.unsupported(
        "ceil_mode with windows that may hold padding alone is not covered where it gives indices: "
        "leave it out");
  }
  const SymInt width = last(x->sizes());
  const SymInt padded_width = width + w.padding.at(1) + w.padding.at(1);
  Value* padded = c.build.constant_pad_nd(
      x, {w.padding.at(1), w.padding.at(1), w.padding.at(0), w.padding.at(0)}, lowest(x->dtype()));
  Value* places = kernel_places(c, padded, {w.kernel, w.stride, {0, 0}, w.dilation}, ceil);
  Value* row = c.build.div_mode(places, padded_width, "floor");
  Value* column = c.build.sub(places, c.build.mul(row, padded_width));
  row = without_padding(c, row, w.padding.at(0), w.dilation.at(0));
  column = without_padding(c, column, w.padding.at(1), w.dilation.at(1));
  return c.build.add(c.build.mul(row, width), column);
}

// A longer window is the greater of two windows of half its length.
constexpr int64_t kMostSlices = 8;

// The greatest element of each window along one of the last two dimensions, 0 or 1: slices of all
// first elements, of all second ones, and so on. Unlike ExecuTorch's kernel of max pooling, which
// takes four times as long, `maximum` keeps NaN.
Value* greatest_along(Context& c, Value* x, int64_t which, const PoolWindows& w, bool ceil) {
  const int64_t dim = which - 2;
  const SymInt size = last(x->sizes(), 2).at(which);
  int64_t length = c.known(w.kernel.at(which), "the length of a window");
  const int64_t stride = c.known(w.stride.at(which), "the stride of windows");
  const int64_t padding = c.known(w.padding.at(which), "the padding of windows");
  const int64_t dilation = c.known(w.dilation.at(which), "the dilation of windows");
  const bool valid = length > 0 && stride > 0 && padding >= 0 && dilation > 0;
  const SymInt count =
      valid ? window_count(size, length, dilation, padding, stride, ceil) : SymInt(0);
  if (count.is_constant() && *count.constant() < 1) {
    c.unsupported("its windows do not fit what they move over");
    return x;
  }
  const SymInt behind = ceil ? SymInt(padding) + stride - 1 : SymInt(padding);
  if (behind != SymInt(0)) {
    Sizes pad = {padding, behind};
    if (which == 0) pad.insert(pad.begin(), {0, 0});
    x = c.build.constant_pad_nd(x, pad, lowest(x->dtype()));
  }
  for (; length > kMostSlices; length -= length / 2) {
    const SymInt shift = SymInt(dilation) * (length / 2);
    const SymInt rest = last(x->sizes(), 2).at(which) - shift;
    x = c.build.maximum(c.build.narrow(x, dim, 0, rest), c.build.narrow(x, dim, shift, rest));
  }
  Value* greatest = nullptr;
  for (int64_t i = 0; i < length; ++i) {
    const SymInt start = SymInt(dilation) * i;
    Value* part = c.build.slice(x, dim, start, start + (count - 1) * stride + 1, stride);
    greatest = greatest ? c.build.maximum(greatest, part) : part;
  }
  return greatest;
}

}  // namespace

Value* greatest_in_windows(Context& c, Value* x, const PoolWindows& w, bool ceil) {
  // Rows first, of which fewer are left for the columns.
  return greatest_along(c, greatest_along(c, x, 0, w, ceil), 1, w, ceil);
}

Value* mark_nan(Context& c, Value* x, size_t dims) {
  auto& b = c.build;
  const Sizes picture = last(x->sizes(), dims);
  Value* counted = b.view(b.add(b.arange(ir::numel(picture)), 1), picture);
  return b.where(b.isnan(x), counted, b.full_like(x, 0, DType::kInt64));
}

Value* unless_marked(Context& c, Value* marks, Value* places) {
  return c.build.where(c.build.gt(marks, 0), c.build.sub(marks, 1), places);
}

Pooled max_pool(Context& c, Value* x, const PoolWindows& w, bool ceil) {
  Value* values = greatest_in_windows(c, x, w, ceil);
  Value* places = places_without_nan(c, x, w, ceil);
  if (lacks_nan(x)) return {values, places};
  Value* marks = greatest_in_windows(c, mark_nan(c, x, 2), w, ceil);
  return {values, unless_marked(c, marks, places)};
}

bool kernel_takes_max_pool(Context& c, const Value* x, const PoolWindows& w) {
  return lacks_nan(x) && !may_miss(c, x, w) && !may_lack_channels(c, x);
}

}  // namespace slipway::passes::decompositions
