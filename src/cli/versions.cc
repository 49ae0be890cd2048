#include "cli/versions.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "engine/manifest.h"
#include "inspect/text.h"
#include "slipway/inspect.h"
#include "slipway/version.h"

namespace slipway::cli {

std::string versions() {
  constexpr std::string_view kEngine = "engine ";
  std::vector<std::vector<std::string>> rows = {
      {"ExecuTorch", SLIPWAY_EXECUTORCH_VERSION},
      {"files", fmt::format("manifest {}", engine::kManifestFormat)}};
  const auto engines = engine_names();
  for (const auto& [name, state] : describe_machine()) {
    if (!name.starts_with(kEngine)) continue;
    const std::string engine = name.substr(kEngine.size());
    if (std::find(engines.begin(), engines.end(), engine) != engines.end()) {
      rows.push_back({engine, state});
    }
  }
  std::string text = fmt::format("slipway {}\n{}", version(), inspection::format_table(rows, "  "));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace slipway::cli
