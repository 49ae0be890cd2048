// The record of an engine as JSON: in the manifest, and in the cache of engines
// (docs/formats/manifest.md).
#pragma once

#include "engine/json.h"
#include "engine/record.h"
#include "slipway/result.h"

namespace slipway::engine {

OrderedJson record_to_json(const EngineRecord& record);
// Members that are not known are ignored; the known ones are all required, but for "target" and
// "aliases", which are there only where there is something to say.
Status read_record(const Json& json, EngineRecord& out);

}  // namespace slipway::engine
