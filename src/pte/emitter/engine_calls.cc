#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/try.h"
#include "pte/emitter/method_emitter.h"

namespace slipway::pte {

namespace {

Status check_type(const ir::Value& value, const engine::EngineTensor& tensor) {
  if (value.is_tensor() && dtype_name(value.dtype()) == tensor.dtype) return {};
  return internal_error("{} is {}, and the engine's {} is a tensor of {}", value.name(),
                        value.is_tensor() ? dtype_name(value.dtype()) : "no tensor", tensor.name,
                        tensor.dtype);
}

}  // namespace

Status MethodEmitter::emit_engine_call(const ir::Node& node, const Placement& placement,
                                       const std::vector<int32_t>& indices) {
  const auto* number = node.args().size() == 2 ? std::get_if<ir::SymInt>(&node.arg(0)) : nullptr;
  const auto* inputs = number ? std::get_if<std::vector<ir::Value*>>(&node.arg(1)) : nullptr;
  const auto engine = inputs ? number->constant() : std::nullopt;
  if (!engine || *engine < 0 || static_cast<uint64_t>(*engine) >= method_.engines.size()) {
    return internal_error("it calls none of the {} engines", method_.engines.size());
  }
  const engine::EngineRecord& record = method_.engines[static_cast<size_t>(*engine)].record;
  if (inputs->size() != record.inputs.size() || node.outputs().size() != record.outputs.size()) {
    return internal_error("it has {} inputs and {} results, and engine {} has {} and {}",
                          inputs->size(), node.outputs().size(), *engine, record.inputs.size(),
                          record.outputs.size());
  }
  std::vector<int32_t> args;
  for (size_t i = 0; i < inputs->size(); ++i) {
    const ir::Value* input = (*inputs)[i];
    SLIPWAY_RETURN_IF_ERROR(check_type(*input, record.inputs[i]));
    SLIPWAY_ASSIGN_OR_RETURN(int32_t index, index_of(input));
    args.push_back(index);
  }
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* output = node.output(i);
    SLIPWAY_RETURN_IF_ERROR(check_type(*output, record.outputs[i]));
    SLIPWAY_ASSIGN_OR_RETURN(int32_t index, result_value(output, placement, indices));
    values_[output] = index;
    args.push_back(index);
  }
  SLIPWAY_ASSIGN_OR_RETURN(int32_t called, delegate(static_cast<size_t>(*engine)));
  plan_.call_delegate(called, std::move(args));
  return {};
}

Result<int32_t> MethodEmitter::delegate(size_t engine) {
  auto known = std::find(result_.engines.begin(), result_.engines.end(), engine);
  const auto index = static_cast<int32_t>(known - result_.engines.begin());
  if (known != result_.engines.end()) return index;
  const engine::EngineRecord& record = method_.engines[engine].record;
  const OwnedSpan& bytes = method_.engines[engine].bytes;
  if (bytes.bytes.empty() || bytes.bytes.size() != record.size || record.sha256.empty()) {
    return internal_error("engine {} has {} bytes, and its record says {} with hash '{}'", engine,
                          bytes.bytes.size(), record.size, record.sha256);
  }
  auto [stored, is_new] =
      data_.engine_by_hash.try_emplace(record.sha256, static_cast<uint32_t>(data_.engines.size()));
  if (is_new) data_.engines.push_back(bytes);
  plan_.plan().delegates.push_back({record.backend, record.compile_specs, stored->second});
  result_.engines.push_back(engine);
  return index;
}

}  // namespace slipway::pte
