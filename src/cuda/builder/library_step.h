// What products and graphs of NVIDIA's libraries have in common.
#pragma once

#include <cstdint>
#include <optional>

#include "cuda/builder/kernel.h"
#include "cuda/builder/tiled_product.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

// The memory of a value of this half type, row by row, in the engine's own memory.
std::optional<uint32_t> memory_of(const Generator& generator, const Value& value, DType type);
// Whether it is a matrix from the beginning of a buffer of the engine's own on.
bool is_whole(const Generator& generator, const TiledOperand& operand);
// The constant of this half type, one number for each of n columns, that the value is; null where
// it is none.
const Value* constant_row(const Value& value, const ir::SymInt& n, DType type);
// Whether the target's memory has the elements of a value of a half type.
bool has_elements_of(const Value& target, const Value& value);
// torch's ScalarType.
int8_t scalar_type(DType type);

// By a library, which gives `result` in this memory and order. Where that is not the target's, a
// kernel behind the step computes the target of it.
void emit_library_step(Kernel& kernel, Kernel::LibraryStep step, Value& result, uint32_t memory,
                       Order order);

}  // namespace slipway::cuda
