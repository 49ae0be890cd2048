#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> stride;
  std::vector<int64_t> padding;
  std::vector<int64_t> dilation;
  bool ceil_mode = false;
};

// The arguments from the kernel on: kernel, stride, padding, with a dilation or without, ceil_mode.
Window read_window(Context& c, size_t spatial, bool with_dilation) {
  Window window;
  window.kernel = repeated(c.constants(1), spatial);
  window.stride = repeated(c.constants(2), spatial);
  if (window.stride.empty()) window.stride = window.kernel;
  window.padding = repeated(c.constants(3), spatial);
  window.dilation.assign(spatial, 1);
  if (with_dilation) window.dilation = repeated(c.constants(4), spatial);
  window.ceil_mode = c.flag(with_dilation ? 5 : 4);
  return window;
}

// The input with a batch dimension, its sizes, and those of the result.
struct Images {
  Ref x;
  Sizes in;
  Sizes out;
  bool batched = true;
  size_t spatial = 0;
};

Images images(Context& c, size_t spatial) {
  Images result;
  result.spatial = spatial;
  result.in = c.type(0).sizes;
  result.out = c.sizes();
  result.batched = result.in.size() == spatial + 2;
  result.x = c.tensor(0);
  if (!result.batched) {
    result.x = c.unsqueeze(result.x, {0});
    result.in.insert(result.in.begin(), 1);
    result.out.insert(result.out.begin(), 1);
  }
  return result;
}

size_t spatial_of(Context& c) {
  const std::string_view name = base_name(c);
  return name.find("1d") != std::string_view::npos   ? 1
         : name.find("3d") != std::string_view::npos ? 3
                                                     : 2;
}

// How far the last window reaches past the input, per dimension: PyTorch's own number of windows in
// ceil mode, which ONNX's ceil_mode does not give. At least the padding.
Sizes end_padding(const Images& image, const Window& window) {
  Sizes result;
  for (size_t i = 0; i < image.spatial; ++i) {
    const SymInt in = image.in.at(i + 2);
    const SymInt reach = (image.out.at(i + 2) - 1) * window.stride.at(i) +
                         window.dilation.at(i) * (window.kernel.at(i) - 1) + 1;
    const SymInt padding = window.padding.at(i);
    if (!window.ceil_mode) {
      result.push_back(padding);
    } else {
      result.push_back(SymInt::max(padding, reach - in - padding));
    }
  }
  return result;
}

bool all_constant(const Sizes& sizes) {
  return std::all_of(sizes.begin(), sizes.end(),
                     [](const SymInt& size) { return size.is_constant(); });
}

// Pads the spatial dimensions with a value.
Ref pad(Context& c, const Images& image, const std::vector<int64_t>& start, const Sizes& end,
        double value) {
  Sizes pads(2 * (image.spatial + 2), 0);
  for (size_t i = 0; i < image.spatial; ++i) {
    pads.at(i + 2) = start.at(i);
    pads.at(image.spatial + 2 + i + 2) = end.at(i);
  }
  return c.op("Pad", {image.x, c.shape(pads), c.number_like(value, image.x)});
}

std::vector<int64_t> known_pads(const std::vector<int64_t>& start, const Sizes& end) {
  std::vector<int64_t> pads = start;
  for (const SymInt& item : end) pads.push_back(item.constant().value_or(0));
  return pads;
}

Attributes window_attributes(const Window& window, std::vector<int64_t> pads) {
  return {{"kernel_shape", window.kernel},
          {"strides", window.stride},
          {"dilations", window.dilation},
          {"pads", std::move(pads)}};
}

