#include "profile/profiler.h"

#include <algorithm>
#include <chrono>

namespace slipway::profile {
namespace {

using Json = nlohmann::ordered_json;

// Calls and layers of the runs that are kept; a run may have more.
constexpr size_t kMostKept = 100'000;

float milliseconds_of(std::chrono::nanoseconds time) {
  return std::chrono::duration<float, std::milli>(time).count();
}

// Runs that came to no call of it have no time, or 0.
double mean_of(const std::vector<float>& times, const std::vector<size_t>& runs) {
  double sum = 0;
  for (const size_t run : runs) sum += run < times.size() ? times[run] : 0;
  return sum / static_cast<double>(runs.size());
}

size_t size_of(const RunProfile& run) {
  size_t size = run.calls.size();
  for (const ProfiledCall& call : run.calls) size += call.layers.size();
  return size;
}

}  // namespace

void Profiler::add(const RunProfile& run) {
  const size_t index = count_++;
  std::chrono::nanoseconds in_calls{0};
  std::map<size_t, size_t> seen;  // calls of this run
  for (const ProfiledCall& call : run.calls) {
    in_calls += call.duration;
    Instruction& instruction = instructions_[call.instruction];
    instruction.milliseconds.resize(count_);
    instruction.milliseconds[index] += milliseconds_of(call.duration);
    // Layers of a loop's calls are added up.
    if (seen[call.instruction]++ == 0) instruction.layers = call.layers;
    instruction.calls = seen[call.instruction];
    instruction.layer_times.resize(std::max(instruction.layer_times.size(), call.layers.size()));
    for (size_t i = 0; i < call.layers.size(); ++i) {
      instruction.layer_times[i].resize(count_);
      instruction.layer_times[i][index] += milliseconds_of(call.layers[i].duration);
    }
  }
  const auto first = run.calls.empty() ? run.duration : run.calls.front().start;
  const auto last =
      run.calls.empty() ? run.duration : run.calls.back().start + run.calls.back().duration;
  durations_.push_back(milliseconds_of(run.duration));
  inputs_.push_back(milliseconds_of(first));
  outputs_.push_back(milliseconds_of(run.duration - last));
  between_.push_back(milliseconds_of(last - first - in_calls));

  // The first one goes as soon as there is another.
  if (index == 1) kept_.clear(), kept_calls_ = 0;
  kept_.push_back(run);
  kept_calls_ += size_of(run);
  size_t gone = 0;
  while (kept_calls_ > kMostKept && gone + 1 < kept_.size()) kept_calls_ -= size_of(kept_[gone++]);
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(gone));
}

std::vector<size_t> Profiler::middle_runs() const {
  std::vector<size_t> runs;
  for (size_t i = count_ > 1 ? 1 : 0; i < count_; ++i) runs.push_back(i);
  std::stable_sort(runs.begin(), runs.end(),
                   [&](size_t a, size_t b) { return durations_[a] < durations_[b]; });
  constexpr size_t kQuarters = 4;
  const auto quarter = static_cast<std::ptrdiff_t>(runs.size() / kQuarters);
  return {runs.begin() + quarter, runs.end() - quarter};
}

Summary Profiler::summary() const {
  Summary summary;
  if (kept_.empty()) return summary;
  const RunProfile& last = kept_.back();
  const std::vector<size_t> runs = middle_runs();
  summary.method = last.method;
  summary.runs = count_ > 1 ? count_ - 1 : 1;
  summary.milliseconds = mean_of(durations_, runs);
  summary.inputs = mean_of(inputs_, runs);
  summary.outputs = mean_of(outputs_, runs);
  summary.between = mean_of(between_, runs);
  for (const auto& [index, times] : instructions_) {
    InstructionTime& instruction = summary.instructions.emplace_back();
    instruction.instruction = index;
    instruction.name = (*last.instructions)[index].name;
    instruction.origin = (*last.instructions)[index].origin;
    instruction.calls = times.calls;
    instruction.milliseconds = mean_of(times.milliseconds, runs);
    if (times.layers.empty()) continue;
    instruction.rest = instruction.milliseconds;
    for (size_t i = 0; i < times.layers.size(); ++i) {
      instruction.layers.push_back(
          {times.layers[i].name, times.layers[i].kind, mean_of(times.layer_times[i], runs)});
      instruction.rest -= instruction.layers.back().milliseconds;
    }
    instruction.rest = std::max(instruction.rest, 0.0);  // of rounded numbers
  }
  return summary;
}

std::vector<RunProfile> Profiler::runs() const { return kept_; }

Json to_json(const Summary& summary) {
  Json json;
  json["method"] = summary.method;
  json["runs"] = summary.runs;
  json["run_ms"] = summary.milliseconds;
  json["inputs_ms"] = summary.inputs;
  json["outputs_ms"] = summary.outputs;
  json["between_ms"] = summary.between;
  json["instructions"] = Json::array();
  for (const InstructionTime& instruction : summary.instructions) {
    Json entry = {{"instruction", instruction.instruction}, {"name", instruction.name},
                  {"origin", instruction.origin},           {"calls", instruction.calls},
                  {"ms", instruction.milliseconds},         {"layers", Json::array()}};
    for (const LayerTime& layer : instruction.layers) {
      entry["layers"].push_back(
          {{"name", layer.name}, {"kind", layer.kind}, {"ms", layer.milliseconds}});
    }
    if (!instruction.layers.empty()) entry["rest_ms"] = instruction.rest;
    json["instructions"].push_back(std::move(entry));
  }
  return json;
}

}  // namespace slipway::profile
