#include "openvino/format/description.h"

namespace slipway::openvino {

namespace {

std::vector<engine::Description::Setting> load_settings(const LoadOptions& options) {
  std::vector<engine::Description::Setting> settings;
  if (options.engine_threads) {
    settings.emplace_back("num_threads", static_cast<int>(*options.engine_threads));
  }
  if (options.performance_hint) {
    const bool latency = *options.performance_hint == PerformanceHint::kLatency;
    settings.emplace_back("performance_hint", latency ? "latency" : "throughput");
  }
  if (options.share_engines) settings.emplace_back("use_shared_engines", *options.share_engines);
  if (options.on_profile) settings.emplace_back("profile", true);
  return settings;
}

}  // namespace

const engine::Description kDescription = {
    .name = "openvino",
    .title = "OpenVINO",
    .backend = "OpenvinoBackend",
    .library = kLibrary,
    .remedy = kRemedy,
    .load_settings = load_settings,
};

}  // namespace slipway::openvino
