// Upper bounds that the user gives to symbolic sizes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway {

// Lowers the largest value of each symbol, in every program that has it. Errors: a symbol that no
// program has (the message lists those there are), a bound below the smallest value.
Status apply_bounds(std::vector<ir::Program>& programs,
                    const std::map<std::string, int64_t>& bounds);

}  // namespace slipway
