// Convolutions, pooling and resizing: with the channels last.
#include <algorithm>
#include <cmath>
#include <string>

#include "base/half.h"
#include "xnnpack/builder/translator.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Kind = xnn::XNodeUnion;

// Of two dimensions; what has one is of height 1.
struct Window {
  Sizes kernel;
  Sizes stride;
  Sizes dilation;
  Sizes before;
  Sizes after;
  size_t spatial = 2;

  int64_t taps() const { return kernel[0] * kernel[1]; }
};

Window read_window(Translator& t, const Value& x, Sizes kernel) {
  const size_t spatial = x.rank() - 2;
  if (x.rank() != 3 && x.rank() != 4) Translator::refuse("XNNPACK has windows of two dimensions");
  const auto pads = t.attribute("pads", Sizes(2 * spatial, 0));
  Window window = {std::move(kernel),
                   t.attribute("strides", Sizes(spatial, 1)),
                   t.attribute("dilations", Sizes(spatial, 1)),
                   {},
                   {},
                   spatial};
  if (pads.size() != 2 * spatial) Translator::refuse("its padding is incomplete");
  window.before.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(spatial));
  window.after.assign(pads.begin() + static_cast<std::ptrdiff_t>(spatial), pads.end());
  for (Sizes* list : {&window.kernel, &window.stride, &window.dilation}) {
    if (list->size() != spatial) Translator::refuse("its window is incomplete");
    if (spatial == 1) list->insert(list->begin(), 1);
    if ((*list)[0] < 1 || (*list)[1] < 1) Translator::refuse("its window has no elements");
  }
  for (Sizes* list : {&window.before, &window.after}) {
    if (spatial == 1) list->insert(list->begin(), 0);
    if ((*list)[0] < 0 || (*list)[1] < 0) Translator::refuse("its padding is negative");
  }
  return window;
}

// The sizes of the result, with so many channels.
Dims slid(const Value& x, const Window& window, int64_t channels) {
  Dims sizes = {x.sizes[0], channels};
  for (size_t i = 2 - window.spatial; i < 2; ++i) {
    const ir::SymInt size = x.sizes[i + window.spatial] + window.before[i] + window.after[i];
    const int64_t reach = window.dilation[i] * (window.kernel[i] - 1) + 1;
    sizes.push_back(ir::SymInt::floordiv(size - reach, window.stride[i]) + 1);
  }
  return sizes;
}

uint32_t u32(int64_t number) { return static_cast<uint32_t>(number); }

// A weight, whose dimensions are [outputs, inputs of a group, kernel...].
View weight_of(Translator& t, const Value& x) {
  const Value& weight = t.input(1);
  if (!weight.constant) Translator::refuse("XNNPACK has convolutions with constant weights alone");
  const bool fits = weight.rank() == x.rank() && (x.rank() == 3 || x.rank() == 4);
  if (!fits) Translator::refuse("its operands have neither one nor two dimensions of space");
  return as_images(*weight.constant);
}

const Value* bias_of(Translator& t, int64_t channels) {
  if (!t.has(2)) return nullptr;
  const Value& bias = t.input(2);
  if (!bias.constant || bias.sizes != Dims{channels}) {
    Translator::refuse("XNNPACK has convolutions with constant biases alone");
  }
  return &bias;
}

// x * factor + term, for each channel.
struct Affine {
  std::vector<float> factors;
  std::vector<float> terms;
};

Affine affine_of(Translator& t, const onnx::Node& norm, size_t channels) {
  const float epsilon = onnx::attribute(norm, "epsilon", 1e-5F);
  const auto weight = t.numbers(norm, 1);
  const auto bias = t.numbers(norm, 2);
  const auto mean = t.numbers(norm, 3);
  const auto variance = t.numbers(norm, 4);
  for (const auto* list : {&weight, &bias, &mean, &variance}) {
    if (list->size() != channels) Translator::refuse("its numbers are not one for each channel");
  }
  Affine affine;
  for (size_t i = 0; i < channels; ++i) {
    affine.factors.push_back(weight[i] / std::sqrt(variance[i] + epsilon));
    affine.terms.push_back(bias[i] - mean[i] * affine.factors.back());
  }
  return affine;
}

