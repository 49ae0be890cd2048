// What was probably meant by a name that does not exist.
#pragma once

#include <string>
#include <vector>

namespace slipway::cli {

// The known name with the fewest edits (letters added, dropped, changed or swapped with their
// neighbour) from `name`; empty where none is near enough to be meant.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

// "; did you mean X?", or empty.
std::string did_you_mean(const std::string& name, const std::vector<std::string>& known);

}  // namespace slipway::cli
