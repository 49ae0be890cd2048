#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

using ir::SymInt;

// How one dimension is resized.
struct Axis {
  SymInt in;
  SymInt out;
  std::optional<double> scale;  // given by the user: it need not be the quotient of the sizes
  // PyTorch's kernel for pictures of which height and width together are at most 128 (or that have
  // the channels last, which no program says) does not look at the scale where the size stays or
  // doubles.
  bool has_shortcut = false;
};

enum class Mode { kNearest, kNearestExact, kLinear, kCubic };

// Whether the scale is the quotient of the sizes, so that the sizes say everything.
bool is_quotient(const Axis& axis) {
  const auto in = axis.in.constant();
  const auto out = axis.out.constant();
  if (!axis.scale) return true;
  return in && out && static_cast<double>(*in) * *axis.scale == static_cast<double>(*out);
}

// Whether the engine's own floor(in * scale), in whatever precision, is PyTorch's size: scales that
// are a few powers of two.
bool is_short_scale(const Axis& axis) {
  const double units = axis.scale.value_or(0.1) * 256;
  return units == std::floor(units) && units >= 1 && units <= 4096;
}

// PyTorch's own places, in float32.
float inverse_scale(const Axis& axis) {
  if (axis.scale) return static_cast<float>(1 / *axis.scale);
  return static_cast<float>(*axis.in.constant()) / static_cast<float>(*axis.out.constant());
}

int64_t nearest_place(const Axis& axis, int64_t i, bool exact) {
  const int64_t in = *axis.in.constant();
  const int64_t out = *axis.out.constant();
  if (!exact && axis.has_shortcut && out == in) return i;
  if (!exact && axis.has_shortcut && out == 2 * in) return i / 2;
  const float place = (static_cast<float>(i) + (exact ? 0.5F : 0.0F)) * inverse_scale(axis);
  return std::min(static_cast<int64_t>(std::floor(place)), in - 1);
}

// The cubic with a = -0.75, at a distance within [0, 1] and within [1, 2].
float cubic_near(float t) { return ((1.25F * t) - 2.25F) * t * t + 1; }
float cubic_far(float t) { return ((-0.75F * t + 3.75F) * t - 6) * t + 3; }

