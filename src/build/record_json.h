// The record of an engine as JSON (docs/formats/engine_cache.md).
#pragma once

#include <string>
#include <string_view>

#include "engine/record.h"
#include "slipway/result.h"

namespace slipway::build {

std::string write_record(const engine::EngineRecord& record);
// Every field is required; what is not known is ignored.
Result<engine::EngineRecord> read_record(std::string_view json);

}  // namespace slipway::build
