// Pooling, and the sliding windows of unfold and fold.
#include <utility>

#include "passes/decompositions/registry.h"
#include "passes/decompositions/windows.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// One number stands for every dimension, none for the fallback's.
Sizes for_each_dim(const Sizes& list, size_t count, const Sizes& fallback) {
  if (list.empty()) return fallback;
  return list.size() == 1 ? Sizes(count, list.at(0)) : list;
}

// The dimension before the last, of size 1, makes images of lines.
Value* as_images(Context& c, Value* x) { return c.build.unsqueeze(x, -2); }

// (self, kernel, stride, padding[, dilation])
PoolWindows windows(Context& c, size_t n, bool dilated) {
  PoolWindows w;
  w.kernel = for_each_dim(c.integers(1), n, {});
  if (w.kernel.size() != n) c.unsupported("its kernel size is inconsistent");
  w.kernel.resize(n, 1);
  w.stride = for_each_dim(c.has(2) ? c.integers(2) : Sizes(), n, w.kernel);
  w.padding = for_each_dim(c.has(3) ? c.integers(3) : Sizes(), n, Sizes(n, 0));
  w.dilation = for_each_dim(dilated && c.has(4) ? c.integers(4) : Sizes(), n, Sizes(n, 1));
  return w;
}

bool is_complete(Context& c, std::initializer_list<size_t> lists) {
  for (const size_t i : lists) {
    if (!c.has(i) || c.integers(i).size() != 2) return false;
  }
  return true;
}

Values max_pool2d(Context& c) {
  const PoolWindows w = windows(c, 2, true);
  Value* x = c.tensor(0);
  const bool ceil = c.flag(5);
  if (c.output_count() == 1) return {greatest_in_windows(c, x, w, ceil)};
  if (is_complete(c, {1, 2, 3, 4}) && kernel_takes_max_pool(c, x, w)) return {};
  const auto [values, places] = max_pool(c, x, w, ceil);
  return {values, places};
}

Values max_pool1d(Context& c) {
  const PoolWindows w = windows(c, 1, true);
  const auto [values, indices] = max_pool(
      c, as_images(c, c.tensor(0)),
      {{1, w.kernel.at(0)}, {1, w.stride.at(0)}, {0, w.padding.at(0)}, {1, w.dilation.at(0)}},
      c.flag(5));
  Values results = {c.build.squeeze(values, -2)};
  if (c.output_count() > 1) results.push_back(c.build.squeeze(indices, -2));
  return results;
}

// [N, C, D, H, W] or [C, D, H, W]: first over the planes, then over the depth.
template <class Pool>
Pooled in_two_steps(Context& c, Value* x, Pool pool) {
  auto& b = c.build;
  const Sizes lead = without_last(x->sizes(), 3);
  const Sizes s = last(x->sizes(), 3);
  const SymInt images = ir::numel(lead);
  const Pooled planes = pool(b.view(x, {images, s.at(0), s.at(1), s.at(2)}), false);
  const Sizes plane = last(planes.first->sizes(), 2);
  const Sizes as_lines = {images, 1, s.at(0), ir::numel(plane)};
  Pooled pooled = pool(b.view(planes.first, as_lines), true);
  Sizes sizes = lead;
  sizes.push_back(pooled.first->sizes().at(2));
  sizes.insert(sizes.end(), plane.begin(), plane.end());
  if (planes.second) {
    Value* depth = b.div_mode(pooled.second, ir::numel(plane), "floor");
    Value* within = b.gather(b.view(planes.second, as_lines), 2, depth);
    pooled.second = b.view(b.add(b.mul(depth, s.at(1) * s.at(2)), within), sizes);
  }
  return {b.view(pooled.first, sizes), pooled.second};
}

Values max_pool3d(Context& c) {
  const PoolWindows w = windows(c, 3, true);
  const bool ceil = c.flag(5);
  const SymInt depth_size = last(c.tensor(0)->sizes(), 3).at(0);
  if (c.output_count() > 1 && may_miss(c, depth_size, w.padding.at(0), w.dilation.at(0))) {
    return c.unsupported(
        "windows that may hold padding alone along the depth have no place: leave the indices out, "
        "or give the depth a least size");
  }
  const auto [values, indices] = in_two_steps(c, c.tensor(0), [&](Value* x, bool depth) {
    const PoolWindows part = depth ? PoolWindows{{w.kernel.at(0), 1},
                                                 {w.stride.at(0), 1},
                                                 {w.padding.at(0), 0},
                                                 {w.dilation.at(0), 1}}
                                   : PoolWindows{{w.kernel.at(1), w.kernel.at(2)},
                                                 {w.stride.at(1), w.stride.at(2)},
                                                 {w.padding.at(1), w.padding.at(2)},
                                                 {w.dilation.at(1), w.dilation.at(2)}};
    return max_pool(c, x, part, ceil);
  });
  return c.output_count() == 1 ? Values{values} : Values{values, indices};
}

