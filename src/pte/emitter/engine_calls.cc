#include "pte/emitter/engine_calls.h"

#include <algorithm>
#include <set>
#include <utility>

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

// Values that an engine has in one memory are of one type, and each is with one other.
Status check_aliases(const engine::EngineRecord& record, const ir::Node& node,
                     const std::vector<ir::Value*>& inputs) {
  std::set<uint32_t> seen_inputs;
  std::set<uint32_t> seen_outputs;
  for (const engine::EngineAlias& alias : record.aliases) {
    if (alias.output >= record.outputs.size() || alias.input >= record.inputs.size() ||
        !seen_inputs.insert(alias.input).second || !seen_outputs.insert(alias.output).second) {
      return internal_error("output {} can't be in the memory of input {}", alias.output,
                            alias.input);
    }
    const ir::Value* output = node.output(alias.output);
    const ir::Value* input = inputs[alias.input];
    if (output->dtype() != input->dtype() || output->sizes() != input->sizes()) {
      return internal_error("{} is in the memory of {}, and of another type", output->name(),
                            input->name());
    }
  }
  return {};
}

Status check_bytes(const engine::Engine& engine, const std::string& name) {
  const engine::EngineRecord& record = engine.record;
  if (engine.bytes.bytes.empty() || engine.bytes.bytes.size() != record.size ||
      record.sha256.empty()) {
    return internal_error("{} has {} bytes, and its record says {} with hash '{}'", name,
                          engine.bytes.bytes.size(), record.size, record.sha256);
  }
  if (engine.header.size() % engine::kEngineHeaderAlignment == 0) return {};
  return internal_error("{} has a header of {} bytes, not a multiple of {}", name,
                        engine.header.size(), engine::kEngineHeaderAlignment);
}

// The engine's place among the file's.
uint32_t store(const engine::Engine& engine, FileData& data) {
  auto [stored, is_new] = data.engine_by_content.try_emplace(
      std::pair(engine.record.sha256, engine.header), static_cast<uint32_t>(data.engines.size()));
  if (is_new) {
    EngineData& stored_engine = data.engines.emplace_back();
    stored_engine.header_size = engine.header.size();
    PieceList& pieces = stored_engine.pieces;
    pieces.add(own_bytes(engine.header));
    if (engine.external_key.empty()) pieces.add(engine.bytes);
  }
  return stored->second;
}

}  // namespace

std::optional<EngineCall> engine_call(const ir::Node& node,
                                      const std::vector<engine::Engine>& engines) {
  if (node.op() != ir::kCallEngine || node.args().size() != 2) return std::nullopt;
  const auto* number = std::get_if<ir::SymInt>(&node.arg(0));
  const auto* inputs = std::get_if<std::vector<ir::Value*>>(&node.arg(1));
  const auto engine = number && inputs ? number->constant() : std::nullopt;
  if (!engine || *engine < 0 || static_cast<uint64_t>(*engine) >= engines.size()) {
    return std::nullopt;
  }
  return EngineCall{static_cast<size_t>(*engine), inputs};
}

Status MethodEmitter::emit_engine_call(const ir::Node& node, const Placement& placement,
                                       const std::vector<int32_t>& indices) {
  const auto call = engine_call(node, method_.engines);
  if (!call) return internal_error("it calls none of the {} engines", method_.engines.size());
  const std::vector<ir::Value*>& inputs = *call->inputs;
  const engine::EngineRecord& record = method_.engines[call->engine].record;
  if (inputs.size() != record.inputs.size() || node.outputs().size() != record.outputs.size()) {
    return internal_error("it has {} inputs and {} results, and engine {} has {} and {}",
                          inputs.size(), node.outputs().size(), call->engine, record.inputs.size(),
                          record.outputs.size());
  }
  SLIPWAY_RETURN_IF_ERROR(check_aliases(record, node, inputs));
  std::vector<int32_t> args;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ir::Value* input = inputs[i];
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
  // Where the output is not placed over the input, the input is brought to the output.
  for (const engine::EngineAlias& alias : record.aliases) {
    int32_t& input = args[alias.input];
    const int32_t output = args[inputs.size() + alias.output];
    if (input != output) copy(input, output);
    input = output;
  }
  SLIPWAY_ASSIGN_OR_RETURN(int32_t called, delegate(call->engine));
  plan_.call_delegate(called, std::move(args));
  return {};
}

Result<int32_t> MethodEmitter::delegate(size_t number) {
  auto known = std::find(result_.engines.begin(), result_.engines.end(), number);
  const auto index = static_cast<int32_t>(known - result_.engines.begin());
  if (known != result_.engines.end()) return index;
  const engine::Engine& engine = method_.engines[number];
  const std::string name = fmt::format("engine {}", number);
  SLIPWAY_RETURN_IF_ERROR(check_bytes(engine, name));
  const uint32_t stored = store(engine, data_);
  plan_.plan().delegates.push_back(
      {engine.record.backend, engine.record.compile_specs, stored,
       options_.device_of ? options_.device_of(engine.record) : std::nullopt});
  for (const engine::Engine& variant : engine.variants) {
    SLIPWAY_RETURN_IF_ERROR(check_bytes(variant, name + " for " + variant.record.target));
    const uint32_t segment = store(variant, data_);
    const auto [entry, is_new] = data_.variants.try_emplace(
        engine::variant_key(engine.record, variant.record.target), segment);
    if (entry->second != segment) return internal_error("{} is there twice", entry->first);
  }
  result_.engines.push_back(number);
  return index;
}

}  // namespace slipway::pte
