// How far apart two names are, for messages that guess what was meant.
#pragma once

#include <cstddef>
#include <string_view>

namespace slipway {

// How many letters have to be added, dropped, replaced or swapped with their neighbour to make one
// of the other (the optimal string alignment distance).
size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace slipway
