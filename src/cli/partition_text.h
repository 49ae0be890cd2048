// Which nodes of a program run where, as `slipway inspect` shows it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/pte_summary.h"

namespace slipway::cli {

// What is slow about the method, a line each (engine::slow_path).
std::vector<std::string> slow_path(const PteSummary::Method& method);

// Engines with their nodes, and the nodes outside with their reasons, grouped by operator and
// reason. `all` leaves nothing out.
void print_partitions(const PteSummary::Method& method, bool all);

// One object an engine; one a node outside.
nlohmann::ordered_json engines_json(const PteSummary::Method& method);
nlohmann::ordered_json outside_json(const PteSummary::Method& method);

}  // namespace slipway::cli