void batch_normalization(Translator& t) {
  Value& x = t.input(0);
  if (x.rank() < 2) Translator::refuse("it has no channels");
  const int64_t channels = Translator::known(x.sizes[1]);
  Affine affine = affine_of(t, t.node(), static_cast<size_t>(channels));
  const Layout layout = Translator::layout_of(x);
  // As the channels lie among the dimensions.
  Sizes sizes(layout == Layout::kLast ? 1 : x.rank() - 1, 1);
  sizes.front() = channels;
  Value& y = t.define(x.sizes);
  Writer& writer = t.writer();
  const uint32_t from = t.get(x, layout);
  const uint32_t scaled = t.temporary(Translator::sizes_in(x.sizes, layout));
  writer.binary(Kind::XNNMultiply, from, t.numbers_of(affine.factors, sizes), scaled);
  writer.binary(Kind::XNNAdd, scaled, t.numbers_of(affine.terms, sizes), t.make(y, layout));
}

struct Filter {
  View view;
  Sizes sizes;
  size_t outputs_dim = 0;  // of these, where it has as many elements
  int64_t group_inputs = 1;
  int64_t group_outputs = 1;
  int64_t groups = 1;
  Sizes adjustment = {0, 0};
};

// A convolution by what its weight is multiplied by along a dimension, and a bias.
uint32_t join_norm(Translator& t, const onnx::Node& norm, Filter& filter, size_t dim) {
  const int64_t channels = filter.groups * filter.group_outputs;
  Affine affine = affine_of(t, norm, static_cast<size_t>(channels));
  if (t.has(2)) {
    const auto bias = t.numbers(t.node(), 2);
    for (size_t i = 0; i < bias.size() && i < affine.terms.size(); ++i) {
      affine.terms[i] += bias[i] * affine.factors[i];
    }
  }
  filter.view.factors = own(std::move(affine.factors));
  filter.view.scaled_dim = dim;
  t.join(norm);
  return t.writer().numbers(affine.terms);
}

// What a convolution reads and makes.
struct Ends {
  uint32_t from = kNone;
  uint32_t weight = kNone;
  uint32_t bias = kNone;
  uint32_t to = kNone;
};

auto convolution(Writer& writer, const Window& window, const Filter& filter, const Ends& ends) {
  return xnn::Create_XNNNodeConv(
      writer.builder(), u32(window.before[0]), u32(window.after[1]), u32(window.after[0]),
      u32(window.before[1]), u32(window.kernel[0]), u32(window.kernel[1]), u32(window.stride[0]),
      u32(window.stride[1]), u32(window.dilation[0]), u32(window.dilation[1]),
      u32(filter.group_inputs), u32(filter.group_outputs), u32(filter.groups),
      u32(filter.adjustment[0]), u32(filter.adjustment[1]), ends.from, ends.weight, ends.bias,
      ends.to);
}

void convolve(Translator& t, Kind kind, const Window& window, const Filter& filter, uint32_t bias,
              Value& x, Value& y) {
  Writer& writer = t.writer();
  const uint32_t from = t.get(x, Layout::kLast);
  const uint32_t weight = writer.filter(filter.view, filter.sizes);
  const Ends ends = {from, weight, bias, t.make(y, Layout::kLast)};
  writer.node(kind, convolution(writer, window, filter, ends));
}

// In 8 bits, where operands and result are quantized; else false.
bool convolve_levels(Translator& t, Kind kind, const Window& window, const Filter& filter, Value& x,
                     const Dims& sizes) {
  if (!x.type.quantization || !has_levels(filter.view, filter.outputs_dim)) return false;
  const auto bias = t.floats(2);
  const auto made = t.quantized(sizes, [&](const Quantization& to) {
    return can_multiply(filter.view, bias, *x.type.quantization, to);
  });
  if (!made) return false;
  Writer& writer = t.writer();
  Ends ends;
  ends.from = t.held(x, Layout::kLast);
  ends.weight = levels_of(writer, filter.view, filter.sizes, filter.outputs_dim);
  ends.bias = steps_of(writer, bias, filter.view, *x.type.quantization);
  ends.to = t.make(made->value, Layout::kLast);
  writer.node(kind, convolution(writer, window, filter, ends), made->low, made->high);
  return true;
}

