#include "compile/symbol_bounds.h"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"

namespace slipway {

namespace {

std::set<std::string> symbols_of(const ir::Program& program) {
  std::set<std::string> result;
  for (const auto& [symbol, range] : program.ranges) result.insert(symbol);
  auto add = [&](const ir::Value* value) {
    for (const ir::SymInt& size : value->sizes()) {
      for (const std::string& symbol : size.symbols()) result.insert(symbol);
    }
    for (const std::string& symbol : value->expression().symbols()) result.insert(symbol);
  };
  for (const ir::Value* input : program.graph->inputs()) add(input);
  for (const auto& node : program.graph->nodes()) {
    for (const ir::Value* output : node->outputs()) add(output);
  }
  return result;
}

// That each symbol which is named exists.
template <class Value>
Status check_known(const std::map<std::string, Value>& named, const std::set<std::string>& known) {
  for (const auto& [symbol, value] : named) {
    if (known.contains(symbol)) continue;
    return invalid_argument("no size is called {}; {}", symbol,
                            known.empty() ? std::string("all sizes are fixed")
                                          : fmt::format("there are {}", fmt::join(known, ", ")));
  }
  return {};
}

}  // namespace

Status apply_bounds(std::vector<ir::Program>& programs,
                    const std::map<std::string, int64_t>& bounds) {
  std::set<std::string> known;
  for (ir::Program& program : programs) {
    const std::set<std::string> symbols = symbols_of(program);
    known.insert(symbols.begin(), symbols.end());
    for (const auto& [symbol, bound] : bounds) {
      if (!symbols.contains(symbol)) continue;
      ir::Range& range = program.ranges[symbol];
      const int64_t least = range.min.value_or(0);
      if (bound < least) {
        return invalid_argument("{}: {} is at least {}, so {} can't be its upper bound",
                                program.source, symbol, least, bound);
      }
      range.max = std::min(range.max.value_or(bound), bound);
    }
  }
  return check_known(bounds, known);
}

Status apply_profiles(std::vector<ir::Program>& programs,
                      const std::map<std::string, ProfileRange>& profiles) {
  std::set<std::string> known;
  for (ir::Program& program : programs) {
    const std::set<std::string> symbols = symbols_of(program);
    known.insert(symbols.begin(), symbols.end());
    for (const auto& [symbol, profile] : profiles) {
      if (!symbols.contains(symbol)) continue;
      ir::Range& range = program.ranges[symbol];
      if (profile.min < range.min.value_or(0) ||
          profile.max > range.max.value_or(std::numeric_limits<int64_t>::max())) {
        return invalid_argument(
            "{}: the profile {}:{}:{} of {} has sizes that the program does not take; they are {} "
            "to {}",
            program.source, profile.min, profile.opt, profile.max, symbol, range.min.value_or(0),
            range.max ? std::to_string(*range.max) : "any");
      }
      range = {profile.min, profile.max};
    }
  }
  return check_known(profiles, known);
}

}  // namespace slipway