Values avg_pool2d(Context& c) {
  if (is_complete(c, {1, 2, 3})) return {};
  const PoolWindows w = windows(c, 2, false);
  std::optional<int64_t> divisor;
  if (c.has(6)) divisor = c.constant(6);
  return {c.build.avg_pool2d(c.tensor(0), w.kernel, w.stride, w.padding, c.flag(4), c.flag(5),
                             divisor)};
}

Values avg_pool1d(Context& c) {
  const PoolWindows w = windows(c, 1, false);
  Value* pooled =
      c.build.avg_pool2d(as_images(c, c.tensor(0)), {1, w.kernel.at(0)}, {1, w.stride.at(0)},
                         {0, w.padding.at(0)}, c.flag(4), c.flag(5), std::nullopt);
  return {c.build.squeeze(pooled, -2)};
}

Value* avg_pool3d_of(Context& c, Value* x, const PoolWindows& w, std::optional<int64_t> divisor) {
  const auto pool = [&](Value* part, const Sizes& kernel, const Sizes& stride,
                        const Sizes& padding) {
    return Pooled(c.build.avg_pool2d(part, kernel, stride, padding, c.flag(4), c.flag(5), divisor),
                  nullptr);
  };
  const auto in_step = [&](Value* part, bool depth) {
    return depth ? pool(part, {w.kernel.at(0), 1}, {w.stride.at(0), 1}, {w.padding.at(0), 0})
                 : pool(part, last(w.kernel, 2), last(w.stride, 2), last(w.padding, 2));
  };
  return in_two_steps(c, x, in_step).first;
}

// A window's count is the product of its counts along the dimensions, so averages of averages are
// right, padding or not. Integers, which are rounded, and what has a divisor of its own are summed
// and divided once.
Values avg_pool3d(Context& c) {
  const PoolWindows w = windows(c, 3, false);
  Value* x = c.tensor(0);
  if (is_floating_point(c.dtype())) {
    if (!c.has(6)) return {avg_pool3d_of(c, x, w, std::nullopt)};
    return {c.build.div(avg_pool3d_of(c, x, w, 1), SymInt(c.constant(6)))};
  }
  Value* sum = avg_pool3d_of(c, x, w, 1);
  if (c.has(6)) return {c.build.div_mode(sum, SymInt(c.constant(6)), "trunc")};
  if (!c.flag(5)) {
    Value* count = avg_pool3d_of(c, c.build.full_like(x, SymInt(1)), w, 1);
    return {c.build.div_mode(sum, count, "trunc")};
  }
  if (c.flag(4)) {
    return c.unsupported(
        "averages of integers with ceil_mode and count_include_pad are not covered: convert to "
        "float32 before and round after");
  }
  return {c.build.div_mode(sum, ir::numel(w.kernel), "trunc")};
}

// Part of a dimension.
struct Span {
  SymInt start;
  SymInt length;
};

// PyTorch's `count` windows of uneven widths; none after unsupported().
std::vector<Span> adaptive_windows(Context& c, const SymInt& whole, const SymInt& count) {
  if (count == SymInt(1)) return {{0, whole}};
  const int64_t size = c.known(whole, "the size of a pooled dimension");
  const int64_t windows = c.known(count, "the number of windows");
  if (!c.may_unroll(windows, "windows along a dimension",
                    "pool by windows of one width, or parts of the dimension by themselves")) {
    return {};
  }
  std::vector<Span> spans;
  for (int64_t i = 0; i < windows; ++i) {
    const int64_t start = i * size / windows;
    const int64_t end = ((i + 1) * size + windows - 1) / windows;
    spans.push_back({start, end - start});
  }
  return spans;
}

