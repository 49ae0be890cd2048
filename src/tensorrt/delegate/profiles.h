// Which of an engine's optimization profiles serves a call.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/library/engine.h"

namespace slipway::tensorrt {

// Of all profiles; in each, one for each input, without sizes where those of the input are fixed.
using ProfileTable = std::vector<std::vector<ShapeBounds>>;

// Of the inputs whose sizes are dynamic, by their places. At least one profile, unless there are
// none.
ProfileTable read_profiles(const Engine& engine, const std::vector<IoTensor>& inputs);

// Whether the bounds have the sizes within them; those without sizes have all.
bool serves(const ShapeBounds& bounds, const std::vector<int64_t>& sizes);

// The pinned profile, whatever it serves; or else the active one, or the first that serves the
// sizes of all inputs. The active one where none does. kInvalidArgument where there is no pinned
// one; an engine with a single profile has that for any number from 0 on.
Result<int> choose_profile(const ProfileTable& profiles,
                           const std::vector<std::vector<int64_t>>& sizes, int active,
                           std::optional<int> pinned);

}  // namespace slipway::tensorrt
