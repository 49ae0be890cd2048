#include "tensorrt/delegate/programs.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "delegate/log.h"
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

// What a device has for weights once its engines have memory to work in and the budgets that are
// fixed.
Result<int64_t> room_on(int device, const Engines& engines, const std::vector<int64_t>& budgets) {
  int64_t room = 0;
  std::map<const Scratch*, int64_t> shared;
  for (size_t i = 0; i < engines.size(); ++i) {
    const LoadedEngine& engine = *engines[i];
    if (engine.device().info().index != device) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const int64_t free, engine.free_memory());
    SLIPWAY_ASSIGN_OR_RETURN(const int64_t memory, engine.plan()->engine().context_memory());
    if (room == 0) room = free;
    room -= engine.plan()->contexts > 0 ? 0 : budgets[i];
    if (const Scratch* scratch = engine.scratch().get(); scratch == nullptr) {
      room -= memory;
    } else {
      const auto had = static_cast<int64_t>(scratch->memory.size());
      shared[scratch] = std::max(shared[scratch], memory - had);
    }
  }
  for (const auto& [scratch, more] : shared) room -= more;
  return std::max<int64_t>(room, 0);
}

// What each engine gets. Their contexts are not there: what devices have free is known then.
Result<std::vector<int64_t>> plan_budgets(const Engines& engines) {
  std::vector<int64_t> budgets(engines.size());
  std::map<int64_t, Group> totals;
  std::map<int64_t, int64_t> taken;  // of totals, by plans that run already
  std::map<int, Group> automatic;    // by device
  std::set<const Plan*> seen;
  for (size_t i = 0; i < engines.size(); ++i) {
    Plan& plan = *engines[i]->plan();
    const int64_t streamable = plan.engine().streamable_weights();
    if (streamable == 0 || !seen.insert(&plan).second) continue;
    if (plan.contexts > 0) {
      SLIPWAY_ASSIGN_OR_RETURN(budgets[i], plan.engine().weight_budget());
      if (plan.budget.kind == Kind::kTotal) taken[plan.budget.bytes] += budgets[i];
    } else if (plan.budget.kind == Kind::kEngine) {
      budgets[i] = std::min(plan.budget.bytes, streamable);
    } else if (plan.budget.kind == Kind::kTotal) {
      totals[plan.budget.bytes].places.push_back(i);
      totals[plan.budget.bytes].most.push_back(streamable);
    } else {
      SLIPWAY_ASSIGN_OR_RETURN(const auto current, engines[i]->device().make_current());
      SLIPWAY_ASSIGN_OR_RETURN(const int64_t most, plan.engine().automatic_weight_budget());
      Group& group = automatic[engines[i]->device().info().index];
      group.places.push_back(i);
      group.most.push_back(std::clamp<int64_t>(most, 0, streamable));
    }
  }
  for (const auto& [total, group] : totals) {
    share_out(group, std::max<int64_t>(total - taken[total], 0), budgets);
  }
  for (const auto& [device, group] : automatic) {
    // TensorRT chooses as if each were alone, and alone it is right.
    int64_t room = std::numeric_limits<int64_t>::max();
    if (engines.size() > 1) {
      SLIPWAY_ASSIGN_OR_RETURN(room, room_on(device, engines, budgets));
    }
    share_out(group, room, budgets);
  }
  // Engines of one plan have one budget.
  for (size_t i = 0; i < engines.size(); ++i) {
    for (size_t first = 0; first < i; ++first) {
      if (engines[first]->plan() == engines[i]->plan()) budgets[i] = budgets[first];
    }
  }
  return budgets;
}

// A budget that nothing can have is said, and no error.
void warn_of_fixed_weights(const Engines& engines) {
  const auto streams = [](const LoadedEngine* engine) { return engine->streamable_weights() > 0; };
  const bool any = std::any_of(engines.begin(), engines.end(), streams);
  for (const LoadedEngine* engine : engines) {
    const Kind kind = engine->plan()->budget.kind;
    if (streams(engine) || kind == Kind::kAutomatic || (kind == Kind::kTotal && any)) continue;
    delegate::log_error(kTitle,
                        "a weight-streaming budget was asked for, and the engine has no weights "
                        "that can be streamed: it was built without the option 'weight_streaming'");
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

std::shared_ptr<Plan> Programs::find_plan(const PlanId& id, const Budget& budget) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = std::find_if(engines_.begin(), engines_.end(), [&](LoadedEngine* engine) {
    const Plan& plan = *engine->plan();
    return plan.is_shared && plan.id == id && plan.budget == budget;
  });
  return found == engines_.end() ? nullptr : (*found)->plan();
}

// Engines of a program never run at once. Those that stand alone may.
std::shared_ptr<Scratch> Programs::scratch_for(const LoadedEngine& engine) const {
  if (engine.program().empty() && !engine.shares_scratch()) return nullptr;
  // TensorRT 10.0 can't be given memory whose size it checks.
  if (!engine.plan()->engine().context_memory().ok()) return nullptr;
  for (const LoadedEngine* other : engines_) {
    const bool is_same = engine.shares_scratch()
                             ? other->shares_scratch()
                             : !other->shares_scratch() && other->program() == engine.program();
    const bool is_here = other->device().info().index == engine.device().info().index;
    if (is_same && is_here && other->scratch() != nullptr) return other->scratch();
  }
  return std::make_shared<Scratch>(engine.plan()->device());
}

void Programs::add(LoadedEngine* engine) {
  const std::lock_guard<std::mutex> lock(mutex_);
  engine->set_scratch(scratch_for(*engine));
  engines_.push_back(engine);
}

void Programs::remove(LoadedEngine* engine) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase(engines_, engine);
  engine->drop_context();
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
  std::set<Plan*> plans;
  for (const LoadedEngine* engine : of(program)) {
    if (engine->streamable_weights() > 0) plans.insert(engine->plan().get());
  }
  if (plans.empty()) return nothing_streams();
  Engines engines;
  std::copy_if(engines_.begin(), engines_.end(), std::back_inserter(engines),
               [&](const LoadedEngine* engine) { return plans.contains(engine->plan().get()); });
  const auto held = hold(engines);
  std::map<Plan*, Budget> asked;
  std::vector<int64_t> in_force;
  for (LoadedEngine* engine : engines) {
    SLIPWAY_ASSIGN_OR_RETURN(in_force.emplace_back(), engine->plan()->engine().weight_budget());
  }
  for (Plan* plan : plans) asked[plan] = std::exchange(plan->budget, budget);
  Status changed = make_contexts(engines);
  if (changed.ok()) return {};
  for (Plan* plan : plans) plan->budget = asked[plan];
  const Status back = make_contexts(engines, in_force);
  if (back.ok()) return changed;
  return back.error().with_context("neither the new weight-streaming budget nor the old one");
}

std::optional<int> Programs::device(const std::optional<std::string>& program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::set<int> devices;
  for (const LoadedEngine* engine : of(program)) devices.insert(engine->device().info().index);
  return devices.size() == 1 ? std::optional(*devices.begin()) : std::nullopt;
}

Result<int64_t> Programs::budget(const std::optional<std::string>& program) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::set<Plan*> plans;
  for (const LoadedEngine* engine : of(program)) {
    if (engine->streamable_weights() > 0) plans.insert(engine->plan().get());
  }
  if (plans.empty()) return nothing_streams();
  int64_t sum = 0;
  for (Plan* plan : plans) {
    SLIPWAY_ASSIGN_OR_RETURN(const int64_t own, plan->engine().weight_budget());
    sum += own;
  }
  return sum;
}

}  // namespace slipway::tensorrt