// What `reduce` makes of each of `count` windows along a dimension.
template <class Reduce>
Value* adaptively(Context& c, Value* x, int64_t dim, const SymInt& count, Reduce reduce) {
  dim = c.dim(dim, x->rank());
  if (x->sizes().at(dim) == count) return x;
  if (count == SymInt(1)) return reduce(x, dim);
  std::vector<Value*> parts;
  for (const Span& span : adaptive_windows(c, x->sizes().at(dim), count)) {
    parts.push_back(reduce(c.build.narrow(x, dim, span.start, span.length), dim));
  }
  return parts.empty() ? x : c.build.cat(parts, dim);
}

Value* adaptive_greatest(Context& c, Value* x, int64_t dim, const SymInt& count) {
  return adaptively(c, x, dim, count, [&](Value* window, int64_t along) {
    return c.build.amax(window, {along}, true);
  });
}

Value* adaptive_average(Context& c, Value* x, const Sizes& output) {
  const int64_t rank = x->rank();
  if (x->sizes().at(rank - 2) == output.at(0) && x->sizes().at(rank - 1) == output.at(1)) return x;
  if (output.at(0) == SymInt(1) && output.at(1) == SymInt(1))
    return c.build.mean(x, {-2, -1}, true);
  if (x->dtype() != DType::kFloat64) return c.build.adaptive_avg_pool2d(x, output);
  // The kernel adds in float32.
  for (int64_t i = 0; i < 2; ++i) {
    x = adaptively(c, x, i - 2, output.at(i), [&](Value* window, int64_t along) {
      return c.build.mean(window, {along}, true);
    });
  }
  return x;
}

Values adaptive_avg_pool1d(Context& c) {
  Value* pooled = adaptive_average(c, as_images(c, c.tensor(0)), {1, last(c.sizes())});
  return {c.build.squeeze(pooled, -2)};
}

Values adaptive_avg_pool2d(Context& c) {
  const Sizes output = last(c.sizes(), 2);
  if (c.op() == "aten._adaptive_avg_pool2d.default" && c.dtype() != DType::kFloat64 &&
      !(output.at(0) == SymInt(1) && output.at(1) == SymInt(1))) {
    return {};
  }
  return {adaptive_average(c, c.tensor(0), output)};
}

Values adaptive_avg_pool3d(Context& c) {
  const Sizes output = last(c.sizes(), 3);
  const auto in_step = [&](Value* x, bool depth) {
    const Sizes size =
        depth ? Sizes{output.at(0), x->sizes().at(3)} : Sizes{output.at(1), output.at(2)};
    return Pooled(adaptive_average(c, x, size), nullptr);
  };
  return {in_two_steps(c, c.tensor(0), in_step).first};
}

// Where the greatest elements lie in the pictures of the last n dimensions. Along the last one
// first: of equal ones, the first in the picture counts.
Value* adaptive_places(Context& c, int64_t n) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  const int64_t rank = x->rank();
  Value* places = b.full_like(x, 0, DType::kInt64);
  SymInt stride = 1;
  for (int64_t d = rank - 1; d >= rank - n; --d) {
    const SymInt size = x->sizes().at(d);
    const SymInt count = c.sizes().at(d);
    std::vector<Value*> values;
    std::vector<Value*> parts;
    if (size == count) {
      Sizes along(rank, 1);
      along.at(d) = size;
      values = {x};
      parts = {b.add(places, b.view(b.mul(b.arange(size), stride), along))};
    } else {
      for (const Span& span : adaptive_windows(c, size, count)) {
        const auto [greatest, at] = b.max_dim(b.narrow(x, d, span.start, span.length), d, true);
        Value* before = b.gather(b.narrow(places, d, span.start, span.length), d, at);
        values.push_back(greatest);
        parts.push_back(b.add(before, b.mul(b.add(at, span.start), stride)));
      }
    }
    if (parts.empty()) return nullptr;
    x = b.cat(values, d);
    places = b.cat(parts, d);
    stride = stride * size;
  }
  return places;
}

Value* adaptive_greatest_of(Context& c, Value* x, int64_t n) {
  for (int64_t d = -n; d < 0; ++d) {
    x = adaptive_greatest(c, x, d, c.sizes().at(c.sizes().size() + d));
  }
  return x;
}

