// What is quantized to int8: values, and the nodes that compute with them.
#include <algorithm>
#include <cmath>

#include "xnnpack/builder/translator.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Kind = xnn::XNodeUnion;

constexpr int kLeast = -128;
constexpr int kMost = 127;

// The level of a number.
float level_of(float number, const Quantization& quantization) {
  const float level =
      std::nearbyint(number / quantization.scale) + static_cast<float>(quantization.zero_point);
  return std::clamp(level, static_cast<float>(kLeast), static_cast<float>(kMost));
}

void quantize(Translator& t) {
  Value& x = t.input(0);
  const auto quantization = t.quantization_of(t.node());
  if (!quantization) {
    Translator::refuse("XNNPACK quantizes to int8, by a scale and a zero point that are known");
  }
  if (x.type.quantization == quantization) return t.alias(t.node(), t.node().inputs.front());
  Value& y = t.define(x.sizes);
  y.type.quantization = quantization;
  const Layout layout = Translator::layout_of(x);
  const uint32_t from = t.get(x, layout);
  t.writer().unary(Kind::XNNConvert, from, t.make(y, layout));
}

// A weight: its levels by one scale or one for each place along a dimension.
void dequantize_constant(Translator& t, const onnx::Initializer& levels) {
  View view = {&levels, levels.sizes, contiguous_strides(levels.sizes)};
  view.dtype = DType::kInt8;
  const auto quantization = t.quantization_of(t.node());
  if (quantization) {
    view.factors = own({quantization->scale});
    view.zero_point = quantization->zero_point;
  } else {
    std::vector<float> scales = t.floats(1);
    const size_t dim = Translator::axis(t.attribute("axis", int64_t{1}), levels.sizes.size());
    view.group = t.attribute("block_size", int64_t{0});
    int64_t count = levels.sizes[dim];
    view.scaled_dim = dim;
    if (view.group > 0 && levels.sizes.size() == 2 && count % view.group == 0) {
      view.grouped_dim = dim;
      view.scaled_dim = 1 - dim;
      count = count / view.group * levels.sizes[view.scaled_dim];
    }
    // The lowering leaves zero points out that are all 0.
    const bool fits = static_cast<int64_t>(scales.size()) == count;
    if (!fits || t.has(2)) Translator::refuse("XNNPACK has weights with zero points of 0 alone");
    view.factors = own(std::move(scales));
    view.is_narrow = t.attribute("bits", int64_t{8}) == 4;
  }
  if (std::find(levels.sizes.begin(), levels.sizes.end(), 0) != levels.sizes.end()) {
    Translator::refuse("its operand has no elements");
  }
  Value& y = t.result_of(t.node());
  y.sizes = dims_of(levels.sizes);
  y.constant = std::move(view);
}

void dequantize(Translator& t) {
  if (const onnx::Initializer* levels = t.levels(0)) return dequantize_constant(t, *levels);
  const Value& x = t.quantized_input(0);
  if (t.quantization_of(t.node()) != x.type.quantization) {
    Translator::refuse("it is dequantized otherwise than it has been quantized");
  }
  t.alias(t.node(), t.node().inputs.front());
}

void fake_quantize_rows(Translator& t) {
  Value& x = t.input(0);
  const uint32_t from = t.get(x, Layout::kPlain);
  Value& y = t.define(x.sizes);
  y.id(Layout::kPlain) = from;
  y.is_rounded = true;
}

// Of what products of an operand and a weight add up to.
std::vector<float> sum_scales(const View& weight, const Quantization& from) {
  std::vector<float> scales;
  for (const float scale : *weight.factors) scales.push_back(from.scale * scale);
  return scales;
}

std::vector<double> bias_steps(const std::vector<float>& bias, const std::vector<float>& scales) {
  std::vector<double> steps;
  for (size_t i = 0; i < bias.size(); ++i) {
    steps.push_back(std::nearbyint(double{bias[i]} / scales[scales.size() == 1 ? 0 : i]));
  }
  return steps;
}

constexpr Entry kQuantizedRules[] = {
    {"QuantizeLinear", quantize},
    {"DequantizeLinear", dequantize},
    {"FakeQuantizeRows", fake_quantize_rows},
};

}  // namespace

std::span<const Entry> quantized_rules() { return kQuantizedRules; }

bool Quantized::is_limited() const {
  const Quantization& quantization = *value.type.quantization;
  return level_of(low, quantization) > kLeast || level_of(high, quantization) < kMost;
}

bool limit(Translator& t, Value& x) {
  if (!x.type.quantization) return false;
  const auto made =
      t.quantized(x.sizes, [&](const Quantization& to) { return to == *x.type.quantization; });
  if (!made) return false;
  if (!made->is_limited()) {
    made->value.ids = x.ids;
    return true;
  }
  const Layout layout = Translator::layout_of(x);
  Writer& writer = t.writer();
  const uint32_t from = t.held(x, layout);
  const uint32_t to = t.make(made->value, layout);
  writer.node(Kind::XNNClamp, xnn::Create_XNNNode1x1(writer.builder(), from, to), made->low,
              made->high);
  return true;
}

