// Which of several engines run a program fastest together, found out by running it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compile/built_methods.h"
#include "engine/tuning.h"
#include "slipway/compile.h"
#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway {

// A program cut in one of the ways, loaded, with inputs for each of its methods.
struct Contender {
  Module module;
  std::vector<std::pair<Method, std::vector<Value>>> calls;
};
// The milliseconds that a call of each contender's methods takes, the median, or why it doesn't
// run.
using Stopwatch = std::function<std::vector<Result<double>>(const std::vector<Contender>&)>;
// Takes turns of some calls each, after a pause and a call that does not count, so that what else
// the machine does falls on all alike: for a second each, but three turns at least.
std::vector<Result<double>> time_calls(const std::vector<Contender>& contenders);

// Builds the methods for each of CompileOptions::engines alone and for each order of them, and
// gives what took the least time; then what is better yet with some part of that given to the next
// engine that takes it. Where the cache of engines has the choice of an earlier compile alike on
// such a processor, that is built alone. Errors where nothing can be built; what can't be run is a
// warning, and the list as it is given is built.
Result<BuiltMethods> build_fastest(const NamedPrograms& methods, const CompileOptions& options,
                                   std::optional<engine::Tuning>& tuning,
                                   const Stopwatch& stopwatch = time_calls);

}  // namespace slipway
