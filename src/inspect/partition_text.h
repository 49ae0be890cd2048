// Which nodes of a program run where, as a description of the file shows it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "inspect/pte_summary.h"
#include "slipway/inspect.h"

namespace slipway::inspection {

// What is slow about the method, a line each (engine::slow_path).
std::vector<std::string> slow_path(const MethodDetails& method);

// Engines with their nodes, and the nodes outside with their reasons, grouped by operator and
// reason.
std::string partitions_text(const MethodDetails& method, const TextOptions& options);

// One object an engine; one a node outside.
nlohmann::ordered_json engines_json(const MethodDetails& method);
nlohmann::ordered_json outside_json(const MethodDetails& method);

}  // namespace slipway::inspection
