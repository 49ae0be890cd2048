// How many bytes of engines' weights stay on the device: what was asked for, and what each engine
// gets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <executorch/runtime/backend/interface.h>

#include "slipway/export.h"
#include "slipway/result.h"

namespace slipway::tensorrt {

// What is asked for an engine.
struct Budget {
  enum class Kind : uint8_t {
    kAutomatic,  // what TensorRT chooses
    kEngine,     // its own
    kTotal,      // what all engines of the program have together
  };
  Kind kind = Kind::kAutomatic;
  int64_t bytes = 0;

  bool operator==(const Budget&) const = default;
};

// What options ask for; nothing where they say nothing of budgets. kInvalidFile for what is no
// budget, or is there twice, or both an engine's and a total. An empty option is logged, and asks
// for nothing.
Result<std::optional<Budget>> budget_of_options(
    executorch::runtime::ArrayRef<executorch::runtime::BackendOption> options);

// What a load option, or else a compile spec, or else the process's default asks for. Totals are
// for programs whose engines are known together: of others the file's share of it holds, and a load
// option that is one is kInvalidFile.
Result<Budget> requested_budget(
    const executorch::runtime::BackendInitContext& context,
    executorch::runtime::ArrayRef<executorch::runtime::CompileSpec> specs, bool knows_program);

// `total`, which is not below 0, in proportion to what each can have, rounded down; all that they
// can have where that is not more.
std::vector<int64_t> split_budget(int64_t total, std::span<const int64_t> most);

}  // namespace slipway::tensorrt

// For programs that can't give load options, such as Python's runtime through ctypes: the budget of
// each engine that is loaded from now on, where neither a load option nor the file has one. Decimal
// digits, which no caller can cut to 32 bits; null: none again. Gives 0, or 1 for what is no
// budget: then nothing changes. Any thread may call it.
extern "C" SLIPWAY_API int slipway_tensorrt_set_default_budget(const char* digits);