std::vector<std::byte> floats(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// One dimension by gathering, for sizes that are known: what no Resize says.
Ref resize_axis(Context& c, const Ref& x, const Axis& axis, int64_t dim, int64_t rank, Mode mode) {
  const int64_t in = *axis.in.constant();
  const int64_t out = *axis.out.constant();
  if (mode == Mode::kNearest || mode == Mode::kNearestExact) {
    std::vector<int64_t> places;
    for (int64_t i = 0; i < out; ++i) {
      places.push_back(nearest_place(axis, i, mode == Mode::kNearestExact));
    }
    return c.gather(x, c.ints(places), dim);
  }
  const int64_t taps = mode == Mode::kCubic ? 4 : 2;
  std::vector<std::vector<int64_t>> places(static_cast<size_t>(taps));
  std::vector<std::vector<float>> weights(static_cast<size_t>(taps));
  for (int64_t i = 0; i < out; ++i) {
    float place = inverse_scale(axis) * (static_cast<float>(i) + 0.5F) - 0.5F;
    if (mode == Mode::kLinear) place = std::max(place, 0.0F);
    const float base = std::floor(place);
    const float t = place - base;
    const std::vector<float> w = mode == Mode::kLinear
                                     ? std::vector<float>{1 - t, t}
                                     : std::vector<float>{cubic_far(t + 1), cubic_near(t),
                                                          cubic_near(1 - t), cubic_far(2 - t)};
    for (int64_t k = 0; k < taps; ++k) {
      const int64_t at = static_cast<int64_t>(base) + k - (taps == 4 ? 1 : 0);
      places[static_cast<size_t>(k)].push_back(std::clamp<int64_t>(at, 0, in - 1));
      weights[static_cast<size_t>(k)].push_back(w[static_cast<size_t>(k)]);
    }
  }
  std::vector<int64_t> line(static_cast<size_t>(rank - dim), 1);
  line.front() = out;
  Ref total;
  for (size_t k = 0; k < places.size(); ++k) {
    const Ref weight = c.cast(c.constant(DType::kFloat32, line, floats(weights[k])), x.dtype);
    const Ref part = c.mul(c.gather(x, c.ints(places[k]), dim), weight);
    total = total.present() ? c.add(total, part) : part;
  }
  return total;
}

// One dimension of a nearest mode by PyTorch's own places, where sizes are known at run time only.
Ref gather_nearest(Context& c, const Ref& x, const Axis& axis, int64_t dim, bool exact) {
  const auto real = [&](const SymInt& size) {
    return c.cast(c.scalar_length(size), DType::kFloat32);
  };
  Ref i = c.cast(c.range(axis.out), DType::kFloat32);
  if (exact) i = c.add(i, 0.5);
  const Ref place = c.op("Floor", {c.mul(i, c.div(real(axis.in), real(axis.out)))});
  const Ref last = c.scalar_length(axis.in - 1);
  return c.gather(x, c.op("Min", {c.cast(place, DType::kInt64), last}), dim);
}

// Whether the size stays or is multiplied by a whole number.
bool is_multiple(const Axis& axis) {
  constexpr int kMost = 16;
  for (int k = 1; k <= kMost; ++k) {
    if (axis.out == axis.in * k) return true;
  }
  return false;
}

// upsample_<mode><n>d(x, output_size, [align_corners], scales...), and .vec with a list of scales.
void upsample(Context& c) {
  const std::string_view name = base_name(c);
  const bool nearest = name.find("nearest") != std::string_view::npos;
  const bool exact = name.find("exact") != std::string_view::npos;
  const bool cubic = name.find("cubic") != std::string_view::npos;
  const Mode mode = exact     ? Mode::kNearestExact
                    : nearest ? Mode::kNearest
                    : cubic   ? Mode::kCubic
                              : Mode::kLinear;
  const int64_t rank = c.rank(0);
  const auto spatial = static_cast<size_t>(std::max<int64_t>(rank - 2, 0));
  const bool align_corners = !nearest && c.flag(2);
  const Ref x = c.tensor(0);
  if (!nearest && !is_floating_point(x.dtype)) {
    return c.fail(
        "PyTorch weighs the colours of such pictures in a fixed-point arithmetic of its own");
  }

  std::vector<std::optional<double>> scales(spatial);
  const size_t first = nearest ? 2 : 3;
  if (overload_name(c) == "vec") {
    const std::vector<double> given = c.has(first) ? c.numbers(first) : std::vector<double>{};
    std::copy_n(given.begin(), std::min(given.size(), spatial), scales.begin());
  } else {
    for (size_t i = 0; i < spatial; ++i) {
      if (c.has(first + i)) scales[i] = c.real(first + i);
    }
  }
  std::vector<Axis> axes;
  for (size_t i = 0; i < spatial; ++i) {
    axes.push_back({c.type(0).sizes.at(i + 2), c.sizes().at(i + 2), scales[i], false});
    if (align_corners) axes.back().scale.reset();
  }
  const bool is_known = std::all_of(axes.begin(), axes.end(), [](const Axis& axis) {
    return axis.in.is_constant() && axis.out.is_constant() && *axis.in.constant() > 0;
  });
  if (is_known && axes.size() == 2) {
    const bool is_small = *axes[0].out.constant() + *axes[1].out.constant() <= 128;
    for (Axis& axis : axes) axis.has_shortcut = is_small;
  }
  // Places of the nearest modes are rounded otherwise from engine to engine, but for multiples.
  const auto by_sizes = [&](const Axis& axis) {
    return is_quotient(axis) && (!nearest || *axis.out.constant() % *axis.in.constant() == 0);
  };
  if (is_known && !std::all_of(axes.begin(), axes.end(), by_sizes)) {
    Ref y = x;
    for (size_t i = 0; i < axes.size(); ++i) {
      if (axes[i].in == axes[i].out && is_quotient(axes[i])) continue;
      y = resize_axis(c, y, axes[i], static_cast<int64_t>(i + 2), rank, mode);
    }
    return c.result(y);
  }

  Attributes attributes = {{"mode", std::string(nearest ? "nearest" : cubic ? "cubic" : "linear")}};
  if (nearest) {
    attributes.emplace_back("coordinate_transformation_mode",
                            std::string(exact ? "half_pixel" : "asymmetric"));
    attributes.emplace_back("nearest_mode", std::string(exact ? "round_prefer_ceil" : "floor"));
  } else {
    attributes.emplace_back("coordinate_transformation_mode",
                            std::string(align_corners ? "align_corners" : "half_pixel"));
  }
  if (cubic) attributes.emplace_back("cubic_coeff_a", -0.75F);
  const bool has_scales = std::any_of(axes.begin(), axes.end(),
                                      [](const Axis& axis) { return axis.scale.has_value(); });
  if (!is_known && has_scales) {
    if (!std::all_of(axes.begin(), axes.end(), is_short_scale)) {
      return c.fail(
          "its scale has sizes that are known only at run time and rounded otherwise from "
          "engine to engine; scales such as 0.5 and 1.25 have not, nor has "
          "recompute_scale_factor=True");
    }
    std::vector<float> factors = {1, 1};
    for (const Axis& axis : axes) factors.push_back(static_cast<float>(*axis.scale));
    const Ref given = c.constant(DType::kFloat32, {rank}, floats(factors));
    return c.result(c.op("Resize", {x, {}, given}, attributes));
  }
  if (nearest && !is_known && !std::all_of(axes.begin(), axes.end(), is_multiple)) {
    Ref y = x;
    for (size_t i = 0; i < axes.size(); ++i) {
      if (axes[i].in == axes[i].out) continue;
      y = gather_nearest(c, y, axes[i], static_cast<int64_t>(i + 2), exact);
    }
    return c.result(y);
  }
  // The first two sizes stay, whatever they are.
  c.result(c.op("Resize", {x, {}, {}, c.shape(c.sizes())}, attributes));
}

// grid_sampler_2d(x, grid, interpolation, padding, align_corners)
void grid_sampler(Context& c) {
  static constexpr const char* kModes[] = {"linear", "nearest", "cubic"};
  static constexpr const char* kPaddings[] = {"zeros", "border", "reflection"};
  const int64_t mode = c.constant(2);
  const int64_t padding = c.constant(3);
  if (mode < 0 || mode > 2 || padding < 0 || padding > 2) return c.fail("the mode is not known");
  c.result(c.op("GridSample", {c.tensor(0), c.tensor(1)},
                {{"mode", std::string(kModes[mode])},
                 {"padding_mode", std::string(kPaddings[padding])},
                 {"align_corners", c.flag(4) ? 1 : 0}}));
}

constexpr Entry kResizeRules[] = {
    {"aten.upsample_nearest1d aten.upsample_nearest1d.vec aten.upsample_nearest2d "
     "aten.upsample_nearest2d.vec aten.upsample_nearest3d aten.upsample_nearest3d.vec "
     "aten._upsample_nearest_exact1d aten._upsample_nearest_exact1d.vec "
     "aten._upsample_nearest_exact2d aten._upsample_nearest_exact2d.vec "
     "aten._upsample_nearest_exact3d aten._upsample_nearest_exact3d.vec aten.upsample_linear1d "
     "aten.upsample_linear1d.vec aten.upsample_bilinear2d aten.upsample_bilinear2d.vec "
     "aten.upsample_trilinear3d aten.upsample_trilinear3d.vec aten.upsample_bicubic2d "
     "aten.upsample_bicubic2d.vec",
     upsample,
     "integers but for the nearest modes; scales with many digits of sizes known only at run time"},
    {"aten.grid_sampler_2d aten.grid_sampler_3d aten.grid_sampler", grid_sampler},
};

}  // namespace

std::span<const Entry> resize_rules() { return kResizeRules; }

}  // namespace slipway::onnx
