// The graph of an engine's nodes as JSON (docs/formats/manifest.md).
#pragma once

#include <cstddef>

#include "base/json.h"
#include "engine/engine_graph.h"
#include "engine/json.h"

namespace slipway::engine {

OrderedJson graph_to_json(const EngineGraph& graph);
// Of an engine with so many inputs and nodes. What does not fit is the document's error.
EngineGraph read_graph(JsonValue json, size_t inputs, size_t nodes);

}  // namespace slipway::engine
