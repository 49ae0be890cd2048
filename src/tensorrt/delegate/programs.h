// The engines of this process that are loaded, by the programs that they belong to: budgets are
// given to all engines of a program together, before there are contexts.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "slipway/result.h"
#include "tensorrt/delegate/budget.h"
#include "tensorrt/delegate/plan.h"

namespace slipway::tensorrt {

class LoadedEngine;

// Any thread may call it.
class Programs {
 public:
  static Programs& get();

  // A plan of this identity, for which the same budget is asked, that may be shared; or null.
  std::shared_ptr<Plan> find_plan(const PlanId& id, const Budget& budget);
  void add(LoadedEngine* engine);
  // Takes its context away, too, which keeps its plan from other budgets.
  void remove(LoadedEngine* engine);

  // Gives the engine the budget that it asks for, and makes its context. A plan that runs elsewhere
  // already keeps the budget that it has.
  Status start(LoadedEngine* engine);
  // The same for the engines of a program.
  Status start(const std::string& program);

  // Of the engines of a program, or of all: makes their contexts again, with this budget. After an
  // error the budgets are the old ones. kUnsupported where no engine streams weights. Engines of
  // other programs that share their plans have it, too.
  Status set_budget(const std::optional<std::string>& program, const Budget& budget);
  // The device that the engines of a program, or all, run on; nothing where that is not one.
  std::optional<int> device(const std::optional<std::string>& program);
  // How many bytes of weights are on devices; kUnsupported likewise.
  Result<int64_t> budget(const std::optional<std::string>& program);

 private:
  using Engines = std::vector<LoadedEngine*>;
  Engines of(const std::optional<std::string>& program) const;
  std::shared_ptr<Scratch> scratch_for(const LoadedEngine& engine) const;

  std::mutex mutex_;
  Engines engines_;
};

}  // namespace slipway::tensorrt
