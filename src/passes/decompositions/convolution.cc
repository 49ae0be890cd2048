// Convolutions, as products of matrices: ExecuTorch's own kernel is a plain loop, two hundred times
// slower, and is left with what does not fit here.
#include <string>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

struct Convolution {
  Value* input;
  Value* weight;
  Value* bias;
  Sizes stride;
  Sizes padding;
  Sizes dilation;
  bool transposed = false;
  Sizes output_padding;
  SymInt groups = 1;

  int64_t spatial() const { return weight->rank() - 2; }
};

// One number stands for every dimension.
Sizes for_each_dim(Sizes list, int64_t count, int64_t fallback) {
  if (list.empty()) list = {fallback};
  if (list.size() == 1) list.resize(count, list.at(0));
  return list;
}

Sizes tail(const Sizes& list) { return last(list, list.size() - 1); }

// Columns that would take more bytes are made for one place of the kernel at a time.
constexpr int64_t kMaxColumnBytes = int64_t{32} << 20;
constexpr int64_t kMaxPlaces = 256;

// A two-dimensional convolution of an image that is padded already.
struct Windows {
  int64_t height;  // of the kernel
  int64_t width;
  Sizes stride;
  Sizes dilation;
  SymInt groups;
  SymInt rows;  // of the result
  SymInt columns;
};

// The elements under a part of the kernel, `height` x `width` from (top, left), as
// [groups, channels of a group * height * width, batch * rows * columns]: one copy.
Value* columns_of(Context& c, Value* x, const Windows& w, int64_t top, int64_t left, int64_t height,
                  int64_t width) {
  const Sizes s = x->sizes();
  const SymInt channels = SymInt::floordiv(s.at(1), w.groups);
  const SymInt places = s.at(0) * w.rows * w.columns;
  const Sizes shape = {w.groups, channels * SymInt(height * width), places};
  const bool whole = height == 1 && width == 1 && s.at(0) == SymInt(1) && w.rows == s.at(2) &&
                     w.columns == s.at(3);
  if (whole) return c.build.view(x, shape);
  const SymInt plane = s.at(2) * s.at(3);
  const Sizes sizes = {w.groups, channels, height, width, s.at(0), w.rows, w.columns};
  const Sizes strides = {channels * plane, plane,           w.dilation.at(0) * s.at(3),
                         w.dilation.at(1), s.at(1) * plane, w.stride.at(0) * s.at(3),
                         w.stride.at(1)};
  const SymInt offset = w.dilation.at(0) * s.at(3) * SymInt(top) + w.dilation.at(1) * SymInt(left);
  return c.build.view(
      c.build.call("aten.as_strided_copy.default", {x, sizes, strides, offset}, x->dtype(), sizes),
      shape);
}

// [groups, outputs, k] x [groups, k, places]
Value* product(Context& c, Value* weight, Value* columns, const SymInt& groups) {
  const SymInt outputs = SymInt::floordiv(weight->sizes().at(0), groups);
  const SymInt inner = columns->sizes().at(1);
  if (groups != SymInt(1)) {
    return c.build.bmm(c.build.view(weight, {groups, outputs, inner}), columns);
  }
  Value* flat = c.build.view(columns, {inner, columns->sizes().at(2)});
  return c.build.mm(c.build.view(weight, {outputs, inner}), flat);
}

// Half precision stays with the kernel, whose sums are as exact as the products'.
bool fits_product(const Convolution& v) {
  const DType dtype = v.input->dtype();
  if (dtype != DType::kFloat32 && dtype != DType::kFloat64) return false;
  SymInt places = 1;
  for (int64_t d = 0; d < v.spatial(); ++d) places = places * v.weight->sizes().at(d + 2);
  return places.constant() && *places.constant() >= 1 && *places.constant() <= kMaxPlaces;
}

