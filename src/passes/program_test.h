// Programs made by hand, for tests.
#pragma once

#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ir/op_builder.h"
#include "ir/program.h"

namespace slipway::passes {

class TestProgram {
 public:
  ir::Program program;

  ir::Graph& graph() { return *program.graph; }

  static ir::TensorType type(std::vector<ir::SymInt> sizes, DType dtype = DType::kFloat32,
                             std::vector<ir::SymInt> strides = {}) {
    return {dtype, std::move(sizes), std::move(strides)};
  }

  ir::Value* input(const std::string& name, ir::TensorType tensor_type) {
    ir::Input entry;
    entry.value = graph().add_input(name, std::move(tensor_type));
    entry.name = name;
    program.inputs.push_back(std::move(entry));
    return program.inputs.back().value;
  }

  // A buffer or constant that holds 0, 1, 2, ... as far as `storage` reaches.
  static ir::ConstantData count(std::vector<int64_t> sizes, std::vector<int64_t> strides,
                                int64_t offset = 0, size_t storage = 64) {
    std::vector<float> values(storage);
    for (size_t i = 0; i < storage; ++i) values[i] = static_cast<float>(i);
    std::vector<std::byte> bytes(storage * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    ir::ConstantData data;
    data.sizes = std::move(sizes);
    data.strides = std::move(strides);
    data.storage_offset = offset;
    data.storage = own_bytes(std::move(bytes));
    return data;
  }

  ir::Value* stored(ir::InputKind kind, const std::string& name, ir::ConstantData data) {
    std::vector<ir::SymInt> sizes(data.sizes.begin(), data.sizes.end());
    std::vector<ir::SymInt> strides(data.strides.begin(), data.strides.end());
    ir::Value* value = input(name, type(std::move(sizes), data.dtype, std::move(strides)));
    program.inputs.back().kind = kind;
    program.inputs.back().target = name;
    program.inputs.back().data = std::move(data);
    return value;
  }
  ir::Value* buffer(const std::string& name, ir::ConstantData data) {
    return stored(ir::InputKind::kBuffer, name, std::move(data));
  }
  ir::Value* constant(const std::string& name, ir::ConstantData data) {
    return stored(ir::InputKind::kConstant, name, std::move(data));
  }

  // A node with a result of each type, named after `name`; missing arguments take their defaults.
  ir::Node* node(const std::string& op, std::vector<ir::Argument> args,
                 std::vector<ir::TensorType> types, const std::string& name) {
    ir::OpBuilder builder(graph(), nullptr, nullptr);
    ir::Node* made = builder.node(op, std::move(args));
    for (auto& result : types) graph().add_output(made, std::move(result), name);
    return made;
  }
  ir::Value* call(const std::string& op, std::vector<ir::Argument> args, ir::TensorType result,
                  const std::string& name) {
    return node(op, std::move(args), {std::move(result)}, name)->output();
  }

  void output(ir::Argument argument) {
    graph().outputs().push_back(std::move(argument));
    program.outputs.emplace_back();
  }

  std::vector<std::string> ops() { return ops(graph()); }
  static std::vector<std::string> ops(const ir::Graph& graph) {
    std::vector<std::string> names;
    for (const auto& node : graph.nodes()) names.push_back(node->op());
    return names;
  }
  ir::Node* at(size_t i) { return std::next(graph().nodes().begin(), static_cast<long>(i))->get(); }
  ir::Value* result(size_t i) { return std::get<ir::Value*>(graph().outputs().at(i)); }

  // Runs the pass, and checks what every pass must keep.
  template <class Pass, class... Args>
  Status apply(Pass pass, Args&&... args) {
    Status status = pass(program, std::forward<Args>(args)...);
    if (status.ok()) {
      const Status valid = ir::verify(program);
      EXPECT_TRUE(valid.ok()) << valid.error().message() << "\n" << ir::print(program);
    }
    return status;
  }
};

using Ops = std::vector<std::string>;
using Ints = std::vector<ir::SymInt>;

}  // namespace slipway::passes