Values adaptive_max_pool(Context& c, int64_t n) {
  Value* x = c.tensor(0);
  Value* places = adaptive_places(c, n);
  if (places && is_floating_point(x->dtype())) {
    places = unless_marked(c, adaptive_greatest_of(c, mark_nan(c, x, n), n), places);
  }
  return {adaptive_greatest_of(c, x, n), places};
}

// Where the windows are of one width they are plain ones, whose kernel gives indices too.
Values adaptive_max_pool2d(Context& c) {
  Value* x = c.tensor(0);
  const Sizes output = last(c.sizes(), 2);
  const Sizes input = last(x->sizes(), 2);
  const auto even = [](const SymInt& size, const SymInt& count) {
    return size.constant() && count.constant() && *count.constant() > 0 &&
           *size.constant() % *count.constant() == 0;
  };
  if (even(input.at(0), output.at(0)) && even(input.at(1), output.at(1))) {
    const Sizes kernel = {SymInt::floordiv(input.at(0), output.at(0)),
                          SymInt::floordiv(input.at(1), output.at(1))};
    const auto [values, places] = max_pool(c, x, {kernel, kernel, {0, 0}, {1, 1}}, false);
    return {values, places};
  }
  return adaptive_max_pool(c, 2);
}

// Whether a kernel has few enough places for nodes of their own.
bool is_small_kernel(Context& c, const std::vector<int64_t>& kernel) {
  const SymInt places = SymInt(kernel.at(0)) * SymInt(kernel.at(1));
  return c.may_unroll(places.constant().value_or(INT64_MAX), "places of its kernel",
                      "use a smaller kernel, or write the sum over windows as a convolution");
}

// (self, kernel, dilation, padding, stride): the windows of an image as columns, by one slice for
// each place of the kernel.
Values im2col(Context& c) {
  Value* x = c.tensor(0);
  const bool single = x->rank() == 3;
  if (single) x = c.build.unsqueeze(x, 0);
  const auto kernel = c.constants(1);
  const Sizes dilation = for_each_dim(c.integers(2), 2, {1, 1});
  const Sizes padding = for_each_dim(c.integers(3), 2, {0, 0});
  const Sizes stride = for_each_dim(c.integers(4), 2, {1, 1});
  if (kernel.size() != 2) return c.unsupported("its kernel size is inconsistent");
  if (!is_small_kernel(c, kernel)) return {};
  const Sizes s = x->sizes();
  const SymInt rows =
      window_count(s.at(2), kernel.at(0), dilation.at(0), padding.at(0), stride.at(0));
  const SymInt columns =
      window_count(s.at(3), kernel.at(1), dilation.at(1), padding.at(1), stride.at(1));
  x = c.build.constant_pad_nd(x, {padding.at(1), padding.at(1), padding.at(0), padding.at(0)});
  std::vector<Value*> parts;
  for (int64_t i = 0; i < kernel.at(0); ++i) {
    for (int64_t j = 0; j < kernel.at(1); ++j) {
      const SymInt top = dilation.at(0) * SymInt(i);
      const SymInt left = dilation.at(1) * SymInt(j);
      Value* part = c.build.slice(x, 2, top, top + (rows - 1) * stride.at(0) + 1, stride.at(0));
      part = c.build.slice(part, 3, left, left + (columns - 1) * stride.at(1) + 1, stride.at(1));
      parts.push_back(c.build.view(part, {s.at(0), s.at(1), rows * columns}));
    }
  }
  return {c.build.view(c.build.stack(parts, 2), c.sizes())};
}

// (self, indices, output_size, ...): each element goes to its place in the picture of its channel.
Values max_unpool(Context& c, int64_t dims) {
  Value* x = c.tensor(0);
  const Sizes before = without_last(x->sizes(), dims);
  const auto as_rows = [&](Value* tensor) {
    return c.build.view(tensor, {ir::numel(before), ir::numel(last(tensor->sizes(), dims))});
  };
  Value* places = as_rows(c.build.to_dtype(c.tensor(1), DType::kInt64));
  Value* empty = c.build.zeros({ir::numel(before), ir::numel(last(c.sizes(), dims))}, c.dtype());
  return {c.build.view(c.build.scatter(empty, 1, places, as_rows(x)), c.sizes())};
}