void conv(Translator& t) {
  Value& x = t.input(0);
  Filter filter;
  filter.view = weight_of(t, x);
  const Sizes w = filter.view.sizes;
  const Window window = read_window(t, x, x.rank() == 3 ? Sizes{w[3]} : Sizes{w[2], w[3]});
  filter.groups = t.attribute("group", int64_t{1});
  if (filter.groups < 1 || x.sizes[1] != ir::SymInt(filter.groups * w[1]) ||
      w[0] % filter.groups != 0) {
    Translator::refuse("its groups of channels do not fit");
  }
  filter.group_inputs = w[1];
  filter.group_outputs = w[0] / filter.groups;
  const bool is_depthwise = filter.groups > 1 && w[1] == 1;
  filter.view = permuted(filter.view, is_depthwise ? Sizes{1, 2, 3, 0} : Sizes{0, 2, 3, 1});
  filter.sizes = filter.view.sizes;
  filter.outputs_dim = is_depthwise ? 3 : 0;
  const Dims sizes = slid(x, window, w[0]);
  const Kind kind = is_depthwise ? Kind::XNNDepthwiseConv2d : Kind::XNNConv2d;
  const Value* added = bias_of(t, w[0]);
  if (convolve_levels(t, kind, window, filter, x, sizes)) return;
  Value* y = &t.define(sizes);
  uint32_t bias = kNone;
  const onnx::Node* norm = t.only_reader("BatchNormalization");
  if (norm != nullptr && filter.view.factors == nullptr) {
    bias = join_norm(t, *norm, filter, filter.outputs_dim);
    Value& normed = t.result_of(*norm);
    normed.sizes = y->sizes;
    y = &normed;
  } else if (added != nullptr) {
    bias = t.writer().constant(*added->constant, {w[0]});
  }
  convolve(t, kind, window, filter, bias, x, *y);
}

void conv_transpose(Translator& t) {
  Value& x = t.input(0);
  Filter filter;
  // [inputs, outputs of a group, kernel...]
  const View weight = weight_of(t, x);
  const Sizes& w = weight.sizes;
  const Window window = read_window(t, x, x.rank() == 3 ? Sizes{w[3]} : Sizes{w[2], w[3]});
  filter.groups = t.attribute("group", int64_t{1});
  if (filter.groups < 1 || x.sizes[1] != ir::SymInt(w[0]) || w[0] % filter.groups != 0) {
    Translator::refuse("its groups of channels do not fit");
  }
  filter.group_inputs = w[0] / filter.groups;
  filter.group_outputs = w[1];
  filter.adjustment = t.attribute("output_padding", Sizes(window.spatial, 0));
  if (window.spatial == 1) filter.adjustment.insert(filter.adjustment.begin(), 0);
  const Sizes& s = weight.strides;
  filter.view = weight;
  filter.view.sizes = {filter.groups, w[1], w[2], w[3], filter.group_inputs};
  filter.view.strides = {filter.group_inputs * s[0], s[1], s[2], s[3], s[0]};
  if (weight.factors != nullptr && weight.factors->size() > 1 && weight.scaled_dim == 0) {
    if (filter.groups > 1) Translator::refuse("the scales of its weight are not of its outputs");
    filter.view.scaled_dim = 4;
  }
  filter.sizes = {filter.groups * w[1], w[2], w[3], filter.group_inputs};
  Dims sizes = {x.sizes[0], filter.groups * w[1]};
  for (size_t i = 0; i < 2; ++i) {
    if (filter.adjustment[i] < 0 || filter.adjustment[i] >= window.stride[i]) {
      Translator::refuse("XNNPACK adds fewer places at the end than its stride has");
    }
    if (i < 2 - window.spatial) continue;
    sizes.push_back((x.sizes[i + window.spatial] - 1) * window.stride[i] +
                    window.dilation[i] * (window.kernel[i] - 1) + 1 + filter.adjustment[i] -
                    window.before[i] - window.after[i]);
  }
  const int64_t channels = filter.groups * filter.group_outputs;
  const Value* added = bias_of(t, channels);
  Value& y = t.define(sizes);
  const uint32_t bias =
      added == nullptr ? kNone : t.writer().constant(*added->constant, {channels});
  convolve(t, Kind::XNNConvTranspose2d, window, filter, bias, x, y);
}

