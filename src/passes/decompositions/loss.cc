// Losses, as PyTorch's own compositions state them (aten/src/ATen/native/Loss.cpp, LossNLL.cpp).
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::SymInt;
using ir::Value;

// at::Reduction; what is neither of these stands for no reduction.
constexpr int64_t kMean = 1;
constexpr int64_t kSum = 2;

Value* reduced(Context& c, Value* loss, int64_t reduction) {
  if (reduction == kMean) return c.build.mean(loss, {});
  return reduction == kSum ? c.build.sum(loss, {}) : loss;
}

// By the reduction that argument i names; a missing one is the mean.
Values reduced_by(Context& c, Value* loss, size_t i) {
  // Operands of several types have the result's.
  return {c.build.to_dtype(reduced(c, loss, c.has(i) ? c.constant(i) : kMean), c.dtype())};
}

Value* at_least_0(Context& c, Value* x) { return c.build.clamp(x, 0.0, {}); }

Value* where_or_0(Context& c, Value* condition, Value* x) {
  return c.build.masked_fill(x, c.build.logical_not(condition), 0.0);
}

Value* error(Context& c) { return c.build.sub(c.tensor(0), c.tensor(1)); }

Values mse_loss(Context& c) {
  Value* x = error(c);
  return reduced_by(c, c.build.mul(x, x), 2);
}

Values l1_loss(Context& c) { return reduced_by(c, c.build.abs(error(c)), 2); }

// Half the square of an error below the threshold, and beyond it what goes on as a line.
Values smooth_l1_loss(Context& c) {
  Value* x = c.build.abs(error(c));
  const double beta = c.real(3);
  if (beta == 0) return reduced_by(c, x, 2);
  Value* square = c.build.div(c.build.mul(c.build.mul(x, x), 0.5), beta);
  Value* line = c.build.sub(x, 0.5 * beta);
  return reduced_by(c, c.build.where(c.build.lt(x, beta), square, line), 2);
}

Values huber_loss(Context& c) {
  Value* x = c.build.abs(error(c));
  const double delta = c.real(3);
  Value* square = c.build.mul(c.build.mul(x, x), 0.5);
  Value* line = c.build.mul(c.build.sub(x, 0.5 * delta), delta);
  return reduced_by(c, c.build.where(c.build.lt(x, delta), square, line), 2);
}

Value* weighted(Context& c, Value* loss, size_t i) {
  Value* weight = c.tensor_or_null(i);
  return weight ? c.build.mul(loss, weight) : loss;
}

Values binary_cross_entropy(Context& c) {
  Value* x = c.tensor(0);
  Value* target = c.tensor(1);
  // PyTorch lets no logarithm go below this.
  constexpr double kLeast = -100;
  Value* hit = c.build.clamp(c.build.log(x), kLeast, {});
  Value* miss = c.build.clamp(c.build.log1p(c.build.neg(x)), kLeast, {});
  Value* loss = c.build.sub(c.build.mul(c.build.sub(target, 1.0), miss), c.build.mul(target, hit));
  return reduced_by(c, weighted(c, loss, 2), 3);
}

Values binary_cross_entropy_with_logits(Context& c) {
  Value* x = c.tensor(0);
  Value* target = c.tensor(1);
  Value* log_sigmoid = c.build.call("aten.log_sigmoid.default", {x}, x->dtype(), x->sizes());
  if (Value* positive = c.tensor_or_null(3)) {
    Value* factor = c.build.add(c.build.mul(c.build.sub(positive, 1.0), target), 1.0);
    log_sigmoid = c.build.mul(log_sigmoid, factor);
  }
  Value* loss = c.build.sub(c.build.mul(c.build.rsub(target, 1.0), x), log_sigmoid);
  return reduced_by(c, weighted(c, loss, 2), 4);
}

Values kl_div(Context& c) {
  Value* x = c.tensor(0);
  Value* target = c.tensor(1);
  if (c.flag(3)) return reduced_by(c, c.build.mul(c.build.exp(target), c.build.sub(target, x)), 2);
  Value* entropy =
      c.build.call("aten.xlogy.Tensor", {target, target}, target->dtype(), target->sizes());
  return reduced_by(c, c.build.sub(entropy, c.build.mul(target, x)), 2);
}

