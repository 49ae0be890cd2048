// Programs made by hand, emitted, and run; for tests.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/piece_writer.h"
#include "ir/op_builder.h"
#include "passes/program_test.h"
#include "pte/emitter/emitter.h"
#include "pte/format/program_generated.h"
#include "pte/reader/reader.h"
#include "slipway/module.h"

namespace slipway::pte {

class ProgramToEmit : public passes::TestProgram {
 public:
  ProgramToEmit() { program.source = "made by hand"; }

  ir::OpBuilder build() { return ir::OpBuilder(graph(), nullptr, nullptr); }

  // The value that a buffer or user input holds at the end; before any output.
  void mutation(ir::OutputKind kind, const std::string& target, ir::Value* value) {
    graph().outputs().emplace_back(value);
    program.outputs.push_back({kind, target});
  }
  void mutation(const std::string& buffer, ir::Value* value) {
    mutation(ir::OutputKind::kBufferMutation, buffer, value);
  }

  // An engine of runtime::SumBackend, and a call of it with results of these types.
  ir::Node* call_sum(const std::vector<ir::Value*>& inputs, std::vector<ir::TensorType> types,
                     const std::string& name = "sum") {
    const auto tensor = [](const ir::Value* value) {
      engine::EngineTensor result{value->name(), std::string(dtype_name(value->dtype())), {}};
      for (const ir::SymInt& size : value->sizes()) result.sizes.push_back(size.to_string());
      return result;
    };
    ir::Node* call =
        node(ir::kCallEngine, {ir::SymInt(static_cast<int64_t>(engines.size())), inputs},
             std::move(types), name);
    engine::Engine& engine = engines.emplace_back();
    engine.bytes = own_bytes(std::string("sum"));
    engine.record.engine = "sum";
    engine.record.backend = "SumBackend";
    engine.record.compile_specs = {{"inputs", std::to_string(inputs.size())}};
    for (const ir::Value* value : inputs) engine.record.inputs.push_back(tensor(value));
    for (const ir::Value* value : call->outputs()) engine.record.outputs.push_back(tensor(value));
    engine.record.size = engine.bytes.bytes.size();
    engine.record.sha256 = sha256_hex(engine.bytes.bytes);
    return call;
  }
  std::vector<engine::Engine> engines;
  bool alloc_graph_output = true;
  std::optional<int8_t> (*device_of)(const engine::EngineRecord& record) = nullptr;

  // Trees that fit the inputs and outputs so far: flat ones.
  void make_trees() {
    program.input_tree = program.output_tree = Tree();
    program.input_tree.kind = program.output_tree.kind = Tree::Kind::kTuple;
    for (const ir::Input& entry : program.inputs) {
      const bool user =
          entry.kind == ir::InputKind::kUserInput || entry.kind == ir::InputKind::kLiteral;
      if (user) program.input_tree.children.emplace_back();
    }
    for (const ir::Output& entry : program.outputs) {
      if (entry.kind == ir::OutputKind::kUserOutput) program.output_tree.children.emplace_back();
    }
  }

  Result<std::vector<std::byte>> emit_bytes() {
    make_trees();
    const Status valid = ir::verify(program);
    EXPECT_TRUE(valid.ok()) << valid.error().message() << "\n" << ir::print(program);
    auto pieces = emit(
        {method()},
        {.tool_version = "test", .alloc_graph_output = alloc_graph_output, .device_of = device_of});
    if (!pieces.ok()) return pieces.error();
    return write_to_memory(*pieces);
  }
  Method method(const std::string& name = "forward") {
    Method result{name, &program, ""};
    result.engines = engines;
    return result;
  }
  std::string emit_error() {
    auto bytes = emit_bytes();
    return bytes.ok() ? "" : bytes.error().message();
  }
  slipway::Method load() {
    auto bytes = emit_bytes();
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    auto module = Module::load(std::move(*bytes), "made by hand");
    EXPECT_TRUE(module.ok()) << module.error().message();
    return *module->method();
  }
  // "aten::add.out", in order; what is no kernel is "engine", "jump" or "move".
  std::vector<std::string> instructions() {
    auto bytes = emit_bytes();
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    auto file = File::read(own_bytes(std::move(*bytes)), "made by hand");
    EXPECT_TRUE(file.ok()) << file.error().message();
    std::vector<std::string> result;
    const auto* plan = file->plan("forward");
    for (const auto* instruction : *plan->chains()->Get(0)->instructions()) {
      const auto* call = instruction->instr_args_as_KernelCall();
      if (call) {
        const auto* op = plan->operators()->Get(static_cast<uint32_t>(call->op_index()));
        result.push_back(op->name()->str());
      } else {
        result.push_back(instruction->instr_args_as_DelegateCall() ? "engine"
                         : instruction->instr_args_as_MoveCall()   ? "move"
                                                                   : "jump");
      }
    }
    return result;
  }
};

inline Tensor floats(std::vector<int64_t> sizes, std::vector<float> values) {
  auto tensor = Tensor::zeros(DType::kFloat32, std::move(sizes));
  EXPECT_EQ(tensor->numel(), static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor->data_as<float>());
  return *tensor;
}
inline Tensor integers(std::vector<int64_t> sizes, std::vector<int64_t> values) {
  auto tensor = Tensor::zeros(DType::kInt64, std::move(sizes));
  EXPECT_EQ(tensor->numel(), static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor->data_as<int64_t>());
  return *tensor;
}

inline std::vector<Value> run(const slipway::Method& method, const std::vector<Value>& inputs) {
  auto outputs = method.run(inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.error().message();
  return outputs.ok() ? *outputs : std::vector<Value>();
}
inline std::vector<float> to_floats(const Value& value) {
  const auto& tensor = std::get<Tensor>(value);
  EXPECT_EQ(tensor.dtype(), DType::kFloat32);
  const float* data = tensor.data_as<float>();
  return {data, data + tensor.numel()};
}
inline std::vector<int64_t> sizes_of(const Value& value) { return std::get<Tensor>(value).sizes(); }

using Floats = std::vector<float>;
using Sizes = std::vector<int64_t>;
using Instructions = std::vector<std::string>;

inline Floats state_of(const slipway::Method& method, size_t index = 0) {
  auto state = method.state();
  EXPECT_TRUE(state.ok()) << state.error().message();
  return to_floats(state->at(index).second);
}

}  // namespace slipway::pte
