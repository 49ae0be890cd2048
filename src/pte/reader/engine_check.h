// Delegates against what the manifest says about engines. Files of other tools have no manifest:
// there the delegate alone knows what it takes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/manifest.h"
#include "pte/reader/kernel_check.h"
#include "pte/reader/tables.h"
#include "slipway/result.h"

namespace slipway::pte {

// The plan's engines as the manifest has them, one a delegate; null without a manifest.
const std::vector<engine::ManifestEngine>* described_engines(const Tables& tables,
                                                             const fb::ExecutionPlan& plan);

// Whether each delegate is the engine of its place. The delegates have passed all other checks.
Status check_engines(const Tables& tables, const fb::ExecutionPlan& plan);

// Whether each variant of an engine is the named data of its name.
Status check_variants(const Tables& tables, const engine::Manifest& manifest);

// Checks count, types and ranks of the arguments, whose indices are in range, that results may be
// written to, and that a result in the memory of an input is that.
Status check_engine_call(const engine::EngineRecord& record, std::span<const int32_t> args,
                         const ValueView& values);

}  // namespace slipway::pte