Value* by_product(Context& c, Convolution v) {
  if (v.spatial() == 1) {
    v.input = c.build.unsqueeze(v.input, 2);
    v.weight = c.build.unsqueeze(v.weight, 2);
    v.stride.insert(v.stride.begin(), 1);
    v.padding.insert(v.padding.begin(), 0);
    v.dilation.insert(v.dilation.begin(), 1);
  }
  const int64_t height = c.known(v.weight->sizes().at(2), "the kernel's height");
  const int64_t width = c.known(v.weight->sizes().at(3), "the kernel's width");
  Value* x = v.input;
  if (v.padding.at(0) != SymInt(0) || v.padding.at(1) != SymInt(0)) {
    x = c.build.constant_pad_nd(
        x, {v.padding.at(1), v.padding.at(1), v.padding.at(0), v.padding.at(0)});
  }
  const auto count = [&](size_t i, int64_t kernel) {
    const SymInt span = v.dilation.at(i) * SymInt(kernel - 1) + 1;
    return SymInt::floordiv(x->sizes().at(i + 2) - span, v.stride.at(i)) + 1;
  };
  const Windows w = {height,           width,          v.stride, v.dilation, v.groups,
                     count(0, height), count(1, width)};

  const SymInt elements =
      x->sizes().at(0) * x->sizes().at(1) * SymInt(height * width) * w.rows * w.columns;
  const auto most = c.bounds(elements).max;
  const auto element = static_cast<int64_t>(dtype_size(x->dtype()));
  Value* result = nullptr;
  if (most && *most <= kMaxColumnBytes / element) {
    Value* columns = columns_of(c, x, w, 0, 0, w.height, w.width);
    result = product(c, v.weight, columns, v.groups);
  } else {
    for (int64_t i = 0; i < w.height; ++i) {
      for (int64_t j = 0; j < w.width; ++j) {
        Value* weight = c.build.select(c.build.select(v.weight, 2, i), 2, j);
        Value* part = product(c, weight, columns_of(c, x, w, i, j, 1, 1), v.groups);
        result = result ? c.build.add(result, part) : part;
      }
    }
  }
  const SymInt batch = x->sizes().at(0);
  const SymInt outputs = v.weight->sizes().at(0);
  if (batch == SymInt(1)) {
    result = c.build.view(result, {batch, outputs, w.rows, w.columns});
  } else {
    result =
        c.build.permute(c.build.view(result, {outputs, batch, w.rows, w.columns}), {1, 0, 2, 3});
  }
  if (v.bias) result = c.build.add(result, c.build.view(v.bias, {1, outputs, 1, 1}));
  return result;
}

// The weight of the forward convolution that a transposed one is: turned around, with inputs and
// outputs exchanged.
Value* turned(Context& c, const Convolution& v) {
  const Sizes s = v.weight->sizes();
  const SymInt channels = SymInt::floordiv(s.at(0), v.groups);
  std::vector<int64_t> spatial;
  Sizes split = {v.groups, channels, s.at(1)};
  Sizes joined = {v.groups * s.at(1), channels};
  for (int64_t d = 0; d < v.spatial(); ++d) {
    spatial.push_back(d + 2);
    split.push_back(s.at(d + 2));
    joined.push_back(s.at(d + 2));
  }
  Value* weight = c.build.view(c.build.transpose(c.build.view(v.weight, split), 1, 2), joined);
  return c.build.flip(weight, spatial);
}

// A transposed convolution as a forward one: zeros go between the elements, s - 1 a step, and the
// padding turns to what it lacks of the kernel's span.
Convolution forwarded(Context& c, const Convolution& v) {
  Value* x = v.input;
  const Sizes s = x->sizes();
  Sizes spread = {s.at(0) * s.at(1)};
  Sizes sizes = {s.at(0), s.at(1)};
  Sizes zeros;
  Sizes pad;
  for (int64_t d = 0; d < v.spatial(); ++d) {
    spread.push_back(s.at(d + 2));
    spread.emplace_back(1);
    sizes.push_back(s.at(d + 2) * v.stride.at(d));
    const SymInt lacking = v.dilation.at(d) * (v.weight->sizes().at(d + 2) - 1) - v.padding.at(d);
    zeros.insert(zeros.begin(), {SymInt(0), v.stride.at(d) - 1, SymInt(0), SymInt(0)});
    pad.insert(pad.begin(), {lacking, lacking + v.output_padding.at(d) - (v.stride.at(d) - 1)});
  }
  const Sizes ones(v.spatial(), 1);
  if (v.stride != ones) {
    x = c.build.view(c.build.constant_pad_nd(c.build.view(x, spread), zeros), sizes);
  }
  x = c.build.constant_pad_nd(x, pad);
  return {x,     turned(c, v),          v.bias,  ones, Sizes(v.spatial(), 0), v.dilation,
          false, Sizes(v.spatial(), 0), v.groups};
}

