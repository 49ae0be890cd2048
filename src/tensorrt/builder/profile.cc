#include "tensorrt/builder/profile.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway::tensorrt {

namespace {

Result<ProfileRange> range_of(const std::string& symbol, const onnx::Graph& graph,
                              const std::map<std::string, ProfileRange>& profiles) {
  if (auto given = profiles.find(symbol); given != profiles.end()) return given->second;
  auto known = graph.ranges.find(symbol);
  if (known == graph.ranges.end() || !known->second.max) {
    return invalid_argument(
        "the size {0} has no largest value, which a TensorRT engine needs: give option 'profile' "
        "{0}=MIN:OPT:MAX, or option 'bound' {0}=MAX",
        symbol);
  }
  const int64_t max = *known->second.max;
  const int64_t min = std::min(std::max<int64_t>(known->second.min.value_or(1), 1), max);
  return ProfileRange{min, max, max};
}

}  // namespace

Result<std::vector<InputProfile>> make_profile(const onnx::Graph& graph,
                                               const std::map<std::string, ProfileRange>& given) {
  // Each symbol at its smallest, its usual and its largest value.
  ir::SymbolRanges min;
  ir::SymbolRanges opt;
  ir::SymbolRanges max;
  std::vector<InputProfile> result;
  for (const onnx::ValueType& input : graph.inputs) {
    const auto is_dynamic = [](const ir::SymInt& size) { return !size.is_constant(); };
    if (std::none_of(input.sizes.begin(), input.sizes.end(), is_dynamic)) continue;
    InputProfile& profile = result.emplace_back();
    profile.input = input.name;
    for (const ir::SymInt& size : input.sizes) {
      for (const std::string& symbol : size.symbols()) {
        SLIPWAY_ASSIGN_OR_RETURN(const ProfileRange range, range_of(symbol, graph, given));
        min[symbol] = {range.min, range.min};
        opt[symbol] = {range.opt, range.opt};
        max[symbol] = {range.max, range.max};
      }
      const auto a = size.bounds(min).min;
      const auto b = size.bounds(opt).min;
      const auto c = size.bounds(max).min;
      if (!a || !b || !c) {
        return unsupported("the size {} of {} can't be computed ahead of time", size.to_string(),
                           input.name);
      }
      profile.min.push_back(std::min(*a, *c));
      profile.opt.push_back(*b);
      profile.max.push_back(std::max(*a, *c));
    }
  }
  return result;
}

Result<std::vector<std::vector<InputProfile>>> make_profiles(
    const onnx::Graph& graph, const std::map<std::string, std::vector<ProfileRange>>& profiles) {
  size_t count = 1;
  for (const auto& [symbol, ranges] : profiles) count = std::max(count, ranges.size());
  std::vector<std::vector<InputProfile>> result;
  for (size_t i = 0; i < count; ++i) {
    std::map<std::string, ProfileRange> given;
    for (const auto& [symbol, ranges] : profiles) {
      given[symbol] = ranges[std::min(i, ranges.size() - 1)];
    }
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<InputProfile> profile, make_profile(graph, given));
    if (std::find(result.begin(), result.end(), profile) == result.end()) {
      result.push_back(std::move(profile));
    }
  }
  return result;
}

}  // namespace slipway::tensorrt
