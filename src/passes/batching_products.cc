// Products, and layers.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "ir/arguments.h"
#include "passes/batching.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Scalar;
using ir::SymInt;
using ir::Value;
using Values = Batched::Values;
using Sizes = std::vector<SymInt>;

// A side of a product: the whole, with the rank of its elements.
struct Factor {
  Value* value = nullptr;
  int64_t rank = 0;
  bool is_batched = false;
};

Factor factor(const Batched& c, Value* value) {
  return {c.whole(value), value->rank(), c.is_batched(value)};
}

// As a matrix, or matrices: a vector gets a dimension at this place, -1 or -2.
Factor as_matrix(Batched& c, Factor x, int64_t place) {
  if (x.rank != 1) return x;
  return {c.build.unsqueeze(x.value, place), 2, x.is_batched};
}

Value* with_rank(Batched& c, const Factor& x, int64_t rank) {
  return x.is_batched && x.rank < rank ? c.with_ones(x.value, rank - x.rank) : x.value;
}

// matmul of elements, in sizes that the caller knows; null where it can't be.
Value* product(Batched& c, const Factor& left, const Factor& right, Sizes sizes) {
  if (left.rank == 0 || right.rank == 0) return nullptr;
  const Factor a = as_matrix(c, left, -2);
  const Factor b = as_matrix(c, right, -1);
  const int64_t rank = std::max(a.rank, b.rank);
  Value* x = with_rank(c, a, rank);
  Value* y = with_rank(c, b, rank);
  const std::span<const SymInt> m(x->sizes());
  const std::span<const SymInt> n(y->sizes());
  auto all = ir::broadcast_sizes(m.first(m.size() - 2), n.first(n.size() - 2));
  if (!all.ok()) return nullptr;
  all->push_back(m[m.size() - 2]);
  all->push_back(n.back());
  Value* made = c.build.call("aten.matmul.default", {x, y}, c.output()->dtype(), *all);
  return left.rank == 1 || right.rank == 1 ? c.build.view(made, std::move(sizes)) : made;
}

Values multiplied(Batched& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  if (!a || !b || is_complex(a->dtype())) return {};
  Value* made = product(c, factor(c, a), factor(c, b), c.sizes_of(c.output()));
  return made ? Values{made} : Values();
}

Values inner_product(Batched& c) {
  const bool are_vectors = c.operand(0)->rank() == 1 && c.operand(1)->rank() == 1;
  return are_vectors ? multiplied(c) : Values();
}

Values outer_product(Batched& c) {
  Value* left = c.build.unsqueeze(c.whole(c.operand(0)), -1);
  Value* right = c.build.unsqueeze(c.whole(c.operand(1)), -2);
  return {c.build.mul(left, right)};
}

// linear(x, weight, bias)
Values linear_layer(Batched& c) {
  Value* x = c.operand(0);
  Value* weight = c.operand(1);
  Value* bias = c.tensor(2);
  if (weight->rank() != 2) return {};
  if (c.only_batched(0)) return c.on_wholes();
  Factor transposed = factor(c, weight);
  transposed.value = c.build.transpose(transposed.value, -1, -2);
  Value* made = product(c, factor(c, x), transposed, c.sizes_of(c.output()));
  if (!made) return {};
  // Without batched factors the product has no batch yet.
  if (made->rank() == c.output()->rank()) made = c.build.unsqueeze(made, 0);
  if (bias) made = c.build.add(made, c.aligned(bias, c.output()->rank()));
  return {made};
}

// addmm(x, a, b, beta, alpha) and its kind: beta * x + alpha * (a @ b), and where beta is 0 x is
// not looked at.
Values added_product(Batched& c) {
  const auto beta = ir::to_scalar(c.node().arg(3));
  const auto alpha = ir::to_scalar(c.node().arg(4));
  const int64_t rank = c.output()->rank();
  const Factor a = factor(c, c.operand(1));
  const Factor b = factor(c, c.operand(2));
  if (!beta || !alpha) return {};
  Sizes sizes = c.output()->sizes();
  if (a.is_batched || b.is_batched) sizes = c.sizes_of(c.output());
  Value* made = product(c, a, b, sizes);
  if (!made) return {};
  const auto is = [](const Scalar& number, double value) { return ir::to_double(number) == value; };
  if (!is(*alpha, 1)) made = c.build.mul(made, *alpha);
  if (!is(*beta, 0)) {
    Value* x = c.aligned(c.operand(0), rank);
    made = c.build.add(made, is(*beta, 1) ? x : c.build.mul(x, *beta));
  }
  return {c.build.expand(made, c.sizes_of(c.output()))};
}