// (self, output_size, kernel, dilation, padding, stride): the sum of the windows that cover a
// place. Each place of the kernel gives one image with zeros between its entries.
Values col2im(Context& c) {
  Value* x = c.tensor(0);
  const bool single = x->rank() == 2;
  if (single) x = c.build.unsqueeze(x, 0);
  const Sizes output = for_each_dim(c.integers(1), 2, {1, 1});
  const auto kernel = c.constants(2);
  const Sizes dilation = for_each_dim(c.integers(3), 2, {1, 1});
  const Sizes padding = for_each_dim(c.integers(4), 2, {0, 0});
  const Sizes stride = for_each_dim(c.integers(5), 2, {1, 1});
  if (kernel.size() != 2 || kernel.at(0) < 1 || kernel.at(1) < 1) {
    return c.unsupported("its kernel size is inconsistent");
  }
  if (!is_small_kernel(c, kernel)) return {};
  const SymInt batch = x->sizes().at(0);
  const SymInt channels = SymInt::floordiv(x->sizes().at(1), SymInt(kernel.at(0) * kernel.at(1)));
  const SymInt rows =
      window_count(output.at(0), kernel.at(0), dilation.at(0), padding.at(0), stride.at(0));
  const SymInt columns =
      window_count(output.at(1), kernel.at(1), dilation.at(1), padding.at(1), stride.at(1));
  const SymInt height = output.at(0) + padding.at(0) + padding.at(0);
  const SymInt width = output.at(1) + padding.at(1) + padding.at(1);
  x = c.build.view(x, {batch, channels, kernel.at(0) * kernel.at(1), rows, columns});
  Value* total = nullptr;
  for (int64_t i = 0; i < kernel.at(0); ++i) {
    for (int64_t j = 0; j < kernel.at(1); ++j) {
      Value* part = c.build.select(x, 2, i * kernel.at(1) + j);
      part = c.build.view(part, {batch * channels, rows, 1, columns, 1});
      part = c.build.constant_pad_nd(part, {0, stride.at(1) - 1, 0, 0, 0, stride.at(0) - 1});
      part = c.build.view(part, {batch, channels, rows * stride.at(0), columns * stride.at(1)});
      const SymInt used_rows = (rows - 1) * stride.at(0) + 1;
      const SymInt used_columns = (columns - 1) * stride.at(1) + 1;
      part = c.build.narrow(c.build.narrow(part, 2, 0, used_rows), 3, 0, used_columns);
      const SymInt top = dilation.at(0) * SymInt(i);
      const SymInt left = dilation.at(1) * SymInt(j);
      part = c.build.constant_pad_nd(
          part, {left, width - left - used_columns, top, height - top - used_rows});
      total = total ? c.build.add(total, part) : part;
    }
  }
  total = c.build.narrow(total, 2, padding.at(0), output.at(0));
  total = c.build.narrow(total, 3, padding.at(1), output.at(1));
  return {c.build.view(total, c.sizes())};
}

constexpr Entry kPoolingRules[] = {
    {"aten.max_pool2d.default aten.max_pool2d_with_indices.default", max_pool2d},
    {"aten.max_pool1d.default aten.max_pool1d_with_indices.default", max_pool1d},
    {"aten.max_pool3d.default aten.max_pool3d_with_indices.default", max_pool3d},
    {"aten.avg_pool1d.default", avg_pool1d},
    {"aten.avg_pool2d.default", avg_pool2d},
    {"aten.avg_pool3d.default", avg_pool3d},
    {"aten.adaptive_avg_pool1d.default", adaptive_avg_pool1d},
    {"aten.adaptive_avg_pool2d.default aten._adaptive_avg_pool2d.default", adaptive_avg_pool2d},
    {"aten.adaptive_avg_pool3d.default aten._adaptive_avg_pool3d.default", adaptive_avg_pool3d},
    {"aten.adaptive_max_pool1d.default", [](Context& c) { return adaptive_max_pool(c, 1); }},
    {"aten.adaptive_max_pool2d.default", adaptive_max_pool2d},
    {"aten.adaptive_max_pool3d.default", [](Context& c) { return adaptive_max_pool(c, 3); }},
    {"aten.max_unpool2d.default", [](Context& c) { return max_unpool(c, 2); }},
    {"aten.max_unpool3d.default", [](Context& c) { return max_unpool(c, 3); }},
    {"aten.im2col.default", im2col},
    {"aten.col2im.default", col2im},
};

}  // namespace

std::span<const Entry> pooling_rules() { return kPoolingRules; }

}  // namespace slipway::passes::decompositions
