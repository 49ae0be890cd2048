// How a loaded engine finds out which of its alternatives are the fastest on its device.
#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>

#include <executorch/runtime/platform/log.h>
#include <fmt/format.h>

#include "base/median.h"
#include "base/printable.h"
#include "base/try.h"
#include "cuda/delegate/engine.h"
#include "cuda/delegate/refuse.h"
#include "cuda/format/choices.h"
#include "cuda/format/steps.h"

namespace slipway::cuda {
namespace {

// Of calls with each choice: as many as take this long together.
constexpr double kMilliseconds = 150;
constexpr double kFewestTurns = 5;
constexpr double kMostTurns = 25;

// What a kernel's speed follows from.
std::string kind_of(const DeviceInfo& device) {
  return fmt::format("{} ({} multiprocessors)", device.name, device.processors);
}

double milliseconds_of(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

}  // namespace

// Those that were made on another kind of GPU say nothing of this one.
Status LoadedEngine::check_choices() {
  if (engine_.choices.empty()) return {};
  const std::string known = chosen_device(engine_);
  const std::string own = kind_of(device_->info());
  if (!known.empty() && !known.starts_with(own + ",")) {
    ET_LOG(Error,
           "%s: it was tuned on %s, and runs on %s, as the compiler reckons to be fastest; "
           "`slipway tune` finds out",
           kTitle, printable(known).c_str(), own.c_str());
    std::fill(engine_.choices.begin(), engine_.choices.end(), uint8_t{0});
    engine_.plans.clear();
  }
  const auto wants = [&](Library library) {
    return std::any_of(engine_.steps.begin(), engine_.steps.end(), [&](const auto& step) {
      return info_of(step).library == library && is_chosen(engine_, step);
    });
  };
  if (wants(Library::kCublasLt)) {
    open_cublaslt("its products run by kernels of its own, and not by cuBLASLt");
  }
  if (wants(Library::kCudnn)) {
    open_cudnn("its convolutions and attention run by kernels of its own, and not by cuDNN");
  }
  const Choices wanted = engine_.choices;
  SLIPWAY_ASSIGN_OR_RETURN(engine_.choices, choices_for(engine_, here(), engine_.choices));
  if (graphs_by_cudnn_) tell_refused_graphs(wanted);
  return {};
}

Result<std::vector<std::vector<double>>> LoadedEngine::time_calls(
    std::span<const Choices> choices) {
  std::vector<Graph> graphs;
  graphs.reserve(choices.size());
  for (const Choices& chosen : choices) {
    SLIPWAY_ASSIGN_OR_RETURN(engine_.choices, choices_for(engine_, here(), chosen));
    // A library may bring its code then, which it can't while it is recorded.
    if (products_ || graphs_by_cudnn_) SLIPWAY_RETURN_IF_ERROR(queue_steps(stream_, nullptr));
    SLIPWAY_ASSIGN_OR_RETURN(Graph graph, Graph::record(device_, stream_, [&] {
                               return queue_steps(stream_, nullptr);
                             }));
    graphs.push_back(std::move(graph));
  }
  StepTimes times(device_);
  const auto run = [&](size_t turns) -> Result<std::vector<std::chrono::nanoseconds>> {
    times.clear();
    SLIPWAY_RETURN_IF_ERROR(times.mark(stream_));
    for (size_t i = 0; i < turns * graphs.size(); ++i) {
      SLIPWAY_RETURN_IF_ERROR(graphs[i % graphs.size()].queue(stream_));
      SLIPWAY_RETURN_IF_ERROR(times.mark(stream_));
    }
    SLIPWAY_RETURN_IF_ERROR(stream_.wait());
    return times.durations();
  };
  // The first calls load what later ones find.
  SLIPWAY_ASSIGN_OR_RETURN(const auto first, run(2));
  double all = 0;
  for (size_t i = graphs.size(); i < first.size(); ++i) all += milliseconds_of(first[i]);
  const double turns = std::clamp(kMilliseconds / std::max(all, 1e-3), kFewestTurns, kMostTurns);
  SLIPWAY_ASSIGN_OR_RETURN(const auto durations, run(static_cast<size_t>(turns)));
  std::vector<std::vector<double>> result(graphs.size());
  for (size_t i = 0; i < durations.size(); ++i) {
    result[i % graphs.size()].push_back(milliseconds_of(durations[i]));
  }
  return result;
}

std::vector<TunedChoice> LoadedEngine::describe_choices() const {
  const std::vector<uint32_t> counts = count_alternatives(engine_);
  std::vector<TunedChoice> made(engine_.choices.size());
  for (const auto& step : engine_.steps) {
    const StepInfo info = info_of(step);
    if (info.choice == 0 || !is_chosen(engine_, step)) continue;
    TunedChoice& choice = made[info.choice - 1];
    if (choice.origin.empty()) choice.origin = info.origin;
    choice.plan = info.plan;
    choice.alternative = info.alternative;
    choice.alternatives = counts[info.choice - 1];
    ++choice.launches;
  }
  return made;
}

Status LoadedEngine::tune(engine::Tuner& tuner) {
  const Choices known = engine_.choices;
  if (known.empty()) return {};
  if (uses(engine_, Library::kCublasLt)) open_cublaslt("it is tuned without cuBLASLt");
  if (uses(engine_, Library::kCudnn)) open_cudnn("it is tuned without cuDNN");
  const auto time = [&](std::span<const Choices> choices) { return time_calls(choices); };
  const std::vector<uint32_t> counts = count_alternatives(engine_);
  auto found =
      find_fastest(known, counts, time, [&](size_t done) { tuner.progress(done, counts.size()); });
  engine_.choices = known;
  if (!found.ok()) return found.error();
  SLIPWAY_ASSIGN_OR_RETURN(found->choices, choices_for(engine_, here(), std::move(found->choices)));
  const std::vector<Choices> both = {known, found->choices};
  auto times = time_calls(both);
  // Recorded graphs are of what was chosen when they were.
  if (graphs_) graphs_->clear();
  engine_.choices = found->choices;
  if (!times.ok()) return times.error();
  engine::FoundChoices told = {xxh3_, {found->choices, {}, store_plans()}, {}};
  told.tuned.device =
      fmt::format("{}, {}", kind_of(device_->info()), device_->driver().version_text());
  told.choices.device = told.tuned.device;
  told.tuned.before = median(times->at(0));
  told.tuned.after = median(times->at(1));
  told.tuned.choices = describe_choices();
  for (size_t i = 0; i < found->times.size(); ++i) {
    std::tie(told.tuned.choices[i].before, told.tuned.choices[i].after) = found->times[i];
  }
  tuner.found(told);
  return {};
}

}  // namespace slipway::cuda
