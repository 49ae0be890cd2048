// Resizing of 8-bit pictures with PyTorch's own bits: weights are integers of 16 bits, as precise
// as the largest of them allows, and each dimension is rounded to 8 bits, the width before the
// height.
//
// The weights are computed in float64, as PyTorch does. Sums of two or four products are below 2^24
// and so exact in float32, in any order; those of antialiasing may be larger, and are float64.
#include <utility>

#include "passes/decompositions/resize.h"

namespace slipway::passes::decompositions {
namespace {

using ir::Scalar;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

constexpr int64_t kMostBits = 22;
// What 16 bits hold, with what is rounded to it.
constexpr double kLargestWeight = (1 << 15) - 0.5;

struct FixedPoint {
  std::vector<Value*> weights;  // integers as float64
  Value* one = nullptr;         // what stands for 1, a power of two
};

FixedPoint to_fixed_point(Context& c, std::vector<Value*> weights) {
  Value* all = weights.size() == 1 ? weights.front() : c.build.stack(weights, 0);
  Value* bits = c.build.to_dtype(c.build.arange(1, kMostBits + 1), DType::kFloat64);
  Value* largest = c.build.mul(c.build.pow(2.0, bits), c.build.amax(all, {}));
  Value* fitting = c.build.to_dtype(c.build.lt(largest, kLargestWeight), DType::kFloat64);
  Value* one = c.build.pow(2.0, c.build.sum(fitting, {}));
  for (Value*& weight : weights) {
    Value* exact = c.build.mul(weight, one);
    weight = c.build.trunc(c.build.add(exact, c.build.mul(c.build.sign(exact), 0.5)));
  }
  return {std::move(weights), one};
}

// A sum of weighed colours as a colour again.
Value* to_colour(Context& c, Value* sum, Value* one, Filter filter) {
  const auto typed = [&](Value* number) { return c.build.to_dtype(number, sum->dtype()); };
  sum = c.build.add(sum, typed(c.build.mul(one, 0.5)));
  sum = c.build.floor(c.build.mul(sum, typed(c.build.reciprocal(one))));
  return filter == Filter::kTent ? sum : c.build.clamp(sum, Scalar(0.0), Scalar(255.0));
}

// By the neighbours of each place: two, or four of the cubic.
Value* by_neighbours(Context& c, Value* x, Value* step, size_t d, const Resize& r, Filter filter) {
  const auto dim = static_cast<int64_t>(d + 2);
  const SymInt in = x->sizes().at(dim);
  const SymInt out = r.size.at(d);
  Value* place = c.build.to_dtype(c.build.arange(out), DType::kFloat64);
  if (r.align_corners) {
    place = c.build.mul(place, step);
  } else {
    place = c.build.sub(c.build.mul(c.build.add(place, 0.5), step), 0.5);
    if (filter == Filter::kTent) place = c.build.relu(place);
  }
  Value* last = c.build.scalar_tensor(in - 1, DType::kFloat64);
  Value* base = c.build.minimum(c.build.floor(place), last);
  Value* t = c.build.clamp(c.build.sub(place, base), Scalar(0.0), Scalar(1.0));
  Value* rest = c.build.rsub(t, 1.0);
  std::vector<Value*> weights = {rest, c.build.rsub(rest, 1.0)};
  if (filter == Filter::kCubic) {
    weights = {cubic_far(c, c.build.add(t, 1.0), kCubic), cubic_near(c, t, kCubic),
               cubic_near(c, rest, kCubic), cubic_far(c, c.build.rsub(t, 2.0), kCubic)};
  }
  std::vector<Value*> index;
  const double first = filter == Filter::kTent ? 0 : -1;
  for (size_t k = 0; k < weights.size(); ++k) {
    index.push_back(as_index(c, c.build.add(base, first + static_cast<double>(k)), in));
  }
  // Neighbours beyond an edge are the edge, and weigh together: only their sum is rounded.
  Value* nothing = c.build.full_like(rest, 0.0);
  for (size_t k = 0; k + 1 < weights.size(); ++k) {
    Value* is_same = c.build.eq(index[k], index[k + 1]);
    Value* both = c.build.add(weights[k], weights[k + 1]);
    weights[k + 1] = c.build.where(is_same, both, weights[k + 1]);
    weights[k] = c.build.where(is_same, nothing, weights[k]);
  }
  const FixedPoint fixed = to_fixed_point(c, std::move(weights));
  Sizes line(4, 1);
  line.at(dim) = out;
  Value* sum = nullptr;
  for (size_t k = 0; k < index.size(); ++k) {
    Value* weight = c.build.view(c.build.to_dtype(fixed.weights[k], x->dtype()), line);
    Value* part = c.build.mul(c.build.index_select(x, dim, index[k]), weight);
    sum = sum ? c.build.add(sum, part) : part;
  }
  return to_colour(c, sum, fixed.one, filter);
}

Value* by_matrix(Context& c, Value* x, Value* step, size_t d, const Resize& r, Filter filter) {
  const SymInt in = x->sizes().at(d + 2);
  const SymInt out = r.size.at(d);
  const FixedPoint fixed = to_fixed_point(c, {antialiasing_weights(c, filter, step, in, out)});
  Value* matrix = fixed.weights.front();
  Sizes sizes = x->sizes();
  sizes.at(d + 2) = out;
  std::vector<ir::Argument> factors = {matrix, x};
  if (d == 1) factors = {x, c.build.transpose(matrix, 0, 1)};
  Value* sum = c.build.call("aten.matmul.default", std::move(factors), x->dtype(), sizes);
  return to_colour(c, sum, fixed.one, filter);
}

}  // namespace

Values resize_bytes(Context& c, const Resize& r, Filter filter, bool antialias) {
  Value* x = c.build.to_dtype(c.tensor(0), antialias ? DType::kFloat64 : DType::kFloat32);
  for (const size_t d : {size_t{1}, size_t{0}}) {
    const SymInt in = x->sizes().at(d + 2);
    const SymInt out = r.size.at(d);
    if (in == out) continue;
    Value* step = source_step(c, r, d, in, DType::kFloat64);
    // A size that stays is not resized, whatever the scale.
    if (r.scale.at(d) && !(in.is_constant() && out.is_constant())) {
      const auto size = [&](const SymInt& n) { return c.build.scalar_tensor(n, DType::kFloat64); };
      step = c.build.where(c.build.eq(size(in), size(out)), c.build.full_like(step, 1.0), step);
    }
    x = antialias ? by_matrix(c, x, step, d, r, filter) : by_neighbours(c, x, step, d, r, filter);
  }
  return {c.build.to_dtype(x, c.dtype())};
}

}  // namespace slipway::passes::decompositions
