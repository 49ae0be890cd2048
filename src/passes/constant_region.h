// Values of a program that are the same in every run, and computing them ahead of time.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "ir/program.h"
#include "passes/passes.h"
#include "slipway/result.h"

namespace slipway::passes {

inline constexpr size_t kMiB = size_t{1} << 20;

// What the contiguous tensor takes; nothing for other values and sizes that are not fixed.
std::optional<size_t> static_nbytes(const ir::Value* value);

// Whether any argument of the node is a value.
bool has_value(const ir::Node& node);

// Views of constants, of those that `folds` chooses by node and constant, become constants over the
// same storage, at no cost. A repeated constant would be written out in full, so it is left alone
// unless it is small.
void fold_views(ir::Program& program,
                const std::function<bool(const ir::Node&, const ir::ConstantData&)>& folds);

// Lets `evaluate` compute the values, which depend on constants alone, as one program, and puts
// constants in their place. The nodes that gave them stay, unused.
Status compute_ahead(ir::Program& program, const std::vector<ir::Value*>& values,
                     const Evaluator& evaluate);

}  // namespace slipway::passes
