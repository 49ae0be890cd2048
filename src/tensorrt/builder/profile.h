// The sizes that an engine serves.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/sym_int.h"
#include "onnx/graph.h"
#include "slipway/result.h"
#include "tensorrt/builder/options.h"

namespace slipway::tensorrt {

struct InputProfile {
  std::string input;
  std::vector<int64_t> min;
  std::vector<int64_t> opt;
  std::vector<int64_t> max;

  bool operator==(const InputProfile&) const = default;
};

// One for each input of the graph with a dynamic size. A symbol without a range in `profile` has
// the one that the graph knows, from at least 1 on, and is tuned for its largest value.
// kInvalidArgument names a symbol that has none.
Result<std::vector<InputProfile>> make_profile(const onnx::Graph& graph,
                                               const std::map<std::string, ProfileRange>& profile);

// The same of each profile (Options::profiles), those that differ for this graph; at least one.
Result<std::vector<std::vector<InputProfile>>> make_profiles(
    const onnx::Graph& graph, const std::map<std::string, std::vector<ProfileRange>>& profiles);

}  // namespace slipway::tensorrt