// The equation gets a letter of its own for the batch.
Values summed_product(Batched& c) {
  const auto* equation = ir::Arguments(c.node()).text(0);
  const auto tensors = ir::Arguments(c.node()).tensors(1);
  if (!equation || !tensors || !c.node().is_none(2)) return {};
  const size_t arrow = equation->find("->");
  if (arrow == std::string::npos || equation->find('.') != std::string::npos) return {};
  char letter = 'A';
  while (letter <= 'Z' && equation->find(letter) != std::string::npos) ++letter;
  if (letter > 'Z') return {};
  std::string result;
  std::vector<Value*> wholes;
  size_t begin = 0;
  for (Value* value : *tensors) {
    if (c.is_batched(value)) result += letter;
    const size_t end = std::min(equation->find(',', begin), arrow);
    result += equation->substr(begin, end - begin) + (end == arrow ? "" : ",");
    begin = end + 1;
    wholes.push_back(c.whole(value));
  }
  result += std::string("->") + letter + equation->substr(arrow + 2);
  return c.call("aten.einsum.default", {result, wholes, ir::None{}});
}

// ---- Layers.

// layer_norm(x, shape, weight, bias, eps): what weight and bias do is done behind it.
Values layer_norm(Batched& c) {
  Value* x = c.operand(0);
  if (c.only_batched(0)) return c.on_wholes();
  std::vector<Argument> args = c.node().args();
  args.at(0) = c.repeated(x);
  args.at(2) = ir::None{};
  args.at(3) = ir::None{};
  Value* made = c.same(std::move(args)).at(0);
  if (Value* weight = c.tensor(2)) made = c.build.mul(made, c.aligned(weight, x->rank()));
  if (Value* bias = c.tensor(3)) made = c.build.add(made, c.aligned(bias, x->rank()));
  return {made};
}

// Sizes with the batch and the dimension behind it as one.
Sizes joined(Sizes sizes) {
  sizes.at(1) = sizes.at(0) * sizes.at(1);
  sizes.erase(sizes.begin());
  return sizes;
}

// Layers whose first dimension is a batch already: both are one, and apart again behind. Where the
// elements lack that dimension, the batch is it.
Values folded(Batched& c, const std::vector<size_t>& wholes, int64_t rank, bool may_lack) {
  for (size_t i = 0; i < c.node().args().size(); ++i) {
    const bool is_whole = std::find(wholes.begin(), wholes.end(), i) != wholes.end();
    if (!is_whole && c.is_batched(c.tensor(i))) return {};
  }
  for (const size_t i : wholes) {
    if (c.operand(i)->rank() != rank && !(may_lack && c.operand(i)->rank() == rank - 1)) return {};
  }
  const bool folds = c.operand(wholes[0])->rank() == rank;
  const auto fold = [&](Sizes sizes) { return folds ? joined(std::move(sizes)) : sizes; };
  std::vector<Argument> args = c.node().args();
  for (const size_t i : wholes) {
    Value* whole = c.repeated(c.operand(i));
    args.at(i) = folds ? c.build.view(whole, fold(whole->sizes())) : whole;
  }
  ir::Node* made = c.build.node(c.node().op(), std::move(args));
  for (const Value* output : c.node().outputs()) {
    c.build.graph().add_output(made, ir::TensorType{output->dtype(), fold(c.sizes_of(output)), {}});
  }
  Values values = made->outputs();
  for (size_t i = 0; folds && i < values.size(); ++i) {
    values[i] = c.build.view(values[i], c.sizes_of(c.node().outputs()[i]));
  }
  return values;
}

