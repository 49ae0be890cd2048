// torchvision's operators for the detection of objects.
#include <algorithm>
#include <cmath>

#include "passes/decompositions/loops.h"
#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {
namespace {

using ir::OpBuilder;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

// The largest number of the type that is not above this one: what is above it is above both.
double rounded_down(double number, DType dtype) {
  if (dtype != DType::kFloat32) return number;
  const auto single = static_cast<float>(number);
  return single > number ? std::nextafter(single, -INFINITY) : single;
}

// (dets, scores, iou_threshold): in the order of their scores, a box stays unless it overlaps with
// one before it that does.
Values nms(Context& c) {
  auto& b = c.build;
  Value* boxes = c.tensor(0);
  const SymInt count = boxes->sizes().at(0);
  if (!c.bounds(count).max) {
    return c.unsupported("its number of boxes has no upper bound: give it one, by option 'bounds'");
  }
  Value* scores = c.tensor(1);
  ir::Node* sorted = b.node("aten.sort.stable", {scores, true, SymInt(0), true});
  b.graph().add_output(sorted, scores->type());
  Value* order = b.graph().add_output(sorted, {DType::kInt64, scores->sizes(), {}});
  boxes = b.index_select(boxes, 0, order);
  LoopValues values{{b.zeros({count}, DType::kBool)}, {b.arange(count)}, {b.arange(count)}};
  List sides;
  for (int64_t i = 0; i < 4; ++i) sides.push_back(b.select(boxes, 1, i));
  Value* width = b.sub(sides.at(2), sides.at(0));
  sides.push_back(b.mul(width, b.sub(sides.at(3), sides.at(1))));
  for (Value* side : sides) {
    values.scanned.push_back(side);
    values.given.push_back(side);
  }
  const double threshold = rounded_down(c.real(2), boxes->dtype());
  const auto turn = [&](OpBuilder& build, const LoopValues& now) -> LoopResults {
    const auto length = [&](size_t low, size_t high) {
      Value* begin = build.maximum(now.scanned.at(1 + low), now.given.at(1 + low));
      Value* end = build.minimum(now.scanned.at(1 + high), now.given.at(1 + high));
      return build.clamp(build.sub(end, begin), 0.0, std::nullopt);
    };
    Value* common = build.mul(length(0, 2), length(1, 3));
    Value* both = build.sub(build.add(now.scanned.at(5), now.given.at(5)), common);
    Value* overlaps = build.gt(build.div(common, both), threshold);
    Value* is_later = build.gt(now.given.at(0), now.scanned.at(0));
    Value* place = build.view(now.scanned.at(0), {1});
    Value* stays = build.logical_not(build.index_select(now.state.at(0), 0, place));
    Value* goes = build.logical_and(build.logical_and(overlaps, is_later), stays);
    return {{build.logical_or(now.state.at(0), goes)}, {build.view(stays, {})}};
  };
  Value* stays = loop(c, values, false, turn).stacked.at(0);
  return {b.call("aten.masked_select.default", {order, stays}, DType::kInt64, c.sizes())};
}

// Between which two places a point lies along a dimension, and what each of them adds, with a last
// dimension for the two.
struct Between {
  Value* places;
  Value* weights;
  Value* is_inside = nullptr;
};

Between beside(OpBuilder& b, Value* low, Value* high, Value* high_weight, Value* is_inside) {
  Value* low_weight = b.rsub(high_weight, 1.0);
  Value* weights = b.stack({low_weight, high_weight}, -1);
  weights = b.mul(weights, b.unsqueeze(b.to_dtype(is_inside, weights->dtype()), -1));
  return {b.stack({low, high}, -1), weights};
}

// Points of boxes, which count as at the border when they are less than one outside.
Between within_border(OpBuilder& b, Value* x, const SymInt& size) {
  Value* is_inside = b.logical_and(b.ge(x, -1.0), b.le(x, size));
  x = b.clamp(x, 0.0, ir::Scalar(size - 1));
  Value* low = b.to_dtype(b.floor(x), DType::kInt64);
  Value* high = b.clamp(b.add(low, 1), std::nullopt, size - 1);
  return beside(b, low, high, b.sub(x, b.floor(x)), is_inside);
}

// What roi_align(input, rois, spatial_scale, pooled_height, pooled_width, sampling_ratio, aligned)
// knows of its boxes along one dimension.
struct Sides {
  int64_t parts;
  Value* begin;   // [count]
  Value* length;  // [count]
};

Sides sides_of(Context& c, int64_t first, int64_t last, int64_t parts) {
  auto& b = c.build;
  const bool aligned = c.flag(6);
  const auto side = [&](int64_t i) {
    return b.sub(b.mul(b.select(c.tensor(1), 1, i), c.real(2)), aligned ? 0.5 : 0.0);
  };
  Value* begin = side(first);
  Value* length = b.sub(side(last), begin);
  if (!aligned) length = b.clamp(length, 1.0, std::nullopt);
  return {parts, begin, length};
}

// Where the first part of each box begins, the second, and so on: [count, parts, 1]. `length` is
// that of a part.
Value* begins_of_parts(Context& c, const Sides& sides, Value* length) {
  auto& b = c.build;
  const SymInt count = length->sizes().at(0);
  Value* part = b.to_dtype(b.arange(SymInt(sides.parts)), length->dtype());
  return b.add(b.view(sides.begin, {count, 1, 1}),
               b.mul(length, b.view(part, {1, sides.parts, 1})));
}

Value* lengths_of_parts(Context& c, const Sides& sides) {
  const SymInt count = sides.length->sizes().at(0);
  return c.build.view(c.build.div(sides.length, static_cast<double>(sides.parts)), {count, 1, 1});
}

// How much each pixel along a dimension adds to each part, and of how many points the sum is.
struct Weights {
  Value* sums;    // [count, parts, size]
  Value* points;  // [count]
};

// As many points as a part is pixels long, rounded up, which are more than half a pixel apart where
// they are more than one: so many at most lie in the picture, from the first one that does.
Weights adaptive_weights(Context& c, const Sides& sides, const SymInt& size) {
  auto& b = c.build;
  const SymInt count = sides.length->sizes().at(0);
  const SymInt most = size * 2 + 4;
  Value* length = lengths_of_parts(c, sides);
  Value* points = b.unary("ceil", length);
  Value* divisor = b.clamp(points, 1.0, std::nullopt);
  Value* begin = begins_of_parts(c, sides, length);
  Value* step = b.div(length, divisor);
  step = b.where(b.gt(step, 0.0), step, b.full_like(step, 1.0));
  Value* before = b.floor(b.sub(b.div(b.rsub(begin, -1.0), step), 0.5));
  before = b.minimum(b.clamp(before, 0.0, std::nullopt), divisor);
  Value* number = b.view(b.to_dtype(b.arange(most), length->dtype()), {1, 1, most});
  number = b.add(before, number);
  Value* rest = b.div(b.mul(b.add(number, 0.5), length), divisor);
  const Between between = within_border(b, b.add(begin, rest), size);
  Value* is_point = b.to_dtype(b.lt(number, points), length->dtype());
  Value* weights = b.mul(between.weights, b.unsqueeze(is_point, -1));
  const SymInt lines = count * SymInt(sides.parts);
  const Sizes flat = {lines, most * 2};
  Value* sums = b.scatter_add(b.zeros({lines, size}, length->dtype()), 1,
                              b.view(between.places, flat), b.view(weights, flat));
  return {b.view(sums, {count, sides.parts, size}), b.view(points, {count})};
}

// The points of a part are those of rows by those of columns, so the sum of what they add is a
// product of matrices.
Values adaptive_roi_align(Context& c, const Sides& of_rows, const Sides& of_columns) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  if (x->dtype() != DType::kFloat32 && x->dtype() != DType::kFloat64) {
    return c.unsupported("its number of points is computed in float32 and float64 only");
  }
  const SymInt channels = x->sizes().at(1);
  const SymInt height = x->sizes().at(2);
  const SymInt width = x->sizes().at(3);
  const Weights rows = adaptive_weights(c, of_rows, height);
  const Weights columns = adaptive_weights(c, of_columns, width);
  Value* picture = b.to_dtype(b.select(c.tensor(1), 1, 0), DType::kInt64);
  Value* pixels_first = b.permute(x, {0, 2, 3, 1});
  const auto turn = [&](OpBuilder& build, const LoopValues& now) -> LoopResults {
    Value* pixels = now.given.at(0);
    if (pixels->sizes().at(0) != SymInt(1)) {
      pixels = build.index_select(pixels, 0, build.view(now.scanned.at(0), {1}));
    }
    Value* by_rows = build.mm(now.scanned.at(1), build.view(pixels, {height, width * channels}));
    Value* all_columns = build.expand(build.unsqueeze(now.scanned.at(2), 0),
                                      {of_rows.parts, of_columns.parts, width});
    return {{}, {build.bmm(all_columns, build.view(by_rows, {of_rows.parts, width, channels}))}};
  };
  const LoopValues values{{}, {picture, rows.sums, columns.sums}, {pixels_first}};
  Value* sums = b.permute(loop(c, values, false, turn).stacked.at(0), {0, 3, 1, 2});
  Value* points = b.clamp(b.mul(rows.points, columns.points), 1.0, std::nullopt);
  return {b.div(sums, b.view(points, {points->sizes().at(0), 1, 1, 1}))};
}

