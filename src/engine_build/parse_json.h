// Reading the JSON that Slipway itself writes (base/json.h reads what others do); here, so that
// nlohmann-json's parser is compiled once.
#pragma once

#include <string_view>

#include "engine/json.h"
#include "slipway/result.h"

namespace slipway::engine_build {

// kInternal for what is no JSON.
Result<engine::OrderedJson> parse_json(std::string_view text);

}  // namespace slipway::engine_build