// max_pool2d(x, kernel, stride, padding, dilation, ceil_mode); with indices as a second result.
void max_pool(Context& c) {
  const size_t n = spatial_of(c);
  Images image = images(c, n);
  const Window window = read_window(c, n, /*with_dilation=*/true);
  const Sizes end = end_padding(image, window);
  const bool indices = c.is_used(1);
  Ref x = image.x;
  const bool is_float = is_floating_point(x.dtype);
  if (!is_float) image.x = x = c.cast(x, DType::kFloat64);
  std::vector<int64_t> pads(2 * n, 0);
  bool is_within = all_constant(end);
  for (size_t i = 0; is_within && i < n; ++i) is_within = *end[i].constant() < window.kernel[i];
  if (is_within) {
    pads = known_pads(window.padding, end);
  } else {
    // Runtimes want padding to be less than the kernel.
    if (indices) {
      return c.fail(
          "indices in ceil mode need image sizes that are known in advance, and windows that reach "
          "less than a kernel past the image");
    }
    x = pad(c, image, window.padding, end, -std::numeric_limits<double>::infinity());
  }
  if (!indices) {
    const Ref y = c.op("MaxPool", {x}, window_attributes(window, pads));
    return c.result(image.batched ? y : c.squeeze(y, {0}));
  }
  const Refs both =
      c.ops("MaxPool", {x}, window_attributes(window, pads), {x.dtype, DType::kInt64});
  // ONNX counts over the whole tensor, PyTorch within a plane.
  SymInt plane = 1;
  for (size_t i = 0; i < n; ++i) plane = plane * image.in.at(i + 2);
  Ref index = c.op("Mod", {both.at(1), c.length(plane)});
  Ref y = both.at(0);
  if (!image.batched) {
    y = c.squeeze(y, {0});
    index = c.squeeze(index, {0});
  }
  c.result(index, 1);
  c.result(y);
}

// avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
void avg_pool(Context& c) {
  const size_t n = spatial_of(c);
  if (!is_floating_point(c.dtype())) return c.fail("ONNX has no average of integers");
  Images image = images(c, n);
  const Window window = read_window(c, n, /*with_dilation=*/false);
  const bool include = c.flag(5);
  const auto divisor = c.number(6);
  const Sizes end = end_padding(image, window);
  // What lies past the padding (only in ceil mode) is never counted.
  Sizes past;
  for (size_t i = 0; i < n; ++i) past.push_back(end.at(i) - window.padding.at(i));
  const bool reaches_past =
      std::any_of(past.begin(), past.end(), [](const SymInt& p) { return p != SymInt(0); });
  int64_t taps = 1;
  for (int64_t k : window.kernel) taps *= k;
  const auto pool = [&](const Ref& x, std::vector<int64_t> pads, bool count) {
    Attributes attributes = window_attributes(window, std::move(pads));
    attributes.emplace_back("count_include_pad", count ? 1 : 0);
    return c.op("AveragePool", {x}, attributes);
  };
  const std::vector<int64_t> none(2 * n, 0);
  Ref y;
  if (!reaches_past) {
    y = pool(image.x, known_pads(window.padding, end), include || divisor);
    if (divisor) y = c.mul(y, static_cast<double>(taps) / *divisor);
  } else {
    // The sums, and beside them how many elements each counts.
    y = pool(pad(c, image, window.padding, end, 0), none, true);
    if (divisor) {
      y = c.mul(y, static_cast<double>(taps) / *divisor);
    } else {
      Sizes plane = image.in;
      plane.at(0) = plane.at(1) = 1;
      const Sizes padding(window.padding.begin(), window.padding.end());
      Images counted = image;
      counted.x = c.expand(c.number_like(1, image.x), {}, plane);
      if (include) counted.x = pad(c, counted, window.padding, padding, 1);
      const std::vector<int64_t> zeros(n, 0);
      counted.x = pad(c, counted, include ? zeros : window.padding, include ? past : end, 0);
      y = c.div(y, pool(counted.x, none, true));
    }
  }
  c.result(image.batched ? y : c.squeeze(y, {0}));
}

// The most windows along a dimension that get nodes of their own.
constexpr int64_t kMostWindows = 4096;

// The windows of adaptive pooling along one axis, each reduced by itself, so that an infinity in
// one does not reach the others. The number of windows is known.
Ref reduce_windows(Context& c, const char* op_type, const Ref& x, int64_t axis, const SymInt& in,
                   int64_t out) {
  if (out > kMostWindows) {
    c.fail(
        fmt::format("it has {} windows along a dimension, and {} are the most", out, kMostWindows));
    return x;
  }
  Refs parts;
  for (int64_t k = 0; k < out; ++k) {
    const SymInt start = SymInt::floordiv(in * k, out);
    const SymInt end = SymInt::floordiv(in * (k + 1) + (out - 1), out);
    parts.push_back(c.reduce(op_type, c.slice(x, axis, start, end), {axis}, true));
  }
  return c.concat(parts, axis);
}