void max_pool(Translator& t) {
  if (t.node().outputs.size() > 1 && !t.node().outputs[1].empty()) {
    Translator::refuse("the places of the largest elements are among its results");
  }
  Value& x = t.input(0);
  const Window window = read_window(t, x, t.attribute("kernel_shape", Sizes{}));
  if (window.taps() == 1) Translator::refuse("XNNPACK has no windows of one element");
  for (size_t i = 0; i < 2; ++i) {
    if (window.before[i] + window.after[i] == 0 || window.dilation[i] == 1) continue;
    // XNNPACK gives a number where PyTorch gives -inf.
    const auto size = x.sizes[x.rank() - 2 + i].constant();
    if (!size || *size < window.dilation[i]) {
      Translator::refuse("a window may miss the image between its elements");
    }
  }
  const Dims sizes = slid(x, window, Translator::known(x.sizes[1]));
  // Not every processor has extrema of halves.
  const bool holds_halves = is_half(x.type.dtype());
  Value& y = holds_halves ? t.define(sizes) : t.define_moved(x, sizes);
  Writer& writer = t.writer();
  const uint32_t from = holds_halves ? t.get(x, Layout::kLast) : t.held(x, Layout::kLast);
  writer.node(
      Kind::XNNMaxPooling2d,
      xnn::Create_XNNPooling2D(writer.builder(), u32(window.before[0]), u32(window.after[1]),
                               u32(window.after[0]), u32(window.before[1]), u32(window.kernel[0]),
                               u32(window.kernel[1]), u32(window.stride[0]), u32(window.stride[1]),
                               u32(window.dilation[0]), u32(window.dilation[1]), from,
                               t.make(y, Layout::kLast)));
}

// As a convolution of each channel with equal weights: XNNPACK's own makes -inf of NaN.
void average_pool(Translator& t) {
  Value& x = t.input(0);
  const Window window = read_window(t, x, t.attribute("kernel_shape", Sizes{}));
  const bool is_padded = window.before != Sizes{0, 0} || window.after != Sizes{0, 0};
  if (is_padded && t.attribute("count_include_pad", int64_t{0}) == 0) {
    Translator::refuse("what is padded does not count in its averages");
  }
  const int64_t channels = Translator::known(x.sizes[1]);
  Filter filter;
  filter.groups = channels;
  filter.sizes = {1, window.kernel[0], window.kernel[1], channels};
  const auto taps = static_cast<float>(window.taps());
  filter.view = {nullptr, filter.sizes, {0, 0, 0, 0}, bytes_of<int8_t>({1}), DType::kInt8};
  filter.view.factors = own({1 / taps});
  const Dims sizes = slid(x, window, channels);
  const Kind kind = channels > 1 ? Kind::XNNDepthwiseConv2d : Kind::XNNConv2d;
  if (convolve_levels(t, kind, window, filter, x, sizes)) return;
  convolve(t, kind, window, filter, kNone, x, t.define(sizes));
}

constexpr uint32_t kKeepDims = 64;  // XNN_FLAG_KEEP_DIMS

// A mean and what it is of, in 8 bits where both are quantized.
struct Mean {
  Quantized made;
  bool is_of_levels = false;

  uint32_t get(Translator& t, Value& x, Layout layout) const {
    return is_of_levels ? t.held(x, layout) : t.get(x, layout);
  }
};

// With sizes that vary, what XNNPACK adds up in 8 bits is now and then what another call left
// there.
Mean mean_of(Translator& t, const Value& x, const Dims& sizes) {
  const bool is_fixed = std::all_of(x.sizes.begin(), x.sizes.end(), [](const ir::SymInt& size) {
    return size.constant().has_value();
  });
  if (x.type.quantization && is_fixed) {
    const auto made = t.quantized(sizes, [&](const Quantization& to) {
      const float ratio = x.type.quantization->scale / to.scale;
      return ratio >= 0x1p-8F && ratio < 0x1p+8F;
    });
    if (made) return {*made, true};
  }
  return {{t.define(sizes)}, false};
}

// Of each image, whose sizes become 1.
void average(Writer& writer, uint32_t from, const Mean& mean, uint32_t to) {
  const auto node = xnn::Create_XNNNode1x1(writer.builder(), from, to, kKeepDims);
  if (mean.is_of_levels) {
    return writer.node(Kind::XNNGlobalAvgPooling2d, node, mean.made.low, mean.made.high);
  }
  writer.node(Kind::XNNGlobalAvgPooling2d, node);
}

