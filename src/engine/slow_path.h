// Nodes that take most of a model's time and stay on kernels.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/manifest.h"

namespace slipway::engine {

// What the reasons of nodes begin with that the user keeps from engines.
inline constexpr std::string_view kExcluded = "excluded by";

// A line for each kind of convolution, product, attention and recurrent layer among the nodes
// outside of engines, or one line where an engine has no node at all; `inside` is how many it has.
// The user's own exclusions are no news.
std::vector<std::string> slow_path(std::span<const ManifestOutside> outside, size_t inside);

}  // namespace slipway::engine
