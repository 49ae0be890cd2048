#include <algorithm>
#include <string>
#include <string_view>

#include "onnx/ops/common.h"
#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

// upsample_<mode><n>d(x, output_size, [align_corners], scales...), and .vec with a list of scales.
void upsample(Context& c) {
  const std::string_view name = base_name(c);
  const bool nearest = name.find("nearest") != std::string_view::npos;
  const bool exact = name.find("exact") != std::string_view::npos;
  const bool cubic = name.find("cubic") != std::string_view::npos;
  const auto spatial = static_cast<size_t>(std::max<int64_t>(c.rank(0) - 2, 0));
  const bool align_corners = !nearest && c.flag(2);

  // A scale that was given is used as it is: it need not be the quotient of the sizes.
  std::vector<double> scales;
  const size_t first = nearest ? 2 : 3;
  if (overload_name(c) == "vec") {
    scales = c.numbers(first);
  } else {
    for (size_t i = first; c.has(i); ++i) scales.push_back(c.real(i));
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
  const Ref x = c.tensor(0);
  if (scales.size() == spatial && spatial > 0) {
    scales.insert(scales.begin(), 2, 1.0);
    std::vector<std::byte> bytes;
    for (double scale : scales) {
      const auto item = encode(scale, DType::kFloat32);
      bytes.insert(bytes.end(), item.begin(), item.end());
    }
    const Ref factors =
        c.constant(DType::kFloat32, {static_cast<int64_t>(scales.size())}, std::move(bytes));
    return c.result(c.op("Resize", {x, {}, factors}, attributes));
  }
  // The first two sizes stay, whatever they are.
  Sizes sizes = c.sizes();
  c.result(c.op("Resize", {x, {}, {}, c.shape(sizes)}, attributes));
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

constexpr Entry kRules[] = {
    {"aten.upsample_nearest1d aten.upsample_nearest1d.vec aten.upsample_nearest2d "
     "aten.upsample_nearest2d.vec aten.upsample_nearest3d aten.upsample_nearest3d.vec "
     "aten._upsample_nearest_exact1d aten._upsample_nearest_exact1d.vec "
     "aten._upsample_nearest_exact2d aten._upsample_nearest_exact2d.vec "
     "aten._upsample_nearest_exact3d aten._upsample_nearest_exact3d.vec aten.upsample_linear1d "
     "aten.upsample_linear1d.vec aten.upsample_bilinear2d aten.upsample_bilinear2d.vec "
     "aten.upsample_trilinear3d aten.upsample_trilinear3d.vec aten.upsample_bicubic2d "
     "aten.upsample_bicubic2d.vec",
     upsample},
    {"aten.grid_sampler_2d aten.grid_sampler_3d aten.grid_sampler", grid_sampler},
};

}  // namespace

std::span<const Entry> resize_rules() { return kRules; }

}  // namespace slipway::onnx
