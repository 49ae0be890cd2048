// What rules read of a node's arguments besides ir/arguments.h.
#include <algorithm>
#include <numeric>

#include <fmt/core.h>

#include "onnx/context.h"

namespace slipway::onnx {

namespace {

const ir::TensorType kNoType;

}  // namespace

Ref Context::tensor(size_t i) {
  if (const ir::Value* value = arguments().tensor(i)) return find(value);
  return operand(i, DType::kFloat32);
}

Ref Context::tensor(size_t i, DType dtype) { return cast(tensor(i), dtype); }

Ref Context::tensor_or_none(size_t i) { return is_tensor(i) ? tensor(i) : Ref{}; }

Refs Context::tensors(size_t i) {
  Refs result;
  for (const ir::Value* value : values(i)) result.push_back(value ? find(value) : Ref{});
  return result;
}

const ir::TensorType& Context::type(size_t i) {
  if (const ir::Value* value = arguments().tensor(i)) return value->type();
  fail(fmt::format("argument {} is not a tensor", i));
  return kNoType;
}

const ir::ConstantData* Context::constant_data(size_t i) const {
  const auto* value = std::get_if<ir::Value*>(&arg(i));
  const ir::Input* const constant = value && *value ? program_.input_of(*value) : nullptr;
  if (constant == nullptr || !constant->data) return nullptr;
  // State that the program changes is an input.
  const auto bound = bound_.find(*value);
  const bool is_input =
      bound != bound_.end() &&
      std::any_of(graph_.inputs.begin(), graph_.inputs.end(),
                  [&](const ValueType& input) { return input.name == bound->second.name; });
  return is_input ? nullptr : &*constant->data;
}

std::vector<int64_t> Context::dims(size_t i, int64_t rank, bool empty_is_all) {
  std::vector<int64_t> result;
  if (has(i)) result = ArgumentReader::dims(constants(i), rank);
  if (result.empty() && empty_is_all) {
    result.resize(static_cast<size_t>(rank));
    std::iota(result.begin(), result.end(), 0);
  }
  if (rank == 0) result.clear();
  return result;
}

}  // namespace slipway::onnx
