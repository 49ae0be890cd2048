#include "tensorrt/builder/weight_streaming.h"

#include <string>

#include "tensorrt/archive/calls.h"

namespace slipway::tensorrt {

namespace {

void set_spec(engine::Engine& engine, const char* key, uint64_t bytes) {
  engine.record.compile_specs[key] = std::to_string(bytes);
  for (engine::Engine& variant : engine.variants) set_spec(variant, key, bytes);
}

}  // namespace

void set_weight_streaming_budgets(const std::vector<engine::Engine*>& engines,
                                  const Options& options) {
  __extension__ using Wide = unsigned __int128;
  Wide weights = 0;
  for (const engine::Engine* engine : engines) weights += engine->record.weight_bytes;
  for (engine::Engine* engine : engines) {
    if (options.weight_streaming_budget) {
      set_spec(*engine, "weight_streaming_budget", *options.weight_streaming_budget);
    }
    if (!options.weight_streaming_total) continue;
    // What weights an engine has that the program came with is not known here, but to runtimes that
    // take totals.
    if (!engine->record.options.contains(kAbiOption)) {
      const Wide total = *options.weight_streaming_total;
      const Wide share = weights == 0 ? 0 : total * engine->record.weight_bytes / weights;
      set_spec(*engine, "weight_streaming_budget", static_cast<uint64_t>(share));
    }
    set_spec(*engine, "weight_streaming_total", *options.weight_streaming_total);
  }
}

}  // namespace slipway::tensorrt
