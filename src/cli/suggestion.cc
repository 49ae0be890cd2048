#include "cli/suggestion.h"

#include <algorithm>
#include <cstddef>

#include "base/edit_distance.h"

namespace slipway::cli {

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  std::string nearest;
  // A third of the letters may be wrong.
  size_t fewest = std::max<size_t>(name.size() / 3, 1) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < fewest) {
      fewest = distance;
      nearest = candidate;
    }
  }
  if (!nearest.empty() || name.size() < 4) return nearest;
  // Cut short, or with something behind it.
  for (const std::string& candidate : known) {
    if (candidate.starts_with(name) || name.starts_with(candidate)) return candidate;
  }
  return {};
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean " + nearest + "?";
}

}  // namespace slipway::cli
