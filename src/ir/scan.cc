#include "ir/scan.h"

#include <algorithm>

#include "base/error.h"
#include "ir/program.h"

namespace slipway::ir {

namespace {

bool fits(const TensorType& type, const Value* value) {
  return value->is_tensor() && value->dtype() == type.dtype &&
         std::equal(type.sizes.begin(), type.sizes.end(), value->sizes().begin(),
                    value->sizes().end(), may_equal);
}

bool fits(const TensorType& type, const Argument& argument) {
  const auto* value = std::get_if<Value*>(&argument);
  return value && *value && fits(type, *value);
}

TensorType element_of(const TensorType& type) {
  return {type.dtype, {type.sizes.begin() + 1, type.sizes.end()}, {}};
}

bool are_tensors(const std::vector<Value*>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](const Value* value) { return value && value->is_tensor(); });
}

}  // namespace

Result<Scan> scan_of(const Node& node) {
  const auto wrong = [](const char* what) {
    return internal_error("{} of the loop do not fit each other", what);
  };
  const size_t count = node.args().size();
  const auto* body =
      count >= Scan::kGiven ? std::get_if<std::shared_ptr<Graph>>(&node.arg(Scan::kBody)) : nullptr;
  const auto* state = body ? std::get_if<std::vector<Value*>>(&node.arg(Scan::kState)) : nullptr;
  const auto* scanned =
      state ? std::get_if<std::vector<Value*>>(&node.arg(Scan::kScanned)) : nullptr;
  const auto* reversed = scanned ? std::get_if<bool>(&node.arg(Scan::kReversed)) : nullptr;
  if (!reversed || !*body || scanned->empty() || !are_tensors(*state) || !are_tensors(*scanned)) {
    return wrong("the arguments");
  }
  const Graph& graph = **body;
  const auto& results = node.outputs();
  if (graph.inputs().size() < state->size() + scanned->size() ||
      graph.outputs().size() < state->size() || results.size() != graph.outputs().size() ||
      !are_tensors(results)) {
    return wrong("the values in the body");
  }
  for (size_t i = 0; i < state->size(); ++i) {
    const TensorType& type = (*state)[i]->type();
    if (!fits(type, graph.inputs()[i]) || !fits(type, graph.outputs()[i]) ||
        !fits(type, results[i])) {
      return wrong("the types of the state");
    }
  }
  Scan scan{*body, *state, *scanned, *reversed};
  for (size_t i = 0; i < scanned->size(); ++i) {
    const TensorType& type = (*scanned)[i]->type();
    if (type.sizes.empty() || !may_equal(type.sizes.front(), scan.count()) ||
        !fits(element_of(type), graph.inputs()[state->size() + i])) {
      return wrong("the types of what is scanned");
    }
  }
  for (size_t i = state->size(); i < results.size(); ++i) {
    const TensorType& type = results[i]->type();
    if (type.sizes.empty() || !may_equal(type.sizes.front(), scan.count()) ||
        !fits(element_of(type), graph.outputs()[i])) {
      return wrong("the types of the stacked results");
    }
  }
  return scan;
}

}  // namespace slipway::ir
