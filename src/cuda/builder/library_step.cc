#include "cuda/builder/library_step.h"

#include <utility>

#include "base/half.h"
#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"
#include "pte/format/scalar_types.h"

namespace slipway::cuda {

using ir::SymInt;

std::optional<uint32_t> memory_of(const Generator& generator, const Value& value, DType type) {
  if (!value.buffer && value.maker != nullptr && value.maker->op_type == "Cast") {
    const Value* const from = generator.find(value.maker->inputs.front());
    const bool widens = from != nullptr && from->dtype == type && value.dtype == DType::kFloat32;
    if (widens) return memory_of(generator, *from, type);
  }
  const bool is_there = value.buffer && value.order == Order::kAsGiven &&
                        memory_dtype(value) == type && !generator.is_of_caller(*value.buffer);
  return is_there ? value.buffer : std::nullopt;
}

bool is_whole(const Generator& generator, const TiledOperand& operand) {
  return operand.buffer && !operand.inside && operand.row_stride && operand.k_stride &&
         operand.offset == SymInt(0) && !generator.is_of_caller(*operand.buffer);
}

const Value* constant_row(const Value& value, const SymInt& n, DType type) {
  const Value& from = value.is_cast ? *value.operands.front() : value;
  const bool is_row = !value.sizes.empty() && value.sizes.back() == n &&
                      ir::numel(value.sizes) == n && from.sizes == value.sizes;
  return is_row && from.initializer != nullptr && from.dtype == type ? &from : nullptr;
}

bool has_elements_of(const Value& target, const Value& value) {
  const bool is_cast = target.maker != nullptr && target.maker->op_type == "Cast" &&
                       target.maker->inputs.front() == value.name;
  return (&target == &value || is_cast) && memory_dtype(target) == value.dtype;
}

int8_t scalar_type(DType type) { return static_cast<int8_t>(pte::scalar_type_of(type).value()); }

void emit_library_step(Kernel& kernel, Kernel::LibraryStep step, Value& result, uint32_t memory,
                       Order order) {
  if (kernel.target()->buffer == memory) return kernel.set_library_step(std::move(step));
  Generator& generator = kernel.generator();
  Kernel first(generator, kernel.alternative());
  first.set_library_step(std::move(step));
  generator.launch(first);
  result.buffer = memory;
  const Order known = std::exchange(result.order, order);
  generator.write_elements(*kernel.target(), kernel);
  result.buffer.reset();
  result.order = known;
}

}  // namespace slipway::cuda
