// What is computed element by element.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <unordered_map>

#include "base/half.h"
#include "xnnpack/builder/translator.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Kind = xnn::XNodeUnion;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A result of the operand's sizes, by nodes that `emit` adds to go from one id to another.
template <class Emit>
void map(Translator& t, const Emit& emit, size_t operand = 0) {
  Value& x = t.input(operand);
  const Layout layout = Translator::layout_of(x);
  Value& y = t.define(x.sizes);
  const uint32_t from = t.get(x, layout);
  const Dims sizes = Translator::sizes_in(x.sizes, layout);
  emit(from, t.make(y, layout), sizes);
}

Kind unary_kind(const std::string& op_type) {
  static const std::unordered_map<std::string, Kind> kKinds = {
      {"Abs", Kind::XNNAbs},         {"Ceil", Kind::XNNCeiling},
      {"Floor", Kind::XNNFloor},     {"HardSwish", Kind::XNNHardswish},
      {"Sigmoid", Kind::XNNSigmoid}, {"Tanh", Kind::XNNTanh},
  };
  return kKinds.at(op_type);
}

void unary(Translator& t) {
  map(t, [&](uint32_t from, uint32_t to, const Dims&) {
    t.writer().unary(unary_kind(t.node().op_type), from, to);
  });
}

void clamp(Writer& writer, uint32_t from, uint32_t to, float low, float high) {
  writer.node(Kind::XNNClamp, xnn::Create_XNNNode1x1(writer.builder(), from, to), low, high);
}

void relu(Translator& t) {
  if (limit(t, t.input(0))) return;
  map(t,
      [&](uint32_t from, uint32_t to, const Dims&) { clamp(t.writer(), from, to, 0, kInfinity); });
}

void clip(Translator& t) {
  const auto low = t.number(1);
  const auto high = t.number(2);
  if (!low || !high || !(*low < *high)) {
    Translator::refuse("XNNPACK clamps between two numbers of which the first is lower");
  }
  if (limit(t, t.input(0))) return;
  map(t,
      [&](uint32_t from, uint32_t to, const Dims&) { clamp(t.writer(), from, to, *low, *high); });
}

// clamp(x * alpha + beta, 0, 1)
void hard_sigmoid(Translator& t) {
  map(t, [&](uint32_t from, uint32_t to, const Dims& sizes) {
    Writer& writer = t.writer();
    const uint32_t scaled = t.temporary(sizes);
    writer.binary(Kind::XNNMultiply, from, t.number_of(t.attribute("alpha", 0.2F)), scaled);
    const uint32_t moved = t.temporary(sizes);
    writer.binary(Kind::XNNAdd, scaled, t.number_of(t.attribute("beta", 0.5F)), moved);
    clamp(writer, moved, to, 0, 1);
  });
}

// XNNPACK's own makes 0 of 0, and not -0.
void negate(Translator& t) {
  map(t, [&](uint32_t from, uint32_t to, const Dims&) {
    t.writer().binary(Kind::XNNMultiply, from, t.number_of(-1), to);
  });
}

void reciprocal(Translator& t) {
  map(t, [&](uint32_t from, uint32_t to, const Dims&) {
    t.writer().binary(Kind::XNNDiv, t.number_of(1), from, to);
  });
}

void gelu(Translator& t) {
  if (t.attribute("approximate", "none") != "none") {
    Translator::refuse("XNNPACK has Gelu by the error function alone");
  }
  map(t,
      [&](uint32_t from, uint32_t to, const Dims&) { t.writer().unary(Kind::XNNGelu, from, to); });
}

void leaky_relu(Translator& t) {
  const float slope = t.attribute("alpha", 0.01F);
  // XNNPACK refuses others, and 1.
  if (!std::isnormal(slope) || slope == 1) Translator::refuse("its slope is none that XNNPACK has");
  map(t, [&](uint32_t from, uint32_t to, const Dims&) {
    t.writer().node(Kind::XNNLeakyReLU,
                    xnn::CreateXNNLeakyReLU(t.writer().builder(), slope, from, to));
  });
}

void elu(Translator& t) {
  const float alpha = t.attribute("alpha", 1.0F);
  if (!std::isnormal(alpha) || alpha < 0) {
    Translator::refuse("XNNPACK has Elu with positive factors alone");
  }
  map(t, [&](uint32_t from, uint32_t to, const Dims&) {
    t.writer().node(Kind::XNNELU, xnn::CreateXNNELU(t.writer().builder(), alpha, from, to));
  });
}

Dims broadcast(const Dims& a, const Dims& b) {
  Dims sizes = a.size() >= b.size() ? a : b;
  const Dims& other = a.size() >= b.size() ? b : a;
  const size_t shift = sizes.size() - other.size();
  for (size_t i = 0; i < other.size(); ++i) {
    ir::SymInt& size = sizes[i + shift];
    if (is_one(size)) size = other[i];
    if (size != other[i] && !is_one(other[i])) Translator::refuse("its sizes may differ");
  }
  return sizes;
}