bool has_levels(const View& weight, size_t outputs_dim) {
  if (weight.dtype != DType::kInt8 || weight.zero_point != 0 || weight.group != 0) return false;
  const Numbers& scales = weight.factors;
  return (scales->size() == 1 || weight.scaled_dim == outputs_dim) &&
         std::all_of(scales->begin(), scales->end(),
                     [](float scale) { return std::isnormal(scale) && scale > 0; });
}

bool can_multiply(const View& weight, const std::vector<float>& bias, const Quantization& from,
                  const Quantization& to) {
  const auto scales = sum_scales(weight, from);
  const bool scales_fit = std::all_of(scales.begin(), scales.end(), [&](float scale) {
    const float ratio = scale / to.scale;
    return std::isnormal(scale) && ratio >= 0x1p-32F && ratio < 256;
  });
  // Products are added to it in 32 bits.
  constexpr double kMostSteps = 1 << 30;
  const auto steps = bias_steps(bias, scales);
  return scales_fit && std::all_of(steps.begin(), steps.end(),
                                   [&](double step) { return std::abs(step) <= kMostSteps; });
}

uint32_t levels_of(Writer& writer, const View& weight, const Sizes& sizes, size_t outputs_dim) {
  const auto& scales = *weight.factors;
  return writer.levels(weight, sizes, scales,
                       scales.size() > 1 ? std::optional(outputs_dim) : std::nullopt);
}

uint32_t steps_of(Writer& writer, const std::vector<float>& bias, const View& weight,
                  const Quantization& from) {
  if (bias.empty()) return kNone;
  const auto scales = sum_scales(weight, from);
  std::vector<int32_t> steps;
  for (const double step : bias_steps(bias, scales)) steps.push_back(static_cast<int32_t>(step));
  const Sizes sizes = {static_cast<int64_t>(steps.size())};
  const View view = {nullptr, sizes, {1}, bytes_of(steps), DType::kInt32};
  return writer.levels(view, sizes, scales,
                       scales.size() > 1 ? std::optional<size_t>(0) : std::nullopt);
}

std::optional<Quantization> Translator::quantization_of(const onnx::Node& node) const {
  const auto scale = number(node, 1);
  if (!scale || !std::isnormal(*scale) || *scale < 0) return std::nullopt;
  if (node.inputs.size() < 3) {
    const bool is_int8 = node.op_type == "DequantizeLinear";
    return is_int8 ? std::optional(Quantization{*scale, 0}) : std::nullopt;
  }
  const auto zero_point = level(node, 2);
  return zero_point ? std::optional(Quantization{*scale, *zero_point}) : std::nullopt;
}

std::optional<Quantization> Translator::quantization_of_input(const std::string& name) const {
  const auto found = readers_.find(name);
  if (found == readers_.end()) return std::nullopt;
  for (const onnx::Node* reader : found->second) {
    if (reader != nullptr && reader->op_type == "DequantizeLinear") return quantization_of(*reader);
  }
  return std::nullopt;
}

Value& Translator::quantized_input(size_t i) {
  Value* value = has(i) ? find_value(node_->inputs[i]) : nullptr;
  if (value == nullptr || !value->type.quantization) {
    refuse("XNNPACK dequantizes int8, by a scale and a zero point that are known");
  }
  return *value;
}

// What a node limits its operand to.
std::optional<std::pair<float, float>> Translator::limits_of(const onnx::Node& node) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (node.op_type == "Relu") return std::pair(0.0F, kInfinity);
  if (node.op_type != "Clip") return std::nullopt;
  const auto low = number(node, 1);
  const auto high = number(node, 2);
  if (!low || !high || !(*low < *high)) return std::nullopt;
  return std::pair(*low, *high);
}

std::optional<Translator::Tail> Translator::find_tail() const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::optional<Tail> tail;
  std::vector<const onnx::Node*> nodes;
  std::optional<Quantization> quantization;
  std::pair<float, float> limits = {-kInfinity, kInfinity};
  for (const onnx::Node* at = node_; at != nullptr; at = only_reader(*at)) {
    if (const auto more = limits_of(*at)) {
      limits = {std::clamp(limits.first, more->first, more->second),
                std::clamp(limits.second, more->first, more->second)};
    } else if (at->op_type == "QuantizeLinear") {
      const auto found = quantization_of(*at);
      // Limits need room for two levels.
      if (!found || (quantization && found != quantization) ||
          !(level_of(limits.first, *found) < level_of(limits.second, *found))) {
        break;
      }
      quantization = found;
    } else if (at->op_type == "DequantizeLinear") {
      if (!quantization || quantization_of(*at) != quantization) break;
    } else if (at != node_) {
      break;
    }
    if (at == node_) continue;
    nodes.push_back(at);
    if (at->op_type == "QuantizeLinear") tail = {nodes, *quantization, limits.first, limits.second};
  }
  return tail;
}

Quantized Translator::join_tail(const Tail& tail, const Dims& sizes) {
  for (const onnx::Node* node : tail.nodes) join(*node);
  Value& value = define(*tail.nodes.back(), 0, sizes);
  value.type.quantization = tail.quantization;
  return {value, tail.low, tail.high};
}

}  // namespace slipway::xnnpack
