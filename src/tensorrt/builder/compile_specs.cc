#include "tensorrt/builder/compile_specs.h"

#include <string>

#include "tensorrt/archive/calls.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {

namespace {

void set_spec(engine::Engine& engine, const char* key, uint64_t number) {
  engine.record.compile_specs[key] = std::to_string(number);
  for (engine::Engine& variant : engine.variants) set_spec(variant, key, number);
}

}  // namespace

void set_compile_specs(const std::vector<engine::Engine*>& engines, const Options& options) {
  __extension__ using Wide = unsigned __int128;
  Wide weights = 0;
  for (const engine::Engine* engine : engines) weights += engine->record.weight_bytes;
  for (engine::Engine* engine : engines) {
    if (options.cuda_graphs) set_spec(*engine, kGraphsOption, *options.cuda_graphs ? 1 : 0);
    if (options.weight_streaming_budget) {
      set_spec(*engine, kBudgetOption, *options.weight_streaming_budget);
    }
    if (!options.weight_streaming_total) continue;
    // What weights an engine has that the program came with is not known here, but to runtimes that
    // take totals.
    if (!engine->record.options.contains(kAbiOption)) {
      const Wide total = *options.weight_streaming_total;
      const Wide share = weights == 0 ? 0 : total * engine->record.weight_bytes / weights;
      set_spec(*engine, kBudgetOption, static_cast<uint64_t>(share));
    }
    set_spec(*engine, kTotalOption, *options.weight_streaming_total);
  }
}

}  // namespace slipway::tensorrt
