// Limits that the user gives to symbolic sizes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway {

// Lowers the largest value of each symbol, in every program that has it. A symbol is named as it is
// ("s77") or by a dimension that is that size ("x.0": the first of input x). Errors: a name that no
// program has (the message lists those there are), a bound below the smallest value, two names of
// one symbol with different bounds. `warn` is told of a bound above the archive's own, which stays.
Status apply_bounds(std::vector<ir::Program>& programs,
                    const std::map<std::string, int64_t>& bounds,
                    const std::function<void(const std::string&)>& warn = {});

// The sizes of the symbols of each program's inputs: those of `given`, named as bounds are, and
// else what they were at the export, within their ranges. Errors: a name that no program has, a
// size outside of its range, two names of one symbol with different sizes.
Result<std::vector<std::map<std::string, int64_t>>> example_sizes(
    const std::vector<ir::Program>& programs, const std::map<std::string, int64_t>& given);

// An error that lists every size of an input that has no upper bound, and how to give one.
Status check_bounded(const std::vector<ir::Program>& programs);

// Narrows the range of each symbol, in every program that has it, to the sizes that engines serve,
// inclusive. Errors: a symbol that no program has, sizes that the program does not take.
Status apply_size_limits(std::vector<ir::Program>& programs,
                         const std::map<std::string, std::pair<int64_t, int64_t>>& limits);

}  // namespace slipway
