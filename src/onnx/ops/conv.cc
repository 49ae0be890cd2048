#include <algorithm>
#include <string>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

struct Convolution {
  std::vector<int64_t> stride;
  std::vector<int64_t> pads;  // as ONNX has them: starts, then ends
  std::vector<int64_t> dilation;
  std::vector<int64_t> output_padding;
  bool transposed = false;
  int64_t groups = 1;
};

std::vector<int64_t> both_ends(std::vector<int64_t> padding) {
  padding.insert(padding.end(), padding.begin(), padding.end());
  return padding;
}

// A tensor without a batch dimension is given one.
void convolve(Context& c, const Convolution& conv) {
  Ref x = c.tensor(0);
  const Ref weight = c.tensor(1);
  const auto spatial = static_cast<size_t>(c.rank(1) - 2);
  const bool batched = c.rank(0) == c.rank(1);
  if (!batched) x = c.unsqueeze(x, {0});
  Attributes attributes = {{"strides", conv.stride},
                           {"pads", conv.pads},
                           {"dilations", conv.dilation},
                           {"group", conv.groups}};
  bool kernel_known = true;
  std::vector<int64_t> kernel;
  for (size_t i = 0; i < spatial; ++i) {
    auto known = c.type(1).sizes.at(i + 2).constant();
    kernel_known = kernel_known && known.has_value();
    kernel.push_back(known.value_or(0));
  }
  if (kernel_known) attributes.emplace_back("kernel_shape", kernel);
  if (conv.transposed) attributes.emplace_back("output_padding", conv.output_padding);
  Refs inputs = {x, weight};
  if (c.has(2)) inputs.push_back(c.tensor(2));
  Ref y = c.op(conv.transposed ? "ConvTranspose" : "Conv", inputs, attributes);
  c.result(batched ? y : c.squeeze(y, {0}));
}

size_t spatial_dims(Context& c) { return static_cast<size_t>(std::max<int64_t>(c.rank(1) - 2, 0)); }

// convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
void convolution(Context& c) {
  const size_t n = spatial_dims(c);
  convolve(c, {repeated(c.constants(3), n), both_ends(repeated(c.constants(4), n)),
               repeated(c.constants(5), n), repeated(c.constants(7), n), c.flag(6), c.constant(8)});
}

// conv2d(x, weight, bias, stride, padding, dilation, groups)
void conv(Context& c) {
  const size_t n = spatial_dims(c);
  Convolution conv;
  conv.stride = repeated(c.constants(3), n);
  conv.dilation = repeated(c.constants(5), n);
  conv.groups = c.constant(6);
  if (const auto* mode = std::get_if<std::string>(&c.arg(4))) {
    conv.pads.assign(2 * n, 0);
    if (*mode == "same") {
      // What is odd goes to the end.
      for (size_t i = 0; i < n; ++i) {
        auto kernel = c.type(1).sizes.at(i + 2).constant();
        if (!kernel) return c.fail("the weight's sizes are known only at run time");
        const int64_t total = conv.dilation.at(i) * (*kernel - 1);
        conv.pads.at(i) = total / 2;
        conv.pads.at(i + n) = total - total / 2;
      }
    }
  } else {
    conv.pads = both_ends(repeated(c.constants(4), n));
  }
  convolve(c, conv);
}

// conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)
void conv_transpose(Context& c) {
  const size_t n = spatial_dims(c);
  convolve(c, {repeated(c.constants(3), n), both_ends(repeated(c.constants(4), n)),
               repeated(c.constants(7), n), repeated(c.constants(5), n), true, c.constant(6)});
}

// col2im(x, output_size, kernel, dilation, padding, stride)
void col2im(Context& c) {
  const bool batched = c.rank(0) == 3;
  const Ref x = batched ? c.tensor(0) : c.unsqueeze(c.tensor(0), {0});
  const Ref y = c.op("Col2Im", {x, c.shape(c.integers(1)), c.ints(repeated(c.constants(2), 2))},
                     {{"dilations", repeated(c.constants(3), 2)},
                      {"pads", both_ends(repeated(c.constants(4), 2))},
                      {"strides", repeated(c.constants(5), 2)}});
  c.result(batched ? y : c.squeeze(y, {0}));
}

// im2col(x, kernel, dilation, padding, stride): for each tap of the kernel what it meets. Not a
// convolution with kernels of 0 and 1, which would carry an infinity to the other taps.
void im2col(Context& c) {
  const bool batched = c.rank(0) == 4;
  Sizes sizes = c.type(0).sizes;
  if (!batched) sizes.insert(sizes.begin(), 1);
  const auto kernel = repeated(c.constants(1), 2);
  const auto dilation = repeated(c.constants(2), 2);
  const auto padding = repeated(c.constants(3), 2);
  const auto stride = repeated(c.constants(4), 2);
  Ref x = batched ? c.tensor(0) : c.unsqueeze(c.tensor(0), {0});
  x = c.op("Pad",
           {x, c.ints({0, 0, padding.at(0), padding.at(1), 0, 0, padding.at(0), padding.at(1)}),
            c.number_like(0, x)});
  // From the first place of a tap to the one behind its last.
  const auto taken = [&](const Ref& from, size_t i, int64_t tap) {
    const ir::SymInt reach =
        sizes.at(i + 2) + 2 * padding.at(i) - dilation.at(i) * (kernel.at(i) - 1);
    const ir::SymInt start = tap * dilation.at(i);
    return c.slice(from, static_cast<int64_t>(i) + 2, start, start + reach, stride.at(i));
  };
  Refs taps;
  for (int64_t row = 0; row < kernel.at(0); ++row) {
    const Ref rows = taken(x, 0, row);
    for (int64_t column = 0; column < kernel.at(1); ++column) {
      taps.push_back(c.unsqueeze(taken(rows, 1, column), {2}));
    }
  }
  const Ref y = c.concat(taps, 2);
  c.result(c.reshape(y, {}, c.sizes()));
}

constexpr Entry kConvRules[] = {
    {"aten.convolution aten._convolution", convolution},
    {"aten.conv1d aten.conv2d aten.conv3d aten.conv1d.padding aten.conv2d.padding "
     "aten.conv3d.padding",
     conv},
    {"aten.conv_transpose1d aten.conv_transpose2d.input aten.conv_transpose3d.input",
     conv_transpose},
    {"aten.col2im", col2im},
    {"aten.im2col", im2col},
};

}  // namespace

std::span<const Entry> conv_rules() { return kConvRules; }

}  // namespace slipway::onnx