Values hinge_embedding_loss(Context& c) {
  Value* x = c.tensor(0);
  Value* target = c.tensor(1);
  Value* margin = at_least_0(c, c.build.rsub(x, c.real(2)));
  return reduced_by(c,
                    c.build.add(where_or_0(c, c.build.ne(target, 1), margin),
                                where_or_0(c, c.build.ne(target, -1), x)),
                    3);
}

Values margin_ranking_loss(Context& c) {
  Value* margin = c.build.mul(c.build.neg(c.tensor(2)), error(c));
  return reduced_by(c, at_least_0(c, c.build.add(margin, c.real(3))), 4);
}

Values cosine_embedding_loss(Context& c) {
  Value* a = c.tensor(0);
  Value* b = c.tensor(1);
  Value* target = c.tensor(2);
  constexpr double kEpsilon = 1e-12;
  const int64_t dim = target->rank() == 1 ? 1 : 0;
  const auto over = [&](Value* x) { return c.build.sum(x, {dim}); };
  Value* squares = c.build.mul(c.build.add(over(c.build.mul(a, a)), kEpsilon),
                               c.build.add(over(c.build.mul(b, b)), kEpsilon));
  Value* cosine = c.build.div(over(c.build.mul(a, b)), c.build.sqrt(squares));
  Value* far = at_least_0(c, c.build.sub(cosine, c.real(3)));
  return reduced_by(c,
                    c.build.add(where_or_0(c, c.build.eq(target, 1), c.build.rsub(cosine, 1.0)),
                                where_or_0(c, c.build.eq(target, -1), far)),
                    4);
}

// poisson_nll_loss(x, target, log_input, full, eps, reduction)
Values poisson_nll_loss(Context& c) {
  Value* x = c.tensor(0);
  Value* target = c.tensor(1);
  Value* loss = c.flag(2)
                    ? c.build.sub(c.build.exp(x), c.build.mul(target, x))
                    : c.build.sub(x, c.build.mul(target, c.build.log(c.build.add(x, c.real(4)))));
  if (c.flag(3)) {  // Stirling's approximation of the logarithm of the target's factorial
    Value* half_log = c.build.mul(c.build.log(c.build.mul(target, 2 * std::numbers::pi)), 0.5);
    Value* factorial =
        c.build.add(c.build.sub(c.build.mul(target, c.build.log(target)), target), half_log);
    loss = c.build.add(loss, c.build.masked_fill(factorial, c.build.le(target, 1), 0.0));
  }
  return reduced_by(c, loss, 5);
}

Values soft_margin_loss(Context& c) {
  Value* x = c.build.mul(c.build.neg(c.tensor(0)), c.tensor(1));
  return reduced_by(c, c.build.log1p(c.build.exp(x)), 2);
}

// triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction)
Values triplet_margin_loss(Context& c) {
  const auto distance = [&](Value* a, Value* b) {
    const Value* apart = c.build.sub(a, b);
    return c.build.call("aten.pairwise_distance.default", {a, b, c.real(4), c.real(5), false},
                        apart->dtype(), without_last(apart->sizes(), 1));
  };
  Value* near = distance(c.tensor(0), c.tensor(1));
  Value* far = distance(c.tensor(0), c.tensor(2));
  if (c.flag(6)) far = c.build.minimum(far, distance(c.tensor(1), c.tensor(2)));
  return reduced_by(c, at_least_0(c, c.build.sub(c.build.add(near, c.real(3)), far)), 7);
}

// What a target is told from: the scores of its classes along one dimension, and which targets
// count.
struct Classes {
  int64_t dim = 0;
  Value* target = nullptr;   // 0 where it is ignored
  Value* counts = nullptr;   // bool
  Value* weights = nullptr;  // of each target, 0 where it is ignored
};

Classes classes_of(Context& c, Value* scores, Value* target, Value* weight, const SymInt& ignored) {
  Classes classes;
  classes.dim = scores->rank() == 1 ? 0 : 1;
  classes.counts = c.build.ne(target, ignored);
  classes.target = c.build.masked_fill(target, c.build.logical_not(classes.counts), SymInt(0));
  classes.target = c.build.to_dtype(classes.target, DType::kInt64);
  classes.weights = weight ? where_or_0(c, classes.counts, c.build.index(weight, {classes.target}))
                           : c.build.to_dtype(classes.counts, scores->dtype());
  return classes;
}

