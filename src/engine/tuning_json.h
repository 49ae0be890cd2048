// A choice by time as JSON: in the manifest, and in the cache of engines
// (docs/formats/manifest.md).
#pragma once

#include "base/json.h"
#include "engine/json.h"
#include "engine/tuning.h"

namespace slipway::engine {

OrderedJson tuning_to_json(const Tuning& tuning);
// Members that are not known are ignored. What does not fit is the document's error.
Tuning read_tuning(JsonValue json);

}  // namespace slipway::engine