Value* apply(Context& c, const Convolution& v) {
  if (fits_product(v)) {
    Value* result = by_product(c, v.transposed ? forwarded(c, v) : v);
    return v.spatial() == 1 ? c.build.squeeze(result, 2) : result;
  }
  return c.build.convolution(v.input, v.weight, v.bias, v.stride, v.padding, v.dilation,
                             v.transposed, v.output_padding, v.groups);
}

// The planes of [N, D, C, H, W] as one batch.
Value* planes(Context& c, Value* x) {
  const Sizes& s = x->sizes();
  return c.build.view(x, {s.at(0) * s.at(1), s.at(2), s.at(3), s.at(4)});
}

// One plane of the weight's depth, as a two-dimensional convolution without a bias.
Convolution plane_convolution(Context& c, const Convolution& v, Value* images, int64_t depth) {
  return {images,          c.build.select(v.weight, 2, depth),
          nullptr,         tail(v.stride),
          tail(v.padding), tail(v.dilation),
          v.transposed,    tail(v.output_padding),
          v.groups};
}

Value* with_bias(Context& c, const Convolution& v, Value* result) {
  if (!v.bias) return result;
  return c.build.add(result, c.build.view(v.bias, {1, v.bias->sizes().at(0), 1, 1, 1}));
}

// Over [N, C, D, H, W]: a sum over the weight's depth of convolutions of planes.
Value* forward_3d(Context& c, const Convolution& v) {
  const int64_t kernel = c.known(v.weight->sizes().at(2), "the weight's depth");
  Value* x = v.input;
  if (v.padding.at(0) != SymInt(0)) {
    x = c.build.constant_pad_nd(x, {0, 0, 0, 0, v.padding.at(0), v.padding.at(0)});
  }
  const SymInt span = v.dilation.at(0) * SymInt(kernel - 1) + 1;
  const SymInt depth = SymInt::floordiv(x->sizes().at(2) - span, v.stride.at(0)) + 1;
  x = c.build.permute(x, {0, 2, 1, 3, 4});
  Value* total = nullptr;
  for (int64_t k = 0; k < kernel; ++k) {
    const SymInt start = v.dilation.at(0) * SymInt(k);
    Value* part =
        c.build.slice(x, 1, start, start + (depth - 1) * v.stride.at(0) + 1, v.stride.at(0));
    Value* result = apply(c, plane_convolution(c, v, planes(c, part), k));
    total = total ? c.build.add(total, result) : result;
  }
  const Sizes& s = total->sizes();
  total = c.build.view(total, {v.input->sizes().at(0), depth, s.at(1), s.at(2), s.at(3)});
  return with_bias(c, v, c.build.permute(total, {0, 2, 1, 3, 4}));
}

// The transposed form spreads each plane over the result's depth: zeros go between the planes, and
// each plane of the weight shifts its result.
Value* transposed_3d(Context& c, const Convolution& v) {
  const int64_t kernel = c.known(v.weight->sizes().at(2), "the weight's depth");
  const SymInt batch = v.input->sizes().at(0);
  const SymInt depth = v.input->sizes().at(2);
  const SymInt spread = (depth - 1) * v.stride.at(0) + 1;
  Value* x = planes(c, c.build.permute(v.input, {0, 2, 1, 3, 4}));
  Value* total = nullptr;
  for (int64_t k = 0; k < kernel; ++k) {
    Value* part = apply(c, plane_convolution(c, v, x, k));
    const SymInt plane = part->sizes().at(1) * part->sizes().at(2) * part->sizes().at(3);
    const Sizes s = part->sizes();
    part = c.build.view(part, {batch, depth, 1, plane});
    part = c.build.constant_pad_nd(part, {0, 0, 0, v.stride.at(0) - 1});
    part = c.build.view(part, {batch, depth * v.stride.at(0), plane});
    part = c.build.narrow(part, 1, 0, spread);
    const SymInt before = v.dilation.at(0) * SymInt(k);
    const SymInt after = v.dilation.at(0) * SymInt(kernel - 1 - k) + v.output_padding.at(0);
    part = c.build.constant_pad_nd(part, {0, 0, before, after});
    const SymInt result = part->sizes().at(1) - v.padding.at(0) - v.padding.at(0);
    part = c.build.narrow(part, 1, v.padding.at(0), result);
    part = c.build.view(part, {batch, result, s.at(1), s.at(2), s.at(3)});
    total = total ? c.build.add(total, part) : part;
  }
  return with_bias(c, v, c.build.permute(total, {0, 2, 1, 3, 4}));
}

