// What the rules for resizing pictures share: the request, the filters and their weights.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "passes/decompositions/registry.h"

namespace slipway::passes::decompositions {

// What every upsample operator says, in its two forms: (input, output_size?, [align_corners],
// scale_factors?) and (self, output_size, [align_corners], scales...).
struct Resize {
  size_t n = 2;                              // spatial dimensions
  std::vector<ir::SymInt> size;              // of the result
  std::vector<std::optional<double>> scale;  // given by the user, for each dimension
  bool align_corners = false;
};

enum class Filter { kTent, kCubic };

// The cubic's parameter: without and with antialiasing.
inline constexpr double kCubic = -0.75;
inline constexpr double kKeys = -0.5;

// The cubic at a distance within [0, 1] and within [1, 2].
ir::Value* cubic_near(Context& c, ir::Value* t, double a);
ir::Value* cubic_far(Context& c, ir::Value* t, double a);

// How many places of the source one of the result covers along spatial dimension d, a 0-dim tensor.
ir::Value* source_step(Context& c, const Resize& r, size_t d, const ir::SymInt& in, DType dtype);

// [out, in]: what each place of the result takes of each place of the source, by a filter as wide
// as a place of the larger of the two.
ir::Value* antialiasing_weights(Context& c, Filter filter, ir::Value* step, const ir::SymInt& in,
                                const ir::SymInt& out);

// A place as an index, brought into the dimension.
ir::Value* as_index(Context& c, ir::Value* place, const ir::SymInt& size);

// Pictures of 8 bits, which PyTorch weighs in a fixed-point arithmetic of its own.
inline bool is_of_bytes(Context& c) { return c.tensor(0)->dtype() == DType::kUInt8; }
Values resize_bytes(Context& c, const Resize& r, Filter filter, bool antialias);

}  // namespace slipway::passes::decompositions