// The mean over all dimensions from the third on, of which nothing shows that they have elements.
Ref mean_of_images(Context& c, const Ref& x, const Sizes& sizes) {
  const auto count = static_cast<int64_t>(sizes.size());
  const Ref sum = c.reduce("ReduceSum", x, iota(count, 2), true);
  return c.div(sum, c.cast(c.scalar_length(ir::numel(sizes)), x.dtype));
}

void adaptive_avg_pool(Context& c) {
  const size_t n = spatial_of(c);
  Images image = images(c, n);
  const Sizes in = tail(image.in, 2);
  const Sizes out = tail(image.out, 2);
  const auto finish = [&](const Ref& y) { c.result(image.batched ? y : c.squeeze(y, {0})); };
  if (std::all_of(out.begin(), out.end(), [](const SymInt& s) { return s == SymInt(1); })) {
    const bool may_be_empty = std::any_of(in.begin(), in.end(), [&](const SymInt& size) {
      return size.bounds(c.ranges()).min.value_or(0) <= 0;
    });
    if (may_be_empty) return finish(mean_of_images(c, image.x, in));
    return finish(c.op("GlobalAveragePool", {image.x}));
  }
  Window window;
  window.dilation.assign(n, 1);
  for (size_t i = 0; i < n; ++i) {
    const auto a = in.at(i).constant();
    const auto b = out.at(i).constant();
    if (a && b && *b > 0 && *a % *b == 0) window.kernel.push_back(*a / *b);
  }
  if (window.kernel.size() == n) {
    window.stride = window.kernel;
    return finish(
        c.op("AveragePool", {image.x}, window_attributes(window, std::vector<int64_t>(2 * n, 0))));
  }
  // One dimension after the other.
  Ref y = image.x;
  for (size_t i = 0; i < n; ++i) {
    if (in.at(i) == out.at(i)) continue;
    const auto count = out.at(i).constant();
    if (!count || *count == 0)
      return c.fail("its result has sizes that are 0 or not known in advance");
    y = reduce_windows(c, "ReduceMean", y, static_cast<int64_t>(i + 2), in.at(i), *count);
  }
  finish(y);
}

void adaptive_max_pool(Context& c) {
  const size_t n = spatial_of(c);
  if (c.is_used(1)) return c.fail("its indices are used");
  Images image = images(c, n);
  Ref y = image.x;
  for (size_t i = 0; i < n; ++i) {
    const auto count = image.out.at(i + 2).constant();
    if (!count || *count == 0)
      return c.fail("its result has sizes that are 0 or not known in advance");
    y = reduce_windows(c, "ReduceMax", y, static_cast<int64_t>(i + 2), image.in.at(i + 2), *count);
  }
  c.result(image.batched ? y : c.squeeze(y, {0}));
}

constexpr Entry kPoolRules[] = {
    {"aten.max_pool1d aten.max_pool2d aten.max_pool3d aten.max_pool1d_with_indices "
     "aten.max_pool2d_with_indices aten.max_pool3d_with_indices",
     max_pool, "indices in ceil mode with dynamic image sizes"},
    {"aten.avg_pool1d aten.avg_pool2d aten.avg_pool3d", avg_pool},
    {"aten.adaptive_avg_pool1d aten.adaptive_avg_pool2d aten.adaptive_avg_pool3d "
     "aten._adaptive_avg_pool2d aten._adaptive_avg_pool3d",
     adaptive_avg_pool, "results whose size is known only at run time"},
    {"aten.adaptive_max_pool1d aten.adaptive_max_pool2d aten.adaptive_max_pool3d",
     adaptive_max_pool, "indices; results whose size is known only at run time"},
};

}  // namespace

std::span<const Entry> pool_rules() { return kPoolRules; }

}  // namespace slipway::onnx
