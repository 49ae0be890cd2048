// Nodes that call engines.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/record.h"
#include "ir/graph.h"

namespace slipway::pte {

struct EngineCall {
  size_t engine = 0;  // its place among the method's
  const std::vector<ir::Value*>* inputs = nullptr;
};

// The node's call, if it calls one of these engines.
std::optional<EngineCall> engine_call(const ir::Node& node,
                                      const std::vector<engine::Engine>& engines);

}  // namespace slipway::pte