// Of 1, 2 or 3 dimensions behind channels, as the name says.
int64_t picture_rank(std::string_view name) {
  const size_t digit = name.find_first_of("123");
  return digit == std::string_view::npos ? 0 : name[digit] - '0' + 2;
}

Values picture(Batched& c) { return folded(c, {0}, picture_rank(c.name()), true); }
Values resized_picture(Batched& c) { return folded(c, {0}, picture_rank(c.name()), false); }
Values sampled_picture(Batched& c) { return folded(c, {0, 1}, c.operand(0)->rank(), false); }
Values convolution(Batched& c) {
  const auto strides = ir::Arguments(c.node()).integers(3);
  if (!strides) return {};
  return folded(c, {0}, static_cast<int64_t>(strides->size()) + 2, true);
}
Values normalized_groups(Batched& c) { return folded(c, {0}, c.operand(0)->rank(), false); }
// In inference, where the batch has no statistics.
Values normalized_batch(Batched& c) {
  if (ir::Arguments(c.node()).flag(5).value_or(true)) return {};
  return folded(c, {0}, c.operand(0)->rank(), false);
}
Values prelu(Batched& c) {
  return c.operand(0)->rank() < 2 ? Values() : folded(c, {0}, c.operand(0)->rank(), false);
}

// scaled_dot_product_attention(query, key, value, mask, ...) of matrices, or of several.
Values attention(Batched& c) {
  const int64_t rank = c.operand(0)->rank();
  Value* mask = c.tensor(3);
  if (rank < 2 || rank > 4 || c.output()->rank() != rank || c.operand(1)->rank() != rank ||
      c.operand(2)->rank() != rank)
    return {};
  if (ir::Arguments(c.node()).number(4).value_or(1) != 0) return {};
  std::vector<Argument> args = c.node().args();
  const auto fold = [&](Value* x, const SymInt& first) {
    if (rank < 4) return x;
    Sizes sizes = x->sizes();
    sizes[1] = first;
    return c.build.view(c.build.expand(x, sizes), joined(sizes));
  };
  const SymInt& first = c.output()->sizes()[0];
  for (size_t i = 0; i < 3; ++i) args.at(i) = fold(c.repeated(c.operand(i)), first);
  if (mask) {
    Sizes sizes = mask->sizes();
    sizes.insert(sizes.begin(), static_cast<size_t>(rank - mask->rank()), SymInt(1));
    sizes.insert(sizes.begin(), c.is_batched(mask) ? c.batch().size : SymInt(1));
    Value* wide = c.build.view(c.whole(mask), sizes);
    sizes[0] = c.batch().size;
    args.at(3) = fold(c.build.expand(wide, std::move(sizes)), first);
  }
  if (rank < 4) return c.same(std::move(args));
  Value* made = c.build.call(c.node().op(), std::move(args), c.output()->dtype(),
                             joined(c.sizes_of(c.output())));
  return {c.build.view(made, c.sizes_of(c.output()))};
}

}  // namespace

const std::vector<BatchingEntry>& batched_products() {
  static const std::vector<BatchingEntry> kEntries = {
      {"bmm.default dot linalg_matmul matmul mm.default mv", multiplied},
      {"inner", inner_product},
      {"ger outer", outer_product},
      {"linear", linear_layer},
      {"addmm.default addmv baddbmm.default", added_product},
      {"einsum", summed_product},
      {"layer_norm", layer_norm},
      {"adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
       "adaptive_max_pool2d adaptive_max_pool3d avg_pool1d avg_pool2d avg_pool3d conv1d conv2d "
       "conv3d conv_transpose1d conv_transpose2d conv_transpose3d max_pool1d max_pool2d "
       "max_pool2d_with_indices max_pool3d max_pool3d_with_indices reflection_pad1d "
       "reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d",
       picture},
      {"upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d "
       "upsample_nearest2d upsample_nearest3d upsample_trilinear3d",
       resized_picture},
      {"grid_sampler grid_sampler_2d grid_sampler_3d", sampled_picture},
      {"convolution", convolution},
      {"group_norm", normalized_groups},
      {"batch_norm", normalized_batch},
      {"prelu", prelu},
      {"scaled_dot_product_attention", attention},
  };
  return kEntries;
}

}  // namespace slipway::passes
