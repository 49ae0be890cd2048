#include "compile/part_program.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/try.h"
#include "compile/functional.h"
#include "pte/emitter/emitter.h"

namespace slipway {

namespace {

// The part as a program of its own, which takes the part's inputs and then, for each symbol that
// none of them defines, a tensor of so many elements.
ir::Program program_of(const ir::Program& program, const EngineOfPart& engine) {
  const partition::Partition& part = engine.part;
  ir::Program own;
  own.source = program.source;
  own.torch_version = program.torch_version;
  own.dialect = program.dialect;
  own.ranges = program.ranges;
  std::map<const ir::Value*, ir::Value*> copies;
  const auto add_input = [&](const std::string& name, ir::TensorType type) {
    ir::Input input;
    input.value = own.graph->add_input(name, std::move(type));
    input.name = input.value->name();
    own.inputs.push_back(input);
    return input.value;
  };
  for (const ir::Value* value : part.inputs) {
    copies[value] = add_input(value->name(), value->type());
  }
  for (const std::string& symbol : engine.symbols) {
    add_input("size", {DType::kUInt8, {ir::SymInt::symbol(symbol)}, {}});
  }
  const auto copy_of = [&](ir::Value* value) {
    auto [copy, is_new] = copies.try_emplace(value);
    if (is_new) copy->second = own.add_constant(value->name(), *program.input_of(value)->data);
    return copy->second;
  };
  for (const ir::Node* node : part.nodes) {
    std::vector<ir::Argument> arguments = node->args();
    for (ir::Argument& argument : arguments) {
      ir::Graph::for_each_value(argument, [&](ir::Value*& value) { value = copy_of(value); });
    }
    ir::Node* const copy = own.graph->add_node(node->op(), std::move(arguments),
                                               {.origin = node, .name = node->name()});
    for (const ir::Value* output : node->outputs()) {
      copies[output] =
          output->is_tensor()
              ? own.graph->add_output(copy, output->type(), output->name())
              : own.graph->add_output(copy, output->kind(), output->expression(), output->name());
    }
  }
  own.input_tree.kind = own.output_tree.kind = Tree::Kind::kTuple;
  Tree arguments{
      Tree::Kind::kTuple, {}, "", std::vector<Tree>(part.inputs.size() + engine.symbols.size())};
  own.input_tree.children = {std::move(arguments), {Tree::Kind::kDict, {}, "", {}}};
  own.output_tree.children.resize(part.outputs.size());
  for (const ir::Value* output : part.outputs) {
    own.graph->outputs().emplace_back(copies.at(output));
    own.outputs.emplace_back();
  }
  return own;
}

Result<Method> load_part(ir::Program own, std::vector<engine::Engine> engines,
                         const LoadOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(make_kernel_program(own, {}));
  pte::Method method = {.name = "forward", .program = &own, .source_sha256 = ""};
  method.engines = std::move(engines);
  SLIPWAY_ASSIGN_OR_RETURN(const PieceList pieces, pte::emit({std::move(method)}, {}));
  SLIPWAY_ASSIGN_OR_RETURN(std::vector<std::byte> file, write_to_memory(pieces));
  SLIPWAY_ASSIGN_OR_RETURN(const Module module,
                           Module::load(std::move(file), "a part of " + own.source, options));
  return module.method();
}

// The same with a call of the engine in place of the nodes.
Result<Method> load_engine(const ir::Program& program, const EngineOfPart& engine) {
  ir::Program own = program_of(program, engine);
  partition::Partition part;
  for (const auto& node : own.graph->nodes()) part.nodes.push_back(node.get());
  for (size_t i = 0; i < engine.part.inputs.size(); ++i) {
    const auto& taken = engine.inputs;
    if (std::find(taken.begin(), taken.end(), engine.part.inputs[i]) != taken.end()) {
      part.inputs.push_back(own.inputs[i].value);
    }
  }
  for (const ir::Argument& output : own.graph->outputs()) {
    part.outputs.push_back(std::get<ir::Value*>(output));
  }
  partition::Plan plan;
  plan.partitions.push_back(std::move(part));
  SLIPWAY_RETURN_IF_ERROR(partition::replace(own, plan, 0, {engine.symbols}));
  return load_part(std::move(own), {engine.engine}, {.isolate = true});
}

// Of an engine that does not run: its own fault, where neither memory nor a library is missing.
Error blame_engine(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kIo:
      return error;
    case ErrorCode::kUnavailable:
    case ErrorCode::kNotFound:  // the program that runs isolated modules
      return unavailable("{}", error.message());
    default:
      return unsupported("{}", error.message());
  }
}

}  // namespace

Result<Method> load_kernels(const ir::Program& program, const EngineOfPart& engine) {
  return load_part(program_of(program, engine), {}, {});
}

Result<std::vector<Tensor>> run_part(const Method& method, const std::vector<Value>& inputs) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<Value> outputs, method.run(inputs));
  std::vector<Tensor> tensors;
  for (const Value& output : outputs) {
    const auto* tensor = std::get_if<Tensor>(&output);
    if (tensor == nullptr) return internal_error("a part gives something else than tensors");
    SLIPWAY_ASSIGN_OR_RETURN(Tensor copy, Tensor::zeros(tensor->dtype(), tensor->sizes()));
    std::copy(tensor->bytes().begin(), tensor->bytes().end(), static_cast<std::byte*>(copy.data()));
    tensors.push_back(std::move(copy));
  }
  return tensors;
}

Result<std::vector<std::vector<Tensor>>> run_by_runtime(
    const ir::Program& program, const EngineOfPart& engine,
    const std::vector<std::vector<Value>>& inputs) {
  const auto method = load_engine(program, engine);
  if (!method.ok()) return blame_engine(method.error());
  std::vector<std::vector<Tensor>> outputs;
  for (const std::vector<Value>& list : inputs) {
    auto given = run_part(*method, list);
    if (!given.ok()) return blame_engine(given.error());
    outputs.push_back(std::move(*given));
  }
  return outputs;
}

}  // namespace slipway