Value* negative_log_likelihood(Context& c, Value* scores, const Classes& classes,
                               int64_t reduction) {
  Value* picked =
      c.build.gather(scores, classes.dim, c.build.unsqueeze(classes.target, classes.dim));
  Value* loss = c.build.mul(c.build.neg(c.build.squeeze(picked, classes.dim)), classes.weights);
  loss = where_or_0(c, classes.counts, loss);
  if (reduction != kMean && reduction != kSum) return loss;
  Value* sum = c.build.sum(loss, {});
  return reduction == kMean ? c.build.div(sum, c.build.sum(classes.weights, {})) : sum;
}

Values nll_loss(Context& c) {
  const Classes classes =
      classes_of(c, c.tensor(0), c.tensor(1), c.tensor_or_null(2), c.integer(4));
  return {negative_log_likelihood(c, c.tensor(0), classes, c.constant(3))};
}

// The weights of the classes, so that they broadcast along the scores' dimension of classes.
Value* along(Context& c, Value* weight, Value* scores, int64_t dim) {
  std::vector<SymInt> sizes(scores->sizes().size(), SymInt(1));
  sizes.at(dim) = weight->sizes().at(0);
  return c.build.view(weight, std::move(sizes));
}

// cross_entropy_loss(scores, target, weight, reduction, ignore_index, label_smoothing), the target
// as probabilities of the classes ...
Values cross_entropy_of_probabilities(Context& c, Value* logs, int64_t dim, double smoothing) {
  Value* target = c.tensor(1);
  const SymInt classes = logs->sizes().at(dim);
  if (c.may_be_empty(classes)) return c.unsupported("there may be no classes");
  if (smoothing > 0) {
    const double rest = smoothing / static_cast<double>(c.known(classes, "the number of classes"));
    target = c.build.add(c.build.mul(target, 1 - smoothing), rest);
  }
  Value* loss = c.build.mul(logs, target);
  if (Value* weight = c.tensor_or_null(2)) {
    loss = c.build.mul(loss, along(c, weight, logs, dim));
  }
  loss = c.build.neg(c.build.sum(loss, {dim}));
  return {reduced(c, loss, c.constant(3))};
}

// ... and as their numbers.
Values cross_entropy_loss(Context& c) {
  Value* scores = c.tensor(0);
  const int64_t dim = scores->rank() == 1 ? 0 : 1;
  const double smoothing = c.real(5);
  const int64_t reduction = c.constant(3);
  Value* logs =
      c.build.call("aten.log_softmax.int", {scores, SymInt(dim)}, scores->dtype(), scores->sizes());
  if (is_floating_point(c.tensor(1)->dtype())) {
    return cross_entropy_of_probabilities(c, logs, dim, smoothing);
  }
  Value* weight = c.tensor_or_null(2);
  const Classes classes = classes_of(c, logs, c.tensor(1), weight, c.integer(4));
  Value* loss = negative_log_likelihood(c, logs, classes, reduction);
  if (smoothing == 0) return {loss};

  Value* smooth = weight ? c.build.mul(logs, along(c, weight, logs, dim)) : logs;
  smooth = where_or_0(c, classes.counts, c.build.neg(c.build.sum(smooth, {dim})));
  if (reduction == kMean || reduction == kSum) smooth = c.build.sum(smooth, {});
  if (reduction == kMean) smooth = c.build.div(smooth, c.build.sum(classes.weights, {}));
  const auto count = static_cast<double>(c.known(logs->sizes().at(dim), "the number of classes"));
  return {c.build.add(c.build.mul(smooth, smoothing / count), c.build.mul(loss, 1 - smoothing))};
}

// 0 for NaN, too.
Value* above_0(Context& c, Value* x) { return where_or_0(c, c.build.gt(x, 0.0), x); }

// Scores of one sample or of several, as [samples, classes].
struct Samples {
  Value* scores;
  SymInt count;
  SymInt classes;
};

std::optional<Samples> samples_of(Context& c) {
  Value* scores = c.tensor(0);
  if (scores->rank() < 2) {
    scores = c.build.view(scores, {SymInt(1), ir::numel(scores->sizes())});
  }
  Samples samples{scores, scores->sizes().at(0), scores->sizes().at(1)};
  if (c.may_be_empty(samples.classes)) {
    c.unsupported("there may be no classes");
    return std::nullopt;
  }
  return samples;
}

// The mean or the sum of the losses of the samples, or each.
Values of_samples(Context& c, Value* losses, int64_t reduction) {
  return {c.build.view(reduced(c, losses, reduction), c.sizes())};
}

