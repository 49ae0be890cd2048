// Where the elements of a value lie in memory.
#pragma once

#include <optional>
#include <vector>

#include "cuda/builder/value.h"

namespace slipway::cuda {

// The type that it has in memory: a half type, where that holds each element as it is.
DType memory_dtype(const Value& value);
// Its dimensions, as they follow each other in memory.
std::vector<size_t> memory_order(const Value& value);

// Elements of a value in memory, `strides` apart.
struct View {
  const Value* base = nullptr;
  ir::SymInt offset;
  Sizes strides;
  // Of a dimension that gives each element several times: how often. Empty where none does.
  Sizes repeats;
};

// What it reads, where that is as if it were in memory; of what is in memory, itself.
std::optional<View> view_of(const Value& value);
// Says that the elements of y are those of x.
void keep_view(Value& y, const Value* x);
std::optional<View> reshaped(const View& view, const Sizes& from, const Sizes& to);
// Broadcast.
std::optional<View> expanded(View view, const Sizes& from, const Sizes& to);

// Whether all that it can be is.
bool is_multiple(const ir::SymInt& value, int64_t of);

}  // namespace slipway::cuda
