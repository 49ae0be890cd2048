#include "cli/timed_runs.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/core.h>

#include "inspect/text.h"

namespace slipway::cli {

namespace {

// Nearest rank: the smallest time that `share` of all runs did not exceed.
double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

// Of two in the middle their mean.
double median(const std::vector<double>& sorted) {
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

std::vector<std::pair<const char*, double>> figures(const TimedRuns& runs) {
  std::vector<double> sorted = runs.others;
  std::sort(sorted.begin(), sorted.end());
  double sum = 0;
  for (const double time : sorted) sum += time;
  return {{"min", sorted.front()},
          {"median", median(sorted)},
          {"mean", sum / static_cast<double>(sorted.size())},
          {"p90", percentile(sorted, 0.9)},
          {"p99", percentile(sorted, 0.99)},
          {"max", sorted.back()}};
}

double per_second(const TimedRuns& runs) {
  return static_cast<double>(runs.others.size()) / runs.seconds;
}

}  // namespace

std::string timing_text(const TimedRuns& runs) {
  std::string text;
  if (!runs.engine.empty()) inspection::append(text, "engine: {}\n", runs.engine);
  inspection::append(text,
                     "loaded in {:.1f} ms, first run in {:.4f} ms; {:.1f} of the others a second",
                     runs.load, runs.first, per_second(runs));
  inspection::append(text, "{}\nlatency of the others in ms:\n",
                     runs.instances == 1 ? "" : fmt::format(" by {} instances", runs.instances));
  std::vector<std::vector<std::string>> rows = {{"runs"}, {std::to_string(runs.others.size())}};
  for (const auto& [name, milliseconds] : figures(runs)) {
    rows[0].emplace_back(name);
    rows[1].push_back(fmt::format("{:.4f}", milliseconds));
  }
  return text + inspection::format_table(rows, "  ");
}

nlohmann::ordered_json timing_json(const TimedRuns& runs) {
  nlohmann::ordered_json latency;
  for (const auto& [name, milliseconds] : figures(runs)) latency[name] = milliseconds;
  return {{"load_ms", runs.load},
          {"first_ms", runs.first},
          {"runs", runs.others.size()},
          {"instances", runs.instances},
          {"seconds", runs.seconds},
          {"per_second", per_second(runs)},
          {"latency_ms", std::move(latency)},
          {"engine", runs.engine}};
}

}  // namespace slipway::cli
