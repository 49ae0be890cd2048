// Which nodes of a program run where, as `slipway inspect` shows it.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/pte_summary.h"

namespace slipway::cli {

// Engines with their nodes, and the nodes outside with their reasons, grouped by operator and
// reason. `all` leaves nothing out.
void print_partitions(const PteSummary::Method& method, bool all);

// One object an engine; one a node outside.
nlohmann::ordered_json engines_json(const PteSummary::Method& method);
nlohmann::ordered_json outside_json(const PteSummary::Method& method);

}  // namespace slipway::cli