void global_average_pool(Translator& t) {
  Value& x = t.input(0);
  if (!Translator::has_layout(x, Layout::kLast)) {
    Translator::refuse("XNNPACK has windows of two dimensions");
  }
  Dims sizes = {x.sizes[0], x.sizes[1], 1};
  if (x.rank() == 4) sizes.push_back(1);
  const Mean mean = mean_of(t, x, sizes);
  const uint32_t from = mean.get(t, x, Layout::kLast);
  average(t.writer(), from, mean, t.make(mean.made.value, Layout::kLast));
}

// Over dimensions that follow each other.
void reduce_mean(Translator& t) {
  Value& x = t.input(0);
  std::vector<size_t> axes;
  for (const int64_t item : t.integers(1)) axes.push_back(Translator::axis(item, x.rank()));
  std::sort(axes.begin(), axes.end());
  if (axes.empty() || axes.back() - axes.front() + 1 != axes.size()) {
    Translator::refuse("XNNPACK has means of dimensions that follow each other");
  }
  const bool keeps = t.attribute("keepdims", int64_t{1}) != 0;
  Dims sizes;
  Dims images = {1, 1, 1, 1};
  for (size_t i = 0; i < x.rank(); ++i) {
    const bool is_reduced = i >= axes.front() && i <= axes.back();
    if (!is_reduced || keeps) sizes.push_back(is_reduced ? ir::SymInt(1) : x.sizes[i]);
    ir::SymInt& size = images[i < axes.front() ? 0 : is_reduced ? 1 : 3];
    size = size * x.sizes[i];
  }
  Writer& writer = t.writer();
  const bool is_of_images = x.is_last() && axes.front() == 2 && axes.back() + 1 == x.rank();
  const Mean means = mean_of(t, x, sizes);
  Value& y = means.made.value;
  if (is_of_images) {
    const uint32_t from = means.get(t, x, Layout::kLast);
    if (keeps) {
      average(writer, from, means, t.make(y, Layout::kLast));
      return;
    }
    const uint32_t mean = t.temporary({x.sizes[0], 1, 1, x.sizes[1]}, y.type);
    average(writer, from, means, mean);
    return t.reshape(mean, sizes, t.make(y, Layout::kPlain));
  }
  const Type held = means.is_of_levels ? x.type : Type();
  const uint32_t from = t.temporary(images, held);
  t.reshape(means.get(t, x, Layout::kPlain), images, from);
  const uint32_t mean = t.temporary({images[0], 1, 1, images[3]}, y.type);
  average(writer, from, means, mean);
  t.reshape(mean, sizes, t.make(y, Layout::kPlain));
}

constexpr uint32_t kAlignCorners = 8;  // XNN_FLAG_ALIGN_CORNERS

void resize(Translator& t) {
  Value& x = t.input(0);
  const std::string places = t.attribute("coordinate_transformation_mode", "half_pixel");
  if (t.attribute("mode", "nearest") != "linear" || x.rank() != 4) {
    Translator::refuse("XNNPACK resizes images bilinearly alone");
  }
  const Dims* declared = t.declared(0);
  const Dims sizes = declared != nullptr ? *declared : dims_of(t.integers(3));
  if (sizes.size() != 4 || sizes[0] != x.sizes[0] || sizes[1] != x.sizes[1]) {
    Translator::refuse("XNNPACK resizes images alone");
  }
  const int64_t height = Translator::known(sizes[2]);
  const int64_t width = Translator::known(sizes[3]);
  Value& y = t.define(sizes);
  Writer& writer = t.writer();
  const uint32_t from = t.get(x, Layout::kLast);
  writer.node(Kind::XNNStaticResizeBilinear2D,
              xnn::CreateXNNStaticResizeBilinear2D(writer.builder(), u32(height), u32(width), from,
                                                   t.make(y, Layout::kLast),
                                                   places == "align_corners" ? kAlignCorners : 0));
}

constexpr Entry kWindowRules[] = {
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
    {"MaxPool", max_pool},
    {"AveragePool", average_pool},
    {"GlobalAveragePool", global_average_pool},
    {"ReduceMean", reduce_mean},
    {"Resize", resize},
    {"BatchNormalization", batch_normalization},
};

}  // namespace

std::span<const Entry> window_rules() { return kWindowRules; }

}  // namespace slipway::xnnpack
