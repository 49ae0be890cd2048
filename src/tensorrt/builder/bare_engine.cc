#include "tensorrt/builder/bare_engine.h"

#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/printable.h"
#include "base/try.h"
#include "tensorrt/format/description.h"
#include "tensorrt/library/plan_tensors.h"

namespace slipway::tensorrt {

namespace {

std::optional<DType> dtype_of(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return DType::kFloat32;
    case DataType::kHalf:
      return DType::kFloat16;
    case DataType::kInt8:
      return DType::kInt8;
    case DataType::kInt32:
      return DType::kInt32;
    case DataType::kBool:
      return DType::kBool;
    case DataType::kUint8:
      return DType::kUInt8;
    case DataType::kBfloat16:
      return DType::kBFloat16;
    case DataType::kInt64:
      return DType::kInt64;
  }
  return std::nullopt;
}

// Each dynamic size is a symbol of its own.
Result<ir::TensorType> type_of(const PlanTensor& each, ir::SymbolRanges& ranges) {
  const auto dtype = dtype_of(each.tensor.type);
  if (!dtype) {
    return unsupported("'{}' is of a type of TensorRT's that programs do not have",
                       printable_start(each.tensor.name));
  }
  ir::TensorType type = {*dtype, {}, {}};
  for (size_t i = 0; i < each.tensor.shape.size(); ++i) {
    if (each.tensor.shape[i] >= 0) {
      type.sizes.emplace_back(each.tensor.shape[i]);
      continue;
    }
    const std::string symbol = fmt::format("s{}", ranges.size());
    ranges[symbol] = {each.bounds.min[i], each.bounds.max[i]};
    type.sizes.push_back(ir::SymInt::symbol(symbol));
  }
  return type;
}

engine::EngineTensor describe(const std::string& name, const ir::TensorType& type) {
  engine::EngineTensor tensor = {name, std::string(dtype_name(type.dtype)), {}};
  for (const ir::SymInt& size : type.sizes) tensor.sizes.push_back(size.to_string());
  return tensor;
}

}  // namespace

Result<engine_build::BareProgram> program_of_plan(const OwnedSpan& plan,
                                                  const std::string& library) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<PlanTensor> tensors,
                           read_plan_tensors(plan.bytes, library));
  engine_build::BareProgram result;
  ir::Program& program = result.program;
  program.dialect = "ATEN";
  program.input_tree.kind = program.output_tree.kind = Tree::Kind::kTuple;
  program.input_tree.children.resize(2);
  Tree& arguments = program.input_tree.children[0];
  arguments.kind = Tree::Kind::kTuple;
  program.input_tree.children[1].kind = Tree::Kind::kDict;
  engine::EngineRecord& record = result.engine.record;
  record.engine = kDescription.name;
  record.backend = kDescription.backend;
  record.device = "GPU";
  record.compile_specs = {{"target_device", "cuda:0"}};
  record.size = plan.bytes.size();
  record.sha256 = sha256_hex(plan.bytes);
  result.engine.bytes = plan;

  std::vector<ir::Value*> inputs;
  for (const PlanTensor& each : tensors) {
    if (!each.tensor.is_input) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const ir::TensorType type, type_of(each, program.ranges));
    record.inputs.push_back(describe(each.tensor.name, type));
    ir::Input input;
    input.value = program.graph->add_input(each.tensor.name, type);
    input.name = input.value->name();
    inputs.push_back(input.value);
    program.inputs.push_back(std::move(input));
    arguments.children.emplace_back();
  }
  ir::Node* call = program.graph->add_node(ir::kCallEngine, {ir::SymInt(0), inputs}, {});
  for (const PlanTensor& each : tensors) {
    if (each.tensor.is_input) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const ir::TensorType type, type_of(each, program.ranges));
    record.outputs.push_back(describe(each.tensor.name, type));
    program.graph->outputs().emplace_back(program.graph->add_output(call, type, each.tensor.name));
    program.outputs.emplace_back();
    program.output_tree.children.emplace_back();
  }
  SLIPWAY_ASSIGN_OR_RETURN(result.engine.header, kDescription.header(record));
  return result;
}

}  // namespace slipway::tensorrt