Values convolve(Context& c, Convolution v) {
  const int64_t n = v.spatial();
  if (n < 1 || n > 3) return c.unsupported("it has neither one, two nor three spatial dimensions");
  v.stride = for_each_dim(v.stride, n, 1);
  v.padding = for_each_dim(v.padding, n, 0);
  v.dilation = for_each_dim(v.dilation, n, 1);
  v.output_padding = for_each_dim(v.output_padding, n, 0);
  const bool single = v.input->rank() == n + 1;
  if (single) v.input = c.build.unsqueeze(v.input, 0);
  Value* result = n < 3 ? apply(c, v) : v.transposed ? transposed_3d(c, v) : forward_3d(c, v);
  return {single ? c.build.view(result, c.sizes()) : result};
}

// (input, weight, bias, stride, padding, dilation, groups)
Values forward(Context& c) {
  return convolve(c, {c.tensor(0),
                      c.tensor(1),
                      c.tensor_or_null(2),
                      c.integers(3),
                      c.integers(4),
                      c.integers(5),
                      false,
                      {},
                      c.integer(6)});
}

// As forward, with "valid" or "same" for the padding. The odd element of "same" goes to the end.
Values named_padding(Context& c) {
  Convolution v{c.tensor(0), c.tensor(1), c.tensor_or_null(2), c.integers(3), {0}, c.integers(5),
                false,       {},          c.integer(6)};
  const std::string padding = c.text(4);
  if (padding == "same") {
    const int64_t n = v.spatial();
    v.dilation = for_each_dim(v.dilation, n, 1);
    v.padding.clear();
    Sizes extra;
    bool even = true;
    for (int64_t d = 0; d < n; ++d) {
      const SymInt total = v.dilation.at(d) * (v.weight->sizes().at(d + 2) - 1);
      const SymInt before = SymInt::floordiv(total, 2);
      v.padding.push_back(before);
      const SymInt odd = total - before - before;
      even = even && odd == SymInt(0);
      extra.insert(extra.begin(), {SymInt(0), odd});
    }
    if (!even) v.input = c.build.constant_pad_nd(v.input, extra);
  } else if (padding != "valid") {
    return c.unsupported("its padding is neither \"same\" nor \"valid\"");
  }
  return convolve(c, v);
}

// (input, weight, bias, stride, padding, output_padding, groups, dilation)
Values transposed(Context& c) {
  return convolve(c, {c.tensor(0), c.tensor(1), c.tensor_or_null(2), c.integers(3), c.integers(4),
                      c.integers(7), true, c.integers(5), c.integer(6)});
}

// (input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
Values general(Context& c) {
  const auto n = static_cast<size_t>(c.tensor(1)->rank() - 2);
  const Convolution v{c.tensor(0),   c.tensor(1), c.tensor_or_null(2), c.integers(3), c.integers(4),
                      c.integers(5), c.flag(6),   c.integers(7),       c.integer(8)};
  const bool complete = c.op() == "aten.convolution.default" && n < 3 &&
                        v.input->rank() == v.weight->rank() && v.stride.size() == n &&
                        v.padding.size() == n && v.dilation.size() == n &&
                        v.output_padding.size() == n;
  if (complete && !fits_product(v)) return {};
  return convolve(c, v);
}

constexpr Entry kConvolutionRules[] = {
    {"aten.conv1d.default aten.conv2d.default aten.conv3d.default", forward},
    {"aten.conv1d.padding aten.conv2d.padding aten.conv3d.padding aten._convolution_mode.default",
     named_padding},
    {"aten.conv_transpose1d.default aten.conv_transpose2d.input aten.conv_transpose3d.input",
     transposed},
    {"aten.convolution.default aten._convolution.default", general},
};

}  // namespace

std::span<const Entry> convolution_rules() { return kConvolutionRules; }

}  // namespace slipway::passes::decompositions