// The mean of points in each part of a box.
Values roi_align(Context& c) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  Value* rois = c.tensor(1);
  const int64_t parts[] = {c.constant(3), c.constant(4)};
  const int64_t ratio = c.constant(5);
  const Sides sides[] = {sides_of(c, 2, 4, parts[0]), sides_of(c, 1, 3, parts[1])};
  if (ratio <= 0) return adaptive_roi_align(c, sides[0], sides[1]);
  const SymInt height = x->sizes().at(2);
  const SymInt width = x->sizes().at(3);
  const SymInt channels = x->sizes().at(1);
  const SymInt count = rois->sizes().at(0);
  // The points of every box along a dimension, [count, parts, ratio, 2].
  const auto points = [&](const Sides& along, const SymInt& size) {
    Value* length = lengths_of_parts(c, along);
    Value* point = b.add(b.to_dtype(b.arange(SymInt(ratio)), x->dtype()), 0.5);
    Value* rest = b.mul(length, b.view(point, {1, 1, ratio}));
    rest = b.div(rest, static_cast<double>(ratio));
    return within_border(b, b.add(begins_of_parts(c, along, length), rest), size);
  };
  const Between rows = points(sides[0], height);
  const Between columns = points(sides[1], width);
  // [count, rows, columns, and what is added up: ratio, ratio, 2, 2]
  const Sizes of_rows = {count, parts[0], 1, ratio, 1, 2, 1};
  const Sizes of_columns = {count, 1, parts[1], 1, ratio, 1, 2};
  const int64_t samples = ratio * ratio * 4;
  const Sizes flat = {count, parts[0] * parts[1], samples};
  Value* picture = b.to_dtype(b.select(rois, 1, 0), DType::kInt64);
  picture = b.mul(b.view(picture, {count, 1, 1, 1, 1, 1, 1}), height);
  Value* place = b.mul(b.add(picture, b.view(rows.places, of_rows)), width);
  place = b.view(b.add(place, b.view(columns.places, of_columns)), flat);
  Value* weights = b.mul(b.view(rows.weights, of_rows), b.view(columns.weights, of_columns));
  weights = b.div(b.view(weights, flat), static_cast<double>(ratio * ratio));

  Value* pixels = b.view(b.permute(x, {0, 2, 3, 1}), {x->sizes().at(0) * height * width, channels});
  const auto turn = [&](OpBuilder& build, const LoopValues& now) -> LoopResults {
    const SymInt all(parts[0] * parts[1]);
    Value* index = build.view(now.scanned.at(0), {all * SymInt(samples)});
    Value* some = build.index_select(now.given.at(0), 0, index);
    some = build.view(some, {all, samples, channels});
    Value* mean = build.bmm(build.unsqueeze(now.scanned.at(1), 1), some);
    return {{}, {build.view(mean, {all, channels})}};
  };
  Value* means = loop(c, {{}, {place, weights}, {pixels}}, false, turn).stacked.at(0);
  return {b.view(b.transpose(means, 1, 2), c.sizes())};
}