// Whether XNNPACK computes it in 8 bits between such scales.
bool can_combine(Kind kind, const Quantization& a, const Quantization& b, const Quantization& y) {
  if (kind == Kind::XNNMultiply) {
    const float ratio = a.scale * b.scale / y.scale;
    return ratio >= 0x1p-16F && ratio < 0x1p+8F;
  }
  const auto fits = [&](const Quantization& x) {
    const float ratio = x.scale / y.scale;
    return ratio >= 0x1p-10F && ratio < 0x1p+8F;
  };
  return (kind == Kind::XNNAdd || kind == Kind::XNNSubtract) && fits(a) && fits(b);
}

void combine(Translator& t, Kind kind, Value& a, Value& b) {
  const Dims sizes = broadcast(a.sizes, b.sizes);
  const auto can_be_last = [&](const Value& x) {
    return x.constant || (x.rank() == sizes.size() && Translator::has_layout(x, Layout::kLast));
  };
  const bool is_last = (a.is_last() || b.is_last()) && can_be_last(a) && can_be_last(b);
  const Layout layout = is_last ? Layout::kLast : Layout::kPlain;
  if (a.type.quantization && b.type.quantization) {
    const auto made = t.quantized(sizes, [&](const Quantization& y) {
      return can_combine(kind, *a.type.quantization, *b.type.quantization, y);
    });
    if (made) {
      const uint32_t left = t.held(a, layout);
      const uint32_t right = t.held(b, layout);
      Writer& writer = t.writer();
      const auto node =
          xnn::Create_XNNNode2x1(writer.builder(), left, right, t.make(made->value, layout));
      return writer.node(kind, node, made->low, made->high);
    }
  }
  Value& y = t.define(sizes);
  const uint32_t left = t.get_broadcast(a, layout, y.rank());
  const uint32_t right = t.get_broadcast(b, layout, y.rank());
  t.writer().binary(kind, left, right, t.make(y, layout));
}

void binary(Translator& t) {
  static const std::unordered_map<std::string, Kind> kKinds = {
      {"Add", Kind::XNNAdd},
      {"Sub", Kind::XNNSubtract},
      {"Mul", Kind::XNNMultiply},
      {"Div", Kind::XNNDiv},
  };
  combine(t, kKinds.at(t.node().op_type), t.input(0), t.input(1));
}

void prelu(Translator& t) {
  if (!t.input(1).constant) Translator::refuse("XNNPACK has PRelu with constant slopes alone");
  combine(t, Kind::XNNPReLU, t.input(0), t.input(1));
}

// Of two tensors, XNNPACK loses the NaN of one; a number limits the other.
void extremum(Translator& t) {
  if (t.node().inputs.size() != 2) Translator::refuse("it has other than two operands");
  const size_t place = t.number(0) ? 0 : 1;
  const auto number = t.number(place);
  const bool is_max = t.node().op_type == "Max";
  const float low = is_max ? number.value_or(0) : -kInfinity;
  const float high = is_max ? kInfinity : number.value_or(0);
  const bool fits = number && t.input(place).rank() <= t.input(1 - place).rank();
  if (!fits || !(low < high)) {
    Translator::refuse("XNNPACK loses NaN in the extrema of two tensors");
  }
  map(
      t, [&](uint32_t from, uint32_t to, const Dims&) { clamp(t.writer(), from, to, low, high); },
      1 - place);
}

// Between float32 and half types. What is rounded may stay as it is with reduced precision.
void cast(Translator& t) {
  const auto to = t.result_type();
  if (to != DType::kFloat32 && !is_half(to)) {
    Translator::refuse("XNNPACK computes in float32 and half types alone");
  }
  Value& x = t.float_input(0);
  const bool rounds = is_half(to) && x.type.dtype() != to;
  if (!rounds || t.allows_reduced_precision()) {
    return t.alias(t.node(), t.node().inputs.front());
  }
  Value& y = t.define(x.sizes);
  y.type.numbers = to;
  const Layout layout = Translator::layout_of(x);
  const uint32_t from = t.get(x, layout);
  t.writer().unary(Kind::XNNConvert, from, t.make(y, layout));
}

constexpr Entry kPointwiseRules[] = {
    {"Cast", cast},
    {"Abs", unary},
    {"Ceil", unary},
    {"Floor", unary},
    {"HardSwish", unary},
    {"Sigmoid", unary},
    {"Tanh", unary},
    {"Neg", negate},
    {"Relu", relu},
    {"Clip", clip},
    {"Gelu", gelu},
    {"Elu", elu},
    {"HardSigmoid", hard_sigmoid},
    {"LeakyRelu", leaky_relu},
    {"Reciprocal", reciprocal},
    {"Add", binary},
    {"Sub", binary},
    {"Mul", binary},
    {"Div", binary},
    {"PRelu", prelu},
    {"Max", extremum},
    {"Min", extremum},
};

}  // namespace

std::span<const Entry> pointwise_rules() { return kPointwiseRules; }

}  // namespace slipway::xnnpack
