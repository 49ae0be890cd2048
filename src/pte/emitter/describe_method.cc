#include "pte/emitter/describe_method.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>

namespace slipway::pte {

namespace {

const char* literal_type(const ir::Argument& literal) {
  if (std::holds_alternative<ir::None>(literal)) return "none";
  if (std::holds_alternative<double>(literal)) return "float";
  if (std::holds_alternative<bool>(literal)) return "bool";
  if (std::holds_alternative<std::string>(literal)) return "str";
  return "int";
}

const char* number_type(ir::ValueKind kind) {
  if (kind == ir::ValueKind::kSymFloat) return "float";
  return kind == ir::ValueKind::kSymBool ? "bool" : "int";
}

void add_size(const ir::SymInt& size, const ir::SymbolRanges& ranges,
              engine::ManifestValue& value) {
  const ir::Range range = size.bounds(ranges);
  value.sizes.push_back(size.to_string());
  value.min_sizes.push_back(std::max<int64_t>(range.min.value_or(0), 0));
  value.max_sizes.push_back(range.max.value_or(std::numeric_limits<int64_t>::max()));
}

engine::ManifestValue describe(const std::string& name, const ir::Value& value,
                               const ir::SymbolRanges& ranges) {
  engine::ManifestValue result;
  result.name = name;
  if (value.is_tensor()) {
    result.type = std::string(dtype_name(value.dtype()));
    for (const ir::SymInt& size : value.sizes()) add_size(size, ranges, result);
  } else {
    result.type = number_type(value.kind());
    // An integer that the caller chooses, unlike a literal, has one entry.
    if (value.kind() == ir::ValueKind::kSymInt) add_size(value.expression(), ranges, result);
  }
  return result;
}

// Its segment is known when the file is laid out.
engine::ManifestEngine describe(const engine::Engine& engine) {
  engine::ManifestEngine result;
  result.record = engine.record;
  result.header_size = engine.header.size();
  result.external_key = engine.external_key;
  for (const engine::Engine& variant : engine.variants) {
    result.variants.push_back(describe(variant));
  }
  return result;
}

}  // namespace

engine::ManifestMethod describe_method(const Method& method, const EmittedMethod& emitted) {
  const ir::Program& program = *method.program;
  engine::ManifestMethod result;
  result.name = method.name;
  result.source_sha256 = method.source_sha256;
  result.source_torch_version = program.torch_version;
  result.input_tree = program.input_tree;
  result.output_tree = program.output_tree;
  result.mutable_buffers = emitted.mutable_buffers;

  std::set<const ir::Input*> mutated;
  for (const ir::Output& output : program.outputs) {
    if (const ir::Input* input = mutation_target(program, output)) mutated.insert(input);
  }
  for (const ir::Input& input : program.inputs) {
    if (input.kind == ir::InputKind::kLiteral) {
      engine::ManifestValue value;
      value.name = input.name;
      value.type = literal_type(input.literal);
      result.inputs.push_back(std::move(value));
    } else if (input.kind == ir::InputKind::kUserInput) {
      result.inputs.push_back(describe(input.name, *input.value, program.ranges));
      result.inputs.back().mutated = mutated.contains(&input);
    }
  }
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    if (program.outputs[i].kind != ir::OutputKind::kUserOutput) continue;
    const ir::Argument& output = program.graph->outputs()[i];
    if (const auto* computed = std::get_if<ir::Value*>(&output)) {
      result.outputs.push_back(describe((*computed)->name(), **computed, program.ranges));
    } else {
      engine::ManifestValue value;
      value.name = "output_" + std::to_string(result.outputs.size());
      value.type = literal_type(output);
      result.outputs.push_back(std::move(value));
    }
  }
  for (const size_t engine : emitted.engines) {
    engine::ManifestEngine& entry = result.engines.emplace_back(describe(method.engines[engine]));
    if (engine < method.engine_nodes.size()) entry.nodes = method.engine_nodes[engine];
    if (engine < method.engine_graphs.size()) entry.graph = method.engine_graphs[engine];
    if (engine < method.passed_over.size()) entry.passed_over = method.passed_over[engine];
  }
  result.outside = method.outside;
  for (const Instruction& instruction : emitted.plan.instructions) {
    result.instruction_origins.push_back(instruction.origin);
  }
  return result;
}

}  // namespace slipway::pte