// Points of a kernel, to which nothing outside adds.
Between within(OpBuilder& b, Value* x, const SymInt& size) {
  Value* floor = b.floor(x);
  Value* low = b.to_dtype(floor, DType::kInt64);
  const Between both = beside(b, low, b.add(low, 1), b.sub(x, floor), b.eq(x, x));
  Value* is_inside = b.logical_and(b.ge(both.places, 0), b.lt(both.places, size));
  return {b.clamp(both.places, SymInt(0), size - 1), both.weights, is_inside};
}

// (input, weight, offset, mask, bias, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w,
// groups, offset_groups, use_mask): a convolution whose kernel's places are moved.
Values deform_conv2d(Context& c) {
  auto& b = c.build;
  Value* x = c.tensor(0);
  Value* weight = c.tensor(1);
  const SymInt batch = x->sizes().at(0);
  const SymInt channels = x->sizes().at(1);
  const Sizes size = last(x->sizes(), 2);
  const Sizes out = last(c.sizes(), 2);
  const Sizes kernel = last(weight->sizes(), 2);
  const SymInt places = kernel.at(0) * kernel.at(1);
  const int64_t groups = c.constant(11);
  const int64_t offset_groups = c.constant(12);
  if (groups < 1 || offset_groups < 1) return c.unsupported("its groups are inconsistent");
  // How far each place of the kernel is moved, [batch, offset groups, places, 2, out].
  Value* offset = b.view(c.tensor(2), {batch, offset_groups, places, 2, out.at(0), out.at(1)});
  const auto points = [&](int64_t d) {
    const SymInt stride = c.integer(5 + d);
    const SymInt padding = c.integer(7 + d);
    const SymInt dilation = c.integer(9 + d);
    Value* start = b.sub(b.mul(b.arange(out.at(d)), stride), padding);
    Value* step = b.mul(b.arange(kernel.at(d)), dilation);
    Sizes of_start(6, 1);
    Sizes of_step(6, 1);
    of_start.at(4 + d) = out.at(d);
    of_step.at(2 + d) = kernel.at(d);
    Value* place = b.add(b.view(start, of_start), b.view(step, of_step));
    Sizes all = {1, 1, kernel.at(0), kernel.at(1), out.at(0), out.at(1)};
    place = b.view(b.expand(place, all), {1, 1, places, out.at(0), out.at(1)});
    Value* moved = b.add(b.select(offset, 3, d), b.to_dtype(place, x->dtype()));
    return within(b, moved, size.at(d));
  };
  const Between rows = points(0);
  const Between columns = points(1);
  const SymInt& width = size.at(1);
  const SymInt points_in_all = places * out.at(0) * out.at(1);
  Value* pixels = b.view(
      x, {batch, offset_groups, SymInt::floordiv(channels, offset_groups), size.at(0) * width});
  Sizes gathered = pixels->sizes();
  gathered.at(3) = points_in_all;
  Value* sum = nullptr;
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 2; ++j) {
      Value* place =
          b.add(b.mul(b.select(rows.places, -1, i), width), b.select(columns.places, -1, j));
      place = b.view(place, {batch, offset_groups, 1, points_in_all});
      Value* part = b.mul(b.select(rows.weights, -1, i), b.select(columns.weights, -1, j));
      part = b.view(part, {batch, offset_groups, 1, points_in_all});
      // What lies outside is not read, whatever the pixel at the border is.
      Value* is_inside =
          b.logical_and(b.select(rows.is_inside, -1, i), b.select(columns.is_inside, -1, j));
      is_inside = b.view(is_inside, {batch, offset_groups, 1, points_in_all});
      part = b.mul(b.gather(pixels, 3, b.expand(place, gathered)), part);
      part = b.where(is_inside, part, b.scalar_tensor(0.0, part->dtype()));
      sum = sum ? b.add(sum, part) : part;
    }
  }
  if (c.flag(13)) {
    sum = b.mul(sum, b.view(c.tensor(3), {batch, offset_groups, 1, points_in_all}));
  }
  const SymInt inner = SymInt::floordiv(channels, groups) * places;
  const SymInt outer = SymInt::floordiv(weight->sizes().at(0), groups);
  const SymInt area = out.at(0) * out.at(1);
  Value* kernels = b.view(weight, {1, groups, outer, inner});
  kernels = b.view(b.expand(kernels, {batch, groups, outer, inner}),
                   {batch * SymInt(groups), outer, inner});
  Value* product = b.bmm(kernels, b.view(sum, {batch * SymInt(groups), inner, area}));
  product = b.view(product, c.sizes());
  return {b.add(product, b.view(c.tensor(4), {1, weight->sizes().at(0), 1, 1}))};
}

constexpr Entry kDetectionRules[] = {
    {"torchvision.nms.default", nms},
    {"torchvision.roi_align.default", roi_align},
    {"torchvision.deform_conv2d.default", deform_conv2d},
};

}  // namespace

std::span<const Entry> detection_rules() { return kDetectionRules; }

}  // namespace slipway::passes::decompositions
