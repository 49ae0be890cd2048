// The graph of a method as JSON: what its instructions read and write, and where that lies.
#pragma once

#include <nlohmann/json.hpp>

#include "pte/reader/reader.h"

namespace slipway::inspection {

// docs/inspect.md describes it. The method is in the file.
nlohmann::ordered_json graph_json(const pte::File& file, const std::string& method);

}  // namespace slipway::inspection
