// From a lowered partition to an engine, by way of the cache.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "engine/record.h"
#include "engine_build/builder.h"
#include "engine_build/engine_cache.h"
#include "engine_build/spool.h"
#include "onnx/graph.h"
#include "slipway/result.h"

namespace slipway::engine_build {

using EngineOrRefusals = std::variant<engine::Engine, std::vector<Refusal>>;

// The engine's bytes are in a mapped file, and page aligned; memory serves only where no file can
// be written. `cache` may be null; then a large engine is started at its destination, where there
// is one. May be called by several threads at once.
Result<EngineOrRefusals> build_engine(const Builder& builder, const onnx::Graph& graph,
                                      const EngineCache* cache, const Warn& warn,
                                      const Destination& destination = {});

// What names the engine in the cache: SHA-256 over the builder's fingerprint, the graph and all its
// constants. Names of values count, since an engine has them; where nodes came from does not, so
// that a comment in the model's source changes nothing.
Result<std::string> engine_key(const Builder& builder, const onnx::Graph& graph);

}  // namespace slipway::engine_build
