// The record of an engine as JSON: in the manifest, and in the cache of engines
// (docs/formats/manifest.md).
#pragma once

#include "base/json.h"
#include "engine/json.h"
#include "engine/record.h"

namespace slipway::engine {

OrderedJson record_to_json(const EngineRecord& record);
// Members that are not known are ignored; the known ones are all required, but for
// "capabilities", "target" and "aliases", which are there only where there is something to say.
// What does not fit is the document's error.
EngineRecord read_record(JsonValue json);

}  // namespace slipway::engine
