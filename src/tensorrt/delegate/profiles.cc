#include "tensorrt/delegate/profiles.h"

#include <algorithm>

#include "base/error.h"

namespace slipway::tensorrt {

namespace {

constexpr size_t kMostProfiles = 256;

}  // namespace

ProfileTable read_profiles(const Engine& engine, const std::vector<IoTensor>& inputs) {
  const auto dynamic = std::find_if(inputs.begin(), inputs.end(),
                                    [](const IoTensor& input) { return input.is_dynamic(); });
  ProfileTable profiles;
  // TensorRT has no sizes for a profile that is not there.
  do {
    const int profile = static_cast<int>(profiles.size());
    std::vector<ShapeBounds>& bounds = profiles.emplace_back();
    for (const IoTensor& input : inputs) {
      bounds.push_back(input.is_dynamic() ? engine.bounds(input.name, profile) : ShapeBounds());
    }
  } while (dynamic != inputs.end() && profiles.size() < kMostProfiles &&
           !engine.bounds(dynamic->name, static_cast<int>(profiles.size())).min.empty());
  return profiles;
}

bool serves(const ShapeBounds& bounds, const std::vector<int64_t>& sizes) {
  if (bounds.min.empty() && bounds.max.empty()) return true;
  if (bounds.min.size() != sizes.size() || bounds.max.size() != sizes.size()) return false;
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < bounds.min[i] || sizes[i] > bounds.max[i]) return false;
  }
  return true;
}

Result<int> choose_profile(const ProfileTable& profiles,
                           const std::vector<std::vector<int64_t>>& sizes, int active,
                           std::optional<int> pinned) {
  const int count = static_cast<int>(profiles.size());
  if (pinned) {
    if (*pinned >= 0 && count == 1) return 0;
    if (*pinned >= 0 && *pinned < count) return *pinned;
    return invalid_argument("its caller wants profile {}, and the engine has {}, from 0 on",
                            *pinned, count);
  }
  const auto fits = [&](int profile) {
    const std::vector<ShapeBounds>& bounds = profiles[static_cast<size_t>(profile)];
    for (size_t i = 0; i < bounds.size(); ++i) {
      if (!serves(bounds[i], sizes[i])) return false;
    }
    return true;
  };
  if (fits(active)) return active;
  for (int profile = 0; profile < count; ++profile) {
    if (fits(profile)) return profile;
  }
  return active;
}

}  // namespace slipway::tensorrt
