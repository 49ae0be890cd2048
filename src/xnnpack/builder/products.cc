// Products of matrices, and softmax.
#include <cmath>

#include "base/half.h"
#include "xnnpack/builder/translator.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;
using Kind = xnn::XNodeUnion;

// XNNPACK has groups of so many elements, and multiples.
constexpr int64_t kGroup = 32;

// Scales as bfloat16, if that is what they are or they may be rounded.
std::vector<uint16_t> brief_scales(Translator& t, const std::vector<float>& scales) {
  std::vector<uint16_t> brief;
  for (const float scale : scales) {
    brief.push_back(to_bfloat16(scale));
    const float held = from_bfloat16(brief.back());
    if (!std::isnormal(held) || held < 0) Translator::refuse("a scale of its weight is 0 or none");
    if (held != scale && !t.allows_reduced_precision()) {
      Translator::refuse(
          "XNNPACK has scales of groups in bfloat16, and its weight's are not: quantize with "
          "weight_scale_dtype=torch.bfloat16, or set option 'allow_reduced_precision'");
    }
  }
  return brief;
}

// The weight's levels, as products with rounded rows take them.
uint32_t packed(Translator& t, const View& weight) {
  Writer& writer = t.writer();
  if (weight.group != 0) {
    const bool fits = weight.is_narrow && weight.group % kGroup == 0 && weight.scaled_dim == 0;
    if (!fits) Translator::refuse("XNNPACK has groups of 32 levels of four bits, or multiples");
    return writer.nibbles_in_groups(weight, brief_scales(t, *weight.factors));
  }
  if (!has_levels(weight, 0)) {
    Translator::refuse("XNNPACK multiplies rounded rows by weights of 8 or 4 bits alone");
  }
  std::vector<float> scales = *weight.factors;
  scales.resize(static_cast<size_t>(weight.sizes[0]), scales.front());
  return weight.is_narrow ? writer.nibbles(weight, scales)
                          : writer.levels(weight, weight.sizes, scales, 0);
}

// x * weight^T + bias; the weight's dimensions are [outputs, inputs].
void multiply(Translator& t, Value& x, const View& weight, const Value* bias) {
  if (x.sizes.back() != ir::SymInt(weight.sizes[1]))
    Translator::refuse("its operands do not fit each other");
  Dims sizes = x.sizes;
  sizes.back() = weight.sizes[0];
  Writer& writer = t.writer();
  if (x.is_rounded) {
    Value& y = t.define(sizes);
    const uint32_t from = t.rows_of(x);
    const uint32_t filter = packed(t, weight);
    const uint32_t added =
        bias == nullptr ? kNone : writer.constant(*bias->constant, {weight.sizes[0]});
    const uint32_t product = t.temporary(sizes);
    writer.node(Kind::XNNFullyConnected,
                xnn::CreateXNNFullyConnected(writer.builder(), from, filter, added, product));
    // XNNPACK quantizes NaN and infinities to some level.
    return writer.binary(Kind::XNNAdd, product, t.faults_of(x), t.make(y, Layout::kPlain));
  }
  const bool has_scales = has_levels(weight, 0);
  if (x.type.quantization && has_scales) {
    const auto numbers = t.floats(2);
    const auto made = t.quantized(sizes, [&](const Quantization& to) {
      return can_multiply(weight, numbers, *x.type.quantization, to);
    });
    if (made) {
      const uint32_t from = t.held(x, Layout::kPlain);
      const uint32_t filter = levels_of(writer, weight, weight.sizes, 0);
      const uint32_t steps = steps_of(writer, numbers, weight, *x.type.quantization);
      return writer.node(Kind::XNNFullyConnected,
                         xnn::CreateXNNFullyConnected(writer.builder(), from, filter, steps,
                                                      t.make(made->value, Layout::kPlain)),
                         made->low, made->high);
    }
  }
  Value& y = t.define(sizes);
  const uint32_t from = t.get(x, Layout::kPlain);
  const auto add_node = [&](uint32_t filter, uint32_t added, uint32_t to) {
    writer.node(Kind::XNNFullyConnected,
                xnn::CreateXNNFullyConnected(writer.builder(), from, filter, added, to));
  };
  if (!has_scales) {
    const uint32_t filter = writer.filter(weight, weight.sizes);
    const uint32_t added =
        bias == nullptr ? kNone : writer.constant(*bias->constant, {weight.sizes[0]});
    return add_node(filter, added, t.make(y, Layout::kPlain));
  }
  std::vector<float> scales = *weight.factors;
  scales.resize(static_cast<size_t>(weight.sizes[0]), scales.front());
  const uint32_t filter = writer.levels(weight, weight.sizes, scales, 0);
  if (bias == nullptr) return add_node(filter, kNone, t.make(y, Layout::kPlain));
  // XNNPACK multiplies the bias of such a product by the scales, too.
  const uint32_t product = t.temporary(sizes);
  add_node(filter, kNone, product);
  const uint32_t added = t.computed(*bias->constant, {weight.sizes[0]});
  writer.binary(Kind::XNNAdd, product, added, t.make(y, Layout::kPlain));
}

