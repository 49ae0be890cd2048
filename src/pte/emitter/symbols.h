// Symbolic integers at run time: instructions that compute them from the sizes of tensors.
#pragma once

#include <cstdint>

#include "ir/symbol_values.h"
#include "pte/emitter/plan_builder.h"

namespace slipway::pte {

// Tensors and integers are values of the plan.
class Symbols final : public ir::SymbolValues {
 public:
  Symbols(PlanBuilder& plan, const ir::SymbolRanges& ranges)
      : ir::SymbolValues(ranges), plan_(plan) {}

 private:
  int32_t constant(int64_t number) override { return plan_.integer(number); }
  int32_t size(int32_t tensor, int64_t dim) override;
  int32_t binary(Operation operation, int32_t a, int32_t b) override;
  Result<int32_t> scale(int32_t a, double factor) override;

  PlanBuilder& plan_;
};

}  // namespace slipway::pte
