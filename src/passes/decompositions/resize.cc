// Resizing images, and sampling them.
#include "passes/decompositions/resize.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {

using ir::Argument;
using ir::Scalar;
using ir::SymInt;
using ir::Value;
using Sizes = std::vector<SymInt>;

Value* cubic_near(Context& c, Value* t, double a) {
  Value* inner = c.build.add(c.build.mul(t, a + 2), -(a + 3));
  return c.build.add(c.build.mul(c.build.mul(inner, t), t), 1.0);
}

Value* cubic_far(Context& c, Value* t, double a) {
  Value* value = c.build.add(c.build.mul(t, a), -5 * a);
  value = c.build.add(c.build.mul(value, t), 8 * a);
  return c.build.add(c.build.mul(value, t), -4 * a);
}

Value* source_step(Context& c, const Resize& r, size_t d, const SymInt& in, DType dtype) {
  const SymInt out = r.size.at(d);
  if (r.align_corners) {
    return c.build.div(c.build.scalar_tensor((in - 1) * SymInt::min(out - 1, 1), dtype),
                       c.build.scalar_tensor(SymInt::max(out - 1, 1), dtype));
  }
  if (r.scale.at(d)) return c.build.scalar_tensor(1.0 / *r.scale.at(d), dtype);
  return c.build.div(c.build.scalar_tensor(in, dtype), c.build.scalar_tensor(out, dtype));
}

Value* antialiasing_weights(Context& c, Filter filter, Value* step, const SymInt& in,
                            const SymInt& out) {
  const DType dtype = step->dtype();
  Value* center = c.build.add(c.build.to_dtype(c.build.arange(out), dtype), 0.5);
  center = c.build.view(c.build.mul(center, step), {out, 1});
  Value* place = c.build.sub(c.build.to_dtype(c.build.arange(in), dtype), center);
  Value* inverse = c.build.reciprocal(c.build.clamp(step, Scalar(1.0), std::nullopt));
  Value* distance = c.build.abs(c.build.mul(c.build.add(place, 0.5), inverse));
  Value* weight = nullptr;
  if (filter == Filter::kTent) {
    weight = c.build.relu(c.build.rsub(distance, 1.0));
  } else {
    Value* far = c.build.where(c.build.lt(distance, 2.0), cubic_far(c, distance, kKeys),
                               c.build.full_like(distance, 0.0));
    weight = c.build.where(c.build.lt(distance, 1.0), cubic_near(c, distance, kKeys), far);
  }
  return c.build.div(weight, c.build.sum(weight, {1}, true));
}

Value* as_index(Context& c, Value* place, const SymInt& size) {
  Value* index = c.build.to_dtype(place, DType::kInt64);
  return c.build.clamp(index, Scalar(SymInt(0)), Scalar(size - 1));
}