void gemm(Translator& t) {
  Value& x = t.input(0);
  const Value& weight = t.input(1);
  if (!weight.constant || weight.rank() != 2 || x.rank() != 2) {
    Translator::refuse("XNNPACK has such products with constant weights alone");
  }
  if (t.attribute("alpha", 1.0F) != 1 || t.attribute("beta", 1.0F) != 1 ||
      t.attribute("transA", int64_t{0}) != 0) {
    Translator::refuse("XNNPACK has such products without factors alone");
  }
  const bool is_turned = t.attribute("transB", int64_t{0}) != 0;
  const View view = is_turned ? *weight.constant : permuted(*weight.constant, {1, 0});
  const Value* bias = t.has(2) ? &t.input(2) : nullptr;
  if (bias != nullptr && (!bias->constant || bias->sizes != Dims{view.sizes[0]})) {
    Translator::refuse("XNNPACK has such products with constant biases alone");
  }
  multiply(t, x, view, bias);
}

void matmul(Translator& t) {
  Value& a = t.input(0);
  Value& b = t.input(1);
  if (b.constant && b.rank() == 2 && !a.constant) {
    return multiply(t, a, permuted(*b.constant, {1, 0}), nullptr);
  }
  const size_t rank = a.rank();
  if (rank < 2 || rank != b.rank()) {
    Translator::refuse("XNNPACK multiplies tensors of as many dimensions, two or more");
  }
  if (a.sizes[rank - 1] != b.sizes[rank - 2]) Translator::refuse("its operands do not fit");
  Dims sizes = a.sizes;
  sizes.back() = b.sizes.back();
  for (size_t i = 0; i + 2 < rank; ++i) {
    if (a.sizes[i] != b.sizes[i]) Translator::refuse("XNNPACK repeats no matrices");
  }
  Value& y = t.define(sizes);
  const uint32_t left = t.get(a, Layout::kPlain);
  const uint32_t right = t.get(b, Layout::kPlain);
  t.writer().binary(Kind::XNNBatchMatrixMultiply, left, right, t.make(y, Layout::kPlain));
}

// Along the last dimension of memory.
void softmax(Translator& t) {
  Value& x = t.input(0);
  const size_t axis = Translator::axis(t.attribute("axis", int64_t{-1}), x.rank());
  Value& y = t.define(x.sizes);
  Writer& writer = t.writer();
  const bool is_of_channels = axis == 1 && Translator::has_layout(x, Layout::kLast);
  if (axis + 1 == x.rank() || is_of_channels) {
    const Layout layout = axis + 1 == x.rank() ? Layout::kPlain : Layout::kLast;
    const uint32_t from = t.get(x, layout);
    return writer.unary(Kind::XNNSoftmax, from, t.make(y, layout));
  }
  Sizes order;
  Dims sizes;
  for (size_t i = 0; i < x.rank(); ++i) order.push_back(static_cast<int64_t>(i));
  std::swap(order[axis], order.back());
  for (const int64_t i : order) sizes.push_back(x.sizes[static_cast<size_t>(i)]);
  const uint32_t turned = t.temporary(sizes);
  writer.transpose(t.get(x, Layout::kPlain), order, turned);
  const uint32_t made = t.temporary(sizes);
  writer.unary(Kind::XNNSoftmax, turned, made);
  writer.transpose(made, order, t.make(y, Layout::kPlain));
}

constexpr Entry kProductRules[] = {{"Gemm", gemm}, {"MatMul", matmul}, {"Softmax", softmax}};

}  // namespace

std::span<const Entry> product_rules() { return kProductRules; }

}  // namespace slipway::xnnpack
