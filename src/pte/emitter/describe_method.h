// What the manifest says about a method.
#pragma once

#include "engine/manifest.h"
#include "pte/emitter/emitter.h"
#include "pte/emitter/method_emitter.h"
#include "slipway/result.h"

namespace slipway::pte {

engine::ManifestMethod describe_method(const Method& method, const EmittedMethod& emitted);

}  // namespace slipway::pte