// multi_margin_loss(scores, target, p, margin, weight, reduction)
Values multi_margin_loss(Context& c) {
  const auto samples = samples_of(c);
  if (!samples) return {};
  Value* target = c.build.view(c.tensor(1), {samples->count, SymInt(1)});
  Value* right = c.build.gather(samples->scores, 1, target);
  const double margin = c.has(3) ? c.real(3) : 1.0;
  Value* loss = above_0(c, c.build.add(c.build.rsub(right, margin), samples->scores));
  if (c.has(2) && c.real(2) == 2) loss = c.build.mul(loss, loss);
  if (Value* weight = c.tensor_or_null(4)) {
    Value* weights = c.build.view(weight, {samples->classes});
    loss = c.build.mul(loss, c.build.index(weights, {target}));
  }
  loss = where_or_0(c, c.build.ne(c.build.arange(samples->classes), target), loss);
  return of_samples(c, c.build.mean(loss, {1}), c.has(5) ? c.constant(5) : kMean);
}

// multilabel_margin_loss(scores, target, reduction): the labels of a sample are those before the
// first -1.
Values multilabel_margin_loss(Context& c) {
  const auto samples = samples_of(c);
  if (!samples) return {};
  const std::vector<SymInt> sizes = {samples->count, samples->classes};
  Value* target = c.build.view(c.tensor(1), sizes);
  Value* place = c.build.arange(samples->classes);
  Value* ends = c.build.eq(target, SymInt(-1));
  Value* end = c.build.where(ends, c.build.expand(place, sizes),
                             c.build.full(sizes, samples->classes, DType::kInt64));
  Value* counts = c.build.lt(place, c.build.amin(end, {1}, true));
  target = c.build.masked_fill(target, c.build.logical_not(counts), SymInt(0));
  // [samples, labels, classes] from here on.
  counts = c.build.unsqueeze(counts, 2);
  Value* is_label = c.build.logical_and(c.build.eq(c.build.unsqueeze(target, 2), place), counts);
  is_label = c.build.any(is_label, 1, true);
  Value* right = c.build.unsqueeze(c.build.gather(samples->scores, 1, target), 2);
  Value* scores = c.build.unsqueeze(samples->scores, 1);
  Value* loss = above_0(c, c.build.add(c.build.rsub(right, 1.0), scores));
  loss = where_or_0(c, c.build.logical_and(counts, c.build.logical_not(is_label)), loss);
  loss = c.build.sum(c.build.mean(loss, {2}), {1});
  return of_samples(c, loss, c.has(2) ? c.constant(2) : kMean);
}

template <Values (*kLoss)(Context&)>
Values of_floats(Context& c) {
  if (!is_floating_point(c.tensor(0)->dtype())) {
    return c.unsupported("losses of integers are not computed: convert them to float first");
  }
  return kLoss(c);
}

constexpr Entry kLossRules[] = {
    {"aten.binary_cross_entropy.default", of_floats<binary_cross_entropy>},
    {"aten.binary_cross_entropy_with_logits.default", of_floats<binary_cross_entropy_with_logits>},
    {"aten.cosine_embedding_loss.default", of_floats<cosine_embedding_loss>},
    {"aten.cross_entropy_loss.default", of_floats<cross_entropy_loss>},
    {"aten.hinge_embedding_loss.default", of_floats<hinge_embedding_loss>},
    {"aten.huber_loss.default", of_floats<huber_loss>},
    {"aten.kl_div.default", of_floats<kl_div>},
    {"aten.l1_loss.default", l1_loss},
    {"aten.margin_ranking_loss.default", of_floats<margin_ranking_loss>},
    {"aten.mse_loss.default", mse_loss},
    {"aten.multi_margin_loss.default", of_floats<multi_margin_loss>},
    {"aten.multilabel_margin_loss.default", of_floats<multilabel_margin_loss>},
    {"aten.nll_loss.default aten.nll_loss2d.default aten.nll_loss_nd.default", of_floats<nll_loss>},
    {"aten.poisson_nll_loss.default", of_floats<poisson_nll_loss>},
    {"aten.smooth_l1_loss.default", of_floats<smooth_l1_loss>},
    {"aten.soft_margin_loss.default", of_floats<soft_margin_loss>},
    {"aten.triplet_margin_loss.default", of_floats<triplet_margin_loss>},
};

}  // namespace

std::span<const Entry> loss_rules() { return kLossRules; }

}  // namespace slipway::passes::decompositions
