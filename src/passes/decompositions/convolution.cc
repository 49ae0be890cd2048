// Convolutions. The kernel takes one or two spatial dimensions and a batch.
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
  if (list.size() == 1) list.resize(count, list[0]);
  return list;
}

Sizes tail(const Sizes& list) { return {list.begin() + 1, list.end()}; }

Value* apply(Context& c, const Convolution& v) {
  return c.build.convolution(v.input, v.weight, v.bias, v.stride, v.padding, v.dilation,
                             v.transposed, v.output_padding, v.groups);
}

// The planes of [N, D, C, H, W] as one batch.
Value* planes(Context& c, Value* x) {
  const Sizes& s = x->sizes();
  return c.build.view(x, {s[0] * s[1], s[2], s[3], s[4]});
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
  return c.build.add(result, c.build.view(v.bias, {1, v.bias->sizes()[0], 1, 1, 1}));
}

// Over [N, C, D, H, W]: a sum over the weight's depth of convolutions of planes.
Value* forward_3d(Context& c, const Convolution& v) {
  const int64_t kernel = c.known(v.weight->sizes()[2], "the weight's depth");
  Value* x = v.input;
  if (v.padding[0] != SymInt(0)) {
    x = c.build.constant_pad_nd(x, {0, 0, 0, 0, v.padding[0], v.padding[0]});
  }
  const SymInt span = v.dilation[0] * SymInt(kernel - 1) + 1;
  const SymInt depth = SymInt::floordiv(x->sizes()[2] - span, v.stride[0]) + 1;
  x = c.build.permute(x, {0, 2, 1, 3, 4});
  Value* total = nullptr;
  for (int64_t k = 0; k < kernel; ++k) {
    const SymInt start = v.dilation[0] * SymInt(k);
    Value* part = c.build.slice(x, 1, start, start + (depth - 1) * v.stride[0] + 1, v.stride[0]);
    Value* result = apply(c, plane_convolution(c, v, planes(c, part), k));
    total = total ? c.build.add(total, result) : result;
  }
  const Sizes& s = total->sizes();
  total = c.build.view(total, {v.input->sizes()[0], depth, s[1], s[2], s[3]});
  return with_bias(c, v, c.build.permute(total, {0, 2, 1, 3, 4}));
}

// The transposed form spreads each plane over the result's depth: zeros go between the planes, and
// each plane of the weight shifts its result.
Value* transposed_3d(Context& c, const Convolution& v) {
  const int64_t kernel = c.known(v.weight->sizes()[2], "the weight's depth");
  const SymInt batch = v.input->sizes()[0];
  const SymInt depth = v.input->sizes()[2];
  const SymInt spread = (depth - 1) * v.stride[0] + 1;
  Value* x = planes(c, c.build.permute(v.input, {0, 2, 1, 3, 4}));
  Value* total = nullptr;
  for (int64_t k = 0; k < kernel; ++k) {
    Value* part = apply(c, plane_convolution(c, v, x, k));
    const SymInt plane = part->sizes()[1] * part->sizes()[2] * part->sizes()[3];
    const Sizes s = part->sizes();
    part = c.build.view(part, {batch, depth, 1, plane});
    part = c.build.constant_pad_nd(part, {0, 0, 0, v.stride[0] - 1});
    part = c.build.view(part, {batch, depth * v.stride[0], plane});
    part = c.build.narrow(part, 1, 0, spread);
    const SymInt before = v.dilation[0] * SymInt(k);
    const SymInt after = v.dilation[0] * SymInt(kernel - 1 - k) + v.output_padding[0];
    part = c.build.constant_pad_nd(part, {0, 0, before, after});
    const SymInt result = part->sizes()[1] - v.padding[0] - v.padding[0];
    part = c.build.narrow(part, 1, v.padding[0], result);
    part = c.build.view(part, {batch, result, s[1], s[2], s[3]});
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
      const SymInt total = v.dilation[d] * (v.weight->sizes()[d + 2] - 1);
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
  const bool as_it_is = c.op() == "aten.convolution.default" && n < 3 &&
                        c.tensor(0)->rank() == c.tensor(1)->rank() && c.integers(3).size() == n &&
                        c.integers(4).size() == n && c.integers(5).size() == n &&
                        c.integers(7).size() == n;
  if (as_it_is) return {};
  return convolve(c, {c.tensor(0), c.tensor(1), c.tensor_or_null(2), c.integers(3), c.integers(4),
                      c.integers(5), c.flag(6), c.integers(7), c.integer(8)});
}

constexpr Entry kRules[] = {
    {"aten.conv1d.default aten.conv2d.default aten.conv3d.default", forward},
    {"aten.conv1d.padding aten.conv2d.padding aten.conv3d.padding aten._convolution_mode.default",
     named_padding},
    {"aten.conv_transpose1d.default aten.conv_transpose2d.input aten.conv_transpose3d.input",
     transposed},
    {"aten.convolution.default aten._convolution.default", general},
};

}  // namespace

std::span<const Entry> convolution_rules() { return kRules; }

}  // namespace slipway::passes::decompositions
