#include "inspect/tuning_text.h"

#include <vector>

#include <fmt/ranges.h>

#include "base/printable.h"
#include "inspect/text.h"

namespace slipway::inspection {

std::string tuning_text(const engine::Tuning& tuning) {
  std::vector<std::string> sizes;
  for (const auto& [symbol, size] : tuning.sizes) {
    sizes.push_back(fmt::format("{} = {}", printable(symbol), size));
  }
  std::string text;
  append(text, "engines chosen by their times on {}{}{}:\n", printable(tuning.processor),
         sizes.empty() ? "" : ", with ", fmt::join(sizes, ", "));
  std::vector<std::vector<std::string>> rows = {{"engines", "ms a call", "times the fastest", ""}};
  const double fastest = tuning.cuts.front().milliseconds;
  for (const engine::Cut& cut : tuning.cuts) {
    const bool is_first = &cut == &tuning.cuts.front();
    std::string name = fmt::format("{}", fmt::join(cut.engines, ","));
    if (!cut.exclude_nodes.empty()) name += fmt::format(", {} moved", cut.exclude_nodes.size());
    if (!cut.failure.empty()) {
      rows.push_back({name, "-", "-", cut.failure});
      continue;
    }
    rows.push_back({name, fmt::format("{:.3f}", cut.milliseconds),
                    fastest > 0 ? fmt::format("{:.2f}", cut.milliseconds / fastest) : "-",
                    is_first ? "taken" : ""});
  }
  return text + format_table(rows, "  ");
}

}  // namespace slipway::inspection
