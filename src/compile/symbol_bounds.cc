#include "compile/symbol_bounds.h"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"

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

// The dimensions of inputs that are symbols, as users name them: {"x.0", "s77"}.
std::vector<std::pair<std::string, std::string>> dynamic_dimensions(const ir::Program& program) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const ir::Input& input : program.inputs) {
    if (input.kind != ir::InputKind::kUserInput || input.value == nullptr) continue;
    const std::vector<ir::SymInt>& sizes = input.value->sizes();
    for (size_t d = 0; d < sizes.size(); ++d) {
      if (!sizes[d].is_symbol()) continue;
      result.emplace_back(fmt::format("{}.{}", input.name, d), sizes[d].symbol_name());
    }
  }
  return result;
}

// What is given by symbols. Two names of one size may agree only.
Result<std::map<std::string, int64_t>> by_symbol(const ir::Program& program,
                                                 const std::map<std::string, int64_t>& numbers,
                                                 std::set<std::string>& known) {
  std::map<std::string, int64_t> result = numbers;
  for (const auto& [name, symbol] : dynamic_dimensions(program)) {
    known.insert(name);
    const auto given = numbers.find(name);
    if (given == numbers.end()) continue;
    const auto [other, is_new] = result.emplace(symbol, given->second);
    if (!is_new && other->second != given->second) {
      return invalid_argument("{}: {} is the size {}, for which {} and {} are given",
                              program.source, name, symbol, given->second, other->second);
    }
  }
  return result;
}

}  // namespace

Status apply_bounds(std::vector<ir::Program>& programs, const std::map<std::string, int64_t>& given,
                    const std::function<void(const std::string&)>& warn) {
  std::set<std::string> known;
  for (ir::Program& program : programs) {
    const std::set<std::string> symbols = symbols_of(program);
    known.insert(symbols.begin(), symbols.end());
    SLIPWAY_ASSIGN_OR_RETURN(const auto bounds, by_symbol(program, given, known));
    for (const auto& [symbol, bound] : bounds) {
      if (!symbols.contains(symbol)) continue;
      ir::Range& range = program.ranges[symbol];
      const int64_t least = range.min.value_or(0);
      if (bound < least) {
        return invalid_argument("{}: {} is at least {}, so {} can't be its upper bound",
                                program.source, symbol, least, bound);
      }
      if (warn && range.max && *range.max < bound) {
        warn(fmt::format(
            "{}: {} is at most {}, as the model was exported: option 'bounds' can lower that, not "
            "raise it to {}",
            program.source, symbol, *range.max, bound));
      }
      range.max = std::min(range.max.value_or(bound), bound);
    }
  }
  return check_known(given, known);
}

Result<std::vector<std::map<std::string, int64_t>>> example_sizes(
    const std::vector<ir::Program>& programs, const std::map<std::string, int64_t>& given) {
  std::vector<std::map<std::string, int64_t>> all;
  std::set<std::string> known;
  for (const ir::Program& program : programs) {
    std::set<std::string> symbols;
    for (const ir::Input& input : program.inputs) {
      if (input.kind != ir::InputKind::kUserInput) continue;
      for (const ir::SymInt& size : input.value->sizes()) {
        for (const std::string& symbol : size.symbols()) symbols.insert(symbol);
      }
      for (const std::string& symbol : input.value->expression().symbols()) symbols.insert(symbol);
    }
    known.insert(symbols.begin(), symbols.end());
    SLIPWAY_ASSIGN_OR_RETURN(const auto chosen, by_symbol(program, given, known));
    std::map<std::string, int64_t>& sizes = all.emplace_back();
    for (const std::string& symbol : symbols) {
      const auto range = program.ranges.find(symbol);
      const ir::Range bounds = range == program.ranges.end() ? ir::Range() : range->second;
      const int64_t least = bounds.min.value_or(0);
      const int64_t most = bounds.max.value_or(std::numeric_limits<int64_t>::max());
      const auto choice = chosen.find(symbol);
      if (choice != chosen.end() && (choice->second < least || choice->second > most)) {
        return invalid_argument("{}: {} is between {} and {}, and can't be {}", program.source,
                                symbol, least, most, choice->second);
      }
      const auto hint = program.hints.find(symbol);
      const int64_t size = choice != chosen.end()        ? choice->second
                           : hint != program.hints.end() ? hint->second
                                                         : 1;
      sizes[symbol] = std::min(std::max(size, least), most);
    }
  }
  SLIPWAY_RETURN_IF_ERROR(check_known(given, known));
  return all;
}

Status check_bounded(const std::vector<ir::Program>& programs) {
  for (const ir::Program& program : programs) {
    // The first name of each symbol.
    std::map<std::string, std::string> unbounded;
    std::vector<std::string> names;
    for (const auto& [name, symbol] : dynamic_dimensions(program)) {
      const auto range = program.ranges.find(symbol);
      if (range != program.ranges.end() && range->second.max) continue;
      if (unbounded.emplace(symbol, name).second) names.push_back(name);
    }
    if (names.empty()) continue;
    std::vector<std::string> lines;
    std::vector<std::string> remedies;
    remedies.reserve(names.size());
    for (const auto& [symbol, name] : unbounded) {
      const size_t dot = name.rfind('.');
      lines.push_back(fmt::format("{} (dimension {} of input '{}')", symbol, name.substr(dot + 1),
                                  name.substr(0, dot)));
    }
    for (const std::string& name : names)
      remedies.push_back(fmt::format("option 'bounds' {}=64", name));
    return invalid_argument(
        "{}: {} {} no upper bound, and memory is planned ahead of time: give the largest size that "
        "is used, such as {}, or export with Dim(..., max=64)",
        program.source, fmt::join(lines, ", "), lines.size() == 1 ? "has" : "have",
        fmt::join(remedies, " "));
  }
  return {};
}

Status apply_size_limits(std::vector<ir::Program>& programs,
                         const std::map<std::string, std::pair<int64_t, int64_t>>& limits) {
  std::set<std::string> known;
  for (ir::Program& program : programs) {
    const std::set<std::string> symbols = symbols_of(program);
    known.insert(symbols.begin(), symbols.end());
    for (const auto& [symbol, limit] : limits) {
      if (!symbols.contains(symbol)) continue;
      ir::Range& range = program.ranges[symbol];
      const auto [min, max] = limit;
      if (min < range.min.value_or(0) ||
          max > range.max.value_or(std::numeric_limits<int64_t>::max())) {
        return invalid_argument(
            "{}: the profile of {} is for sizes from {} to {}, and the program takes those from {} "
            "to {}",
            program.source, symbol, min, max, range.min.value_or(0),
            range.max ? std::to_string(*range.max) : "any");
      }
      range = {min, max};
    }
  }
  return check_known(limits, known);
}

}  // namespace slipway
