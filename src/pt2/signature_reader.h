// What the inputs and outputs of a program's graph stand for.
#pragma once

#include <string>

#include "base/json.h"
#include "ir/program.h"
#include "pt2/graph_reader.h"
#include "pt2/weights.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// Fills the program's inputs and outputs, with data from `state` (parameters and persistent
// buffers) and `constants` (everything else). The program's graph has been read already, and
// `contents` came from that. What is wrong with the JSON is recorded in its document; the status is
// about data that is missing or does not fit.
Status read_signature(JsonValue signature, const GraphContents& contents, const Weights& state,
                      const Weights& constants, ir::Program& program);

// For messages: "engine, other", or "none".
std::string names_of_objects(const Weights& constants);

}  // namespace slipway::pt2
