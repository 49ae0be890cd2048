#include "tensorrt/delegate/programs.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>

#include <executorch/runtime/platform/log.h>

#include "base/error.h"
#include "base/try.h"
#include "tensorrt/delegate/engine.h"
#include "tensorrt/delegate/refuse.h"

namespace slipway::tensorrt {
namespace {

using Engines = std::vector<LoadedEngine*>;
using Kind = Budget::Kind;

// Some of the engines, by their places.
struct Group {
  std::vector<size_t> places;
  std::vector<int64_t> most;  // what each can have
};

void share_out(const Group& group, int64_t total, std::vector<int64_t>& budgets) {
  const std::vector<int64_t> shares = split_budget(total, group.most);
  for (size_t i = 0; i < shares.size(); ++i) budgets[group.places[i]] = shares[i];
}

// What a device has for weights once its engines have their contexts and the budgets that are
// fixed.
Result<int64_t> room_on(int device, const Engines& engines, const std::vector<int64_t>& budgets) {
  int64_t room = std::numeric_limits<int64_t>::max();
  for (const LoadedEngine* engine : engines) {
    if (engine->device().info().index != device) continue;
    if (room == std::numeric_limits<int64_t>::max()) {
      SLIPWAY_ASSIGN_OR_RETURN(room, engine->free_memory());
    }
    SLIPWAY_ASSIGN_OR_RETURN(const int64_t context, engine->plan().context_memory());
    room -= context;
  }
  for (size_t i = 0; i < engines.size(); ++i) {
    if (engines[i]->device().info().index == device) room -= budgets[i];
  }
  return std::max<int64_t>(room, 0);
}

// What each engine gets. No context is there: what devices have free is known then.
Result<std::vector<int64_t>> plan_budgets(const Engines& engines) {
  std::vector<int64_t> budgets(engines.size());
  std::map<int64_t, Group> totals;
  std::map<int, Group> automatic;  // by device
  for (size_t i = 0; i < engines.size(); ++i) {
    const Budget& asked = engines[i]->asked_budget();
    const int64_t streamable = engines[i]->plan().streamable_weights();
    if (streamable == 0) continue;
    if (asked.kind == Kind::kEngine) {
      budgets[i] = std::min(asked.bytes, streamable);
    } else if (asked.kind == Kind::kTotal) {
      totals[asked.bytes].places.push_back(i);
      totals[asked.bytes].most.push_back(streamable);
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(const auto current, engines[i]->device().make_current());
      SLIPWAY_ASSIGN_OR_RETURN(const int64_t most, engines[i]->plan().automatic_weight_budget());
      Group& group = automatic[engines[i]->device().info().index];
      group.places.push_back(i);
      group.most.push_back(std::clamp<int64_t>(most, 0, streamable));
    }
  }
  for (const auto& [total, group] : totals) share_out(group, total, budgets);
  for (const auto& [device, group] : automatic) {
    // TensorRT chooses as if each were alone, and alone it is right.
    int64_t room = std::numeric_limits<int64_t>::max();
    if (engines.size() > 1) {
      SLIPWAY_ASSIGN_OR_RETURN(room, room_on(device, engines, budgets));
    }
    share_out(group, room, budgets);
  }
  return budgets;
}

// A budget that nothing can have is said, and no error.
void warn_of_fixed_weights(const Engines& engines) {
  const auto streams = [](const LoadedEngine* engine) {
    return engine->plan().streamable_weights() > 0;
  };
  const bool any = std::any_of(engines.begin(), engines.end(), streams);
  for (const LoadedEngine* engine : engines) {
    const Kind kind = engine->asked_budget().kind;
    if (streams(engine) || kind == Kind::kAutomatic || (kind == Kind::kTotal && any)) continue;
    ET_LOG(Error,
           "%s: a weight-streaming budget was asked for, and the engine has no weights that can be "
           "streamed: it was built without the option 'weight_streaming'",
           kTitle);
  }
}

// In place of the contexts that are there. Without budgets, those are planned.
Status make_contexts(const Engines& engines, std::vector<int64_t> budgets = {}) {
  for (LoadedEngine* engine : engines) engine->drop_context();
  if (budgets.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(budgets, plan_budgets(engines));
  }
  for (size_t i = 0; i < engines.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(engines[i]->give_budget(budgets[i]));
  }
  for (LoadedEngine* engine : engines) SLIPWAY_RETURN_IF_ERROR(engine->make_context());
  return {};
}

std::vector<std::unique_lock<std::mutex>> hold(const Engines& engines) {
  std::vector<std::unique_lock<std::mutex>> locks;
  for (LoadedEngine* engine : engines) locks.push_back(engine->hold());
  return locks;
}

Error nothing_streams() {
  return unsupported(
      "no engine that is loaded has weights that can be streamed: compile with the option "
      "'weight_streaming'");
}

}  // namespace

Programs& Programs::get() {
  // Never destroyed: engines may live longer than static destructors wait.
  static auto* const programs = new Programs;
  return *programs;
}

void Programs::add(LoadedEngine* engine) {
  const std::lock_guard<std::mutex> lock(mutex_);
  engines_.push_back(engine);
}

void Programs::remove(LoadedEngine* engine) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase(engines_, engine);
}

Programs::Engines Programs::of(const std::optional<std::string>& program) const {
  if (!program) return engines_;
  Engines engines;
  std::copy_if(engines_.begin(), engines_.end(), std::back_inserter(engines),
               [&](const LoadedEngine* engine) { return engine->program() == *program; });
  return engines;
}

Status Programs::start(LoadedEngine* engine) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto held = hold({engine});
  warn_of_fixed_weights({engine});
  return make_contexts({engine});
}

Status Programs::start(const std::string& program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Engines engines = of(program);
  const auto held = hold(engines);
  warn_of_fixed_weights(engines);
  return make_contexts(engines);
}

Status Programs::set_budget(const std::optional<std::string>& program, const Budget& budget) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Engines engines = of(program);
  std::erase_if(engines,
                [](LoadedEngine* engine) { return engine->plan().streamable_weights() == 0; });
  if (engines.empty()) return nothing_streams();
  const auto held = hold(engines);
  std::vector<Budget> asked;
  std::vector<int64_t> in_force;
  for (LoadedEngine* engine : engines) {
    asked.push_back(engine->asked_budget());
    SLIPWAY_ASSIGN_OR_RETURN(in_force.emplace_back(), engine->plan().weight_budget());
    engine->ask_budget(budget);
  }
  const Status changed = make_contexts(engines);
  if (changed.ok()) return {};
  for (size_t i = 0; i < engines.size(); ++i) engines[i]->ask_budget(asked[i]);
  const Status back = make_contexts(engines, in_force);
  if (back.ok()) return changed;
  return back.error().with_context("neither the new weight-streaming budget nor the old one");
}

Result<int64_t> Programs::budget(const std::optional<std::string>& program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::optional<int64_t> sum;
  for (LoadedEngine* engine : of(program)) {
    if (engine->plan().streamable_weights() == 0) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const int64_t own, engine->plan().weight_budget());
    sum = sum.value_or(0) + own;
  }
  if (!sum) return nothing_streams();
  return *sum;
}

}  // namespace slipway::tensorrt
