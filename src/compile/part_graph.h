// How the nodes of an engine hang together, for pictures of it.
#pragma once

#include <vector>

#include "engine/engine_graph.h"
#include "partition/partition.h"

namespace slipway {

// Of each part of a program, whose inputs are in the order of the engine's. All are empty where the
// parts have more than 20,000 nodes together: nobody looks at a picture of that, and a manifest has
// its limits.
std::vector<engine::EngineGraph> graphs_of(const std::vector<partition::Partition>& parts);

}  // namespace slipway