namespace {

Resize request(Context& c, size_t n, bool has_align) {
  Resize r;
  r.n = n;
  r.size = last(c.sizes(), n);
  r.scale.resize(n);
  const DType dtype = c.tensor(0)->dtype();
  if (has_align && !is_floating_point(dtype) && !(n == 2 && dtype == DType::kUInt8)) {
    c.unsupported(
        "of integers PyTorch weighs only pictures of uint8, in two dimensions: convert them to "
        "float32 before");
  }
  size_t next = 2;
  if (has_align) r.align_corners = c.flag(next++);
  if (c.op().ends_with(".vec")) {
    if (c.has(next)) {
      const auto scales = c.numbers(next);
      for (size_t i = 0; i < n && i < scales.size(); ++i) r.scale.at(i) = scales.at(i);
    }
  } else {
    for (size_t i = 0; i < n; ++i) {
      if (c.has(next + i)) r.scale.at(i) = c.real(next + i);
    }
  }
  return r;
}

// Whether the user's scale is another than that of the sizes, which keep or double.
bool scales_otherwise(const Resize& r, const Sizes& from, size_t i) {
  const auto in = from.at(i + 2).constant();
  const auto out = r.size.at(i).constant();
  if (!in || !out || !r.scale.at(i) || (*out != *in && *out != 2 * *in)) return false;
  return static_cast<double>(*in) * *r.scale.at(i) != static_cast<double>(*out);
}

// One kernel call on [N, C, H, W]; the result's size comes from the scales where they are given.
Value* resize_2d(Context& c, Value* x, bool linear, bool align_corners, const Sizes& size,
                 std::optional<double> scale_h, std::optional<double> scale_w) {
  Argument output_size = size;
  Argument scales = ir::None{};
  if (scale_h && scale_w) {
    output_size = ir::None{};
    scales = std::vector<double>{*scale_h, *scale_w};
  }
  const Sizes sizes = {x->sizes().at(0), x->sizes().at(1), size.at(0), size.at(1)};
  if (linear) {
    return c.build.call("aten.upsample_bilinear2d.vec", {x, output_size, align_corners, scales},
                        x->dtype(), sizes);
  }
  return c.build.call("aten.upsample_nearest2d.vec", {x, output_size, scales}, x->dtype(), sizes);
}

Values nearest_by_index(Context& c, const Resize& r, double centre);
Values linear_by_index(Context& c, const Resize& r);

Values by_kernel(Context& c, size_t n, bool linear) {
  const Resize r = request(c, n, linear);
  Value* x = c.tensor(0);
  const Sizes s = x->sizes();
  if (linear && c.dtype() == DType::kFloat64) return linear_by_index(c, r);
  // The kernel's call would be taken for one of PyTorch's on two dimensions (below).
  for (size_t i = 0; i < n && n != 2 && !linear; ++i) {
    if (scales_otherwise(r, s, i)) return nearest_by_index(c, r, 0);
  }
  const auto scale = [&](size_t i) { return r.scale.at(i); };
  // A dimension that keeps its size has the scale 1.
  const auto with_one = [&](size_t i) {
    return scale(i) ? std::optional<double>(1.0) : std::nullopt;
  };
  if (n == 1) {
    Value* image = c.build.view(x, {s.at(0), s.at(1), 1, s.at(2)});
    Value* y =
        resize_2d(c, image, linear, r.align_corners, {1, r.size.at(0)}, with_one(0), scale(0));
    return {c.build.view(y, c.sizes())};
  }
  if (n == 2) {
    return {resize_2d(c, x, linear, r.align_corners, r.size, scale(0), scale(1))};
  }
  Value* planes = c.build.view(x, {s.at(0), s.at(1) * s.at(2), s.at(3), s.at(4)});
  planes = resize_2d(c, planes, linear, r.align_corners, {r.size.at(1), r.size.at(2)}, scale(1),
                     scale(2));
  const SymInt plane = r.size.at(1) * r.size.at(2);
  Value* lines = c.build.view(planes, {s.at(0), s.at(1), s.at(2), plane});
  lines =
      resize_2d(c, lines, linear, r.align_corners, {r.size.at(0), plane}, scale(0), with_one(0));
  return {c.build.view(lines, c.sizes())};
}

// A place of the result, in units of the source's elements: i * in / out, with the user's scale in
// place of out / in where there is one.
Value* scaled_places(Context& c, Value* i, const SymInt& in, const SymInt& out,
                     const std::optional<double>& scale) {
  if (scale) return c.build.mul(i, 1.0 / *scale);
  if (in.constant() && out.constant()) {
    return c.build.mul(i,
                       static_cast<double>(*in.constant()) / static_cast<double>(*out.constant()));
  }
  return c.build.div(c.build.mul(i, in), out);
}

Value* counted(Context& c, const SymInt& count, DType dtype = DType::kFloat32) {
  return c.build.to_dtype(c.build.arange(count), dtype);
}

// The places of the result along a dimension, in units of the source's elements.
Value* source_places(Context& c, const Resize& r, size_t d, const SymInt& in, DType dtype) {
  const SymInt& out = r.size.at(d);
  Value* place = counted(c, out, dtype);
  if (!r.align_corners) {
    return c.build.sub(scaled_places(c, c.build.add(place, 0.5), in, out, r.scale.at(d)), 0.5);
  }
  if (in.constant() && out.constant()) {
    const double steps = static_cast<double>(*out.constant() - 1);
    return c.build.mul(place, steps > 0 ? static_cast<double>(*in.constant() - 1) / steps : 0.0);
  }
  return c.build.div(c.build.mul(place, in - 1), SymInt::max(out - 1, 1));
}

// The places of the result with `centre` added are scaled. By a number, it is the odd numbers that
// are, whose half an engine can't add after the product, rounded otherwise.
Values nearest_by_index(Context& c, const Resize& r, double centre) {
  Value* x = c.tensor(0);
  for (size_t d = 0; d < r.n; ++d) {
    const auto dim = static_cast<int64_t>(d + 2);
    const SymInt in = x->sizes().at(dim);
    Value* place = nullptr;
    if (centre == 0.5 && r.scale.at(d)) {
      Value* odd = c.build.add(c.build.mul(c.build.arange(r.size.at(d)), SymInt(2)), SymInt(1));
      place = c.build.mul(c.build.to_dtype(odd, DType::kFloat32), 0.5 / *r.scale.at(d));
    } else {
      place = c.build.add(counted(c, r.size.at(d)), centre);
      place = scaled_places(c, place, in, r.size.at(d), r.scale.at(d));
    }
    x = c.build.index_select(x, dim, as_index(c, c.build.floor(place), in));
  }
  return {x};
}

Values nearest_exact(Context& c, size_t n) {
  return nearest_by_index(c, request(c, n, false), 0.5);
}

// PyTorch does not look at the scale where a size stays or doubles, if height and width of the
// result are at most 128 together (or the channels come last, which no program says). The kernel
// always does.
Values nearest_2d(Context& c) {
  const Resize r = request(c, 2, false);
  Value* x = c.tensor(0);
  const auto height = r.size.at(0).constant();
  const auto width = r.size.at(1).constant();
  if (!height || !width || *height + *width > 128) return {};
  auto scale = r.scale;
  bool changes = false;
  for (size_t i = 0; i < 2; ++i) {
    if (!scales_otherwise(r, x->sizes(), i)) continue;
    changes = true;
    scale.at(i) = r.size.at(i) == x->sizes().at(i + 2) ? 1.0 : 2.0;
  }
  if (!changes) return {};
  return {resize_2d(c, x, false, false, r.size, scale.at(0), scale.at(1))};
}

// Between two neighbours along one dimension after the other, all in float64: the kernel's weights
// are float32.
Values linear_by_index(Context& c, const Resize& r) {
  Value* x = c.tensor(0);
  for (size_t d = 0; d < r.n; ++d) {
    const auto dim = static_cast<int64_t>(d + 2);
    const SymInt in = x->sizes().at(dim);
    Value* place = c.build.clamp(source_places(c, r, d, in, DType::kFloat64), 0.0, std::nullopt);
    Value* base = c.build.floor(place);
    Sizes line(x->sizes().size(), 1);
    line.at(dim) = r.size.at(d);
    Value* weight = c.build.view(c.build.sub(place, base), line);
    Value* low = c.build.index_select(x, dim, as_index(c, base, in));
    Value* high = c.build.index_select(x, dim, as_index(c, c.build.add(base, 1.0), in));
    x = c.build.add(c.build.mul(low, c.build.rsub(weight, 1.0)), c.build.mul(high, weight));
  }
  return {x};
}

Values bilinear_2d(Context& c) {
  const Resize r = request(c, 2, true);
  if (is_of_bytes(c)) return resize_bytes(c, r, Filter::kTent, false);
  if (c.dtype() == DType::kFloat64) return linear_by_index(c, r);
  return c.op() == "aten.upsample_bilinear2d.vec" ? Values() : by_kernel(c, 2, true);
}

// Four neighbours a place, weighed along one dimension after the other.
Values bicubic(Context& c) {
  const Resize r = request(c, 2, true);
  if (is_of_bytes(c)) return resize_bytes(c, r, Filter::kCubic, false);
  Value* x = c.tensor(0);
  const DType dtype = x->dtype();
  if (dtype != DType::kFloat64) x = c.build.to_dtype(x, DType::kFloat32);
  for (int64_t d = 1; d >= 0; --d) {
    const int64_t dim = d + 2;
    const SymInt in = x->sizes().at(dim);
    const SymInt out = r.size.at(d);
    Value* place = source_places(c, r, d, in, x->dtype());
    Value* base = c.build.floor(place);
    Value* t = c.build.sub(place, base);
    Value* rest = c.build.rsub(t, 1.0);
    Value* const weights[] = {cubic_far(c, c.build.add(t, 1.0), kCubic), cubic_near(c, t, kCubic),
                              cubic_near(c, rest, kCubic),
                              cubic_far(c, c.build.add(rest, 1.0), kCubic)};
    Sizes line(4, 1);
    line.at(dim) = out;
    Value* total = nullptr;
    for (int64_t k = 0; k < 4; ++k) {
      Value* index = as_index(c, c.build.add(base, static_cast<double>(k - 1)), in);
      Value* part =
          c.build.mul(c.build.index_select(x, dim, index), c.build.view(weights[k], line));
      total = total ? c.build.add(total, part) : part;
    }
    x = total;
  }
  return {c.build.to_dtype(x, dtype)};
}

// By a matrix of weights for each dimension.
Values antialiased(Context& c, Filter filter) {
  const Resize r = request(c, 2, true);
  if (is_of_bytes(c)) return resize_bytes(c, r, filter, true);
  Value* x = c.tensor(0);
  const DType dtype = x->dtype() == DType::kFloat64 ? x->dtype() : DType::kFloat32;
  Value* y = c.build.to_dtype(x, dtype);
  const auto weights = [&](size_t d) {
    const SymInt in = x->sizes().at(d + 2);
    return antialiasing_weights(c, filter, source_step(c, r, d, in, dtype), in, r.size.at(d));
  };
  const auto product = [&](Value* a, Value* b, const Sizes& sizes) {
    return c.build.call("aten.matmul.default", {a, b}, dtype, sizes);
  };
  y = product(y, c.build.transpose(weights(1), 0, 1),
              {x->sizes().at(0), x->sizes().at(1), x->sizes().at(2), r.size.at(1)});
  y = product(weights(0), y, c.sizes());
  return {c.build.to_dtype(y, c.dtype())};
}

// The kernel has the form with an explicit size only, and does not give its result that size.
Values bilinear_antialiased(Context& c) {
  const Sizes all[] = {c.tensor(0)->sizes(), c.sizes()};
  const bool is_fixed = std::all_of(std::begin(all), std::end(all), [](const Sizes& sizes) {
    return std::all_of(sizes.begin(), sizes.end(),
                       [](const SymInt& size) { return size.is_constant(); });
  });
  if (!is_fixed || is_of_bytes(c) || c.dtype() == DType::kFloat64)
    return antialiased(c, Filter::kTent);
  if (c.op() == "aten._upsample_bilinear2d_aa.default") return {};
  const Resize r = request(c, 2, true);
  const auto scale = [&](size_t i) -> Argument {
    if (r.scale.at(i)) return *r.scale.at(i);
    return ir::None{};
  };
  return {c.build.call("aten._upsample_bilinear2d_aa.default",
                       {c.tensor(0), r.size, r.align_corners, scale(0), scale(1)}, c.dtype(),
                       c.sizes())};
}

Values grid_sampler(Context& c) {
  if (c.tensor(0)->rank() != 4) return c.unsupported("only images of two dimensions are sampled");
  return {c.build.call("aten.grid_sampler_2d.default", c.node().args(), c.dtype(), c.sizes())};
}

// (x, y, 1) of each place of the result, times theta.
Values affine_grid(Context& c) {
  Value* theta = c.tensor(0);
  const Sizes size = c.integers(1);
  if (size.size() != 4) return c.unsupported("only grids of two dimensions are made");
  const bool align_corners = c.flag(2);
  const auto line = [&](const SymInt& count) {
    const int64_t n = c.known(count, "the grid's size");
    const double edge =
        align_corners || n < 1 ? 1.0 : static_cast<double>(n - 1) / static_cast<double>(n);
    if (n == 1) return c.build.zeros({1}, theta->dtype());
    return c.build.call("aten.linspace.default", {-edge, edge, SymInt(n)}, theta->dtype(), {n});
  };
  const Sizes plane = {size.at(2), size.at(3)};
  Value* x = c.build.expand(line(size.at(3)), plane);
  Value* y = c.build.expand(c.build.view(line(size.at(2)), {size.at(2), 1}), plane);
  Value* places = c.build.stack({x, y, c.build.ones(plane, theta->dtype())}, 2);
  const SymInt count = size.at(2) * size.at(3);
  places = c.build.expand(c.build.view(places, {1, count, 3}), {size.at(0), count, 3});
  return {c.build.view(c.build.bmm(places, c.build.transpose(theta, 1, 2)), c.sizes())};
}

constexpr Entry kResizeRules[] = {
    {"aten.upsample_nearest1d.vec aten.upsample_nearest1d.default",
     [](Context& c) { return by_kernel(c, 1, false); }},
    {"aten.upsample_nearest2d.default", [](Context& c) { return by_kernel(c, 2, false); }},
    {"aten.upsample_nearest3d.vec aten.upsample_nearest3d.default",
     [](Context& c) { return by_kernel(c, 3, false); }},
    {"aten.upsample_linear1d.vec aten.upsample_linear1d.default",
     [](Context& c) { return by_kernel(c, 1, true); }},
    {"aten.upsample_nearest2d.vec", nearest_2d},
    {"aten.upsample_bilinear2d.vec aten.upsample_bilinear2d.default", bilinear_2d},
    {"aten.upsample_trilinear3d.vec aten.upsample_trilinear3d.default",
     [](Context& c) { return by_kernel(c, 3, true); }},
    {"aten._upsample_nearest_exact1d.vec aten._upsample_nearest_exact1d.default",
     [](Context& c) { return nearest_exact(c, 1); }},
    {"aten._upsample_nearest_exact2d.vec aten._upsample_nearest_exact2d.default",
     [](Context& c) { return nearest_exact(c, 2); }},
    {"aten._upsample_nearest_exact3d.vec aten._upsample_nearest_exact3d.default",
     [](Context& c) { return nearest_exact(c, 3); }},
    {"aten.upsample_bicubic2d.vec aten.upsample_bicubic2d.default", bicubic},
    {"aten._upsample_bilinear2d_aa.vec aten._upsample_bilinear2d_aa.default", bilinear_antialiased},
    {"aten._upsample_bicubic2d_aa.vec aten._upsample_bicubic2d_aa.default",
     [](Context& c) { return antialiased(c, Filter::kCubic); }},
    {"aten.grid_sampler.default", grid_sampler},
    {"aten.affine_grid_generator.default", affine_grid},
};

}  // namespace

std::span<const Entry> resize_rules() { return kResizeRules; }

}  // namespace slipway::passes::decompositions
