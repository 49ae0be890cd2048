// Turns one program into one plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/piece_writer.h"
#include "ir/program.h"
#include "pte/emitter/constants.h"
#include "pte/emitter/emitter.h"
#include "pte/emitter/placement.h"
#include "pte/emitter/plan_builder.h"
#include "pte/emitter/symbols.h"
#include "schema/schema.h"
#include "slipway/result.h"

namespace slipway::pte {

// A finished method: the plan, its memory planned, and what the manifest says about it.
struct EmittedMethod {
  Plan plan;
  std::vector<std::string> mutable_buffers;
  std::vector<size_t> engines;  // Method::engines that are called, in the order of Plan::delegates
};

struct EngineData {
  uint64_t header_size = 0;
  PieceList pieces;  // header and bytes
};

// The data of all methods together.
struct FileData {
  ConstantPool constants;
  ConstantPool mutable_buffers;  // what they start with
  // Where buffers are in the memory that methods share, by name, and its end.
  struct SharedPlace {
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  std::map<std::string, SharedPlace> shared_places;
  uint64_t shared_end = 0;
  std::vector<EngineData> engines;
  // Equal ones are stored once.
  std::map<std::pair<std::string, std::vector<std::byte>>, uint32_t> engine_by_content;
  std::map<std::string, uint32_t> variants;  // which of `engines`, by key
};

// Used once, from one thread. `data` receives the method's.
class MethodEmitter {
 public:
  MethodEmitter(const Method& method, const EmitOptions& options, FileData& data);
  Result<EmittedMethod> emit();

 private:
  // tensor_value, whose error names the input that an unbounded symbol comes from.
  Result<TensorValue> bounded_tensor(const ir::TensorType& type, const std::string& what) const;

  // method_emitter.cc: inputs, outputs and mutations.
  Status emit_input(const ir::Input& input);
  Status emit_constant(const ir::Input& input);
  Status emit_mutable_buffer(const ir::Input& input);
  // Puts the buffer where methods share it.
  Status share(const std::string& name, Block& block);
  Result<std::vector<int32_t>> add_output_targets(const std::vector<Target>& targets);
  // After everything else, because outputs may still show old values.
  Status emit_mutations();
  Result<int32_t> output_value(const ir::Argument& output);
  // Once it is known which memory the mutable buffers are in.
  Status emit_initial_values();

  // nodes.cc: the nodes of a graph.
  // Emits the graph such that at its end each target has its value; a target's index is -1 where
  // it is not a tensor.
  Status emit_graph(const ir::Graph& graph, const Placement& placement,
                    const std::vector<Target>& targets, const std::vector<int32_t>& indices);
  Status emit_node(const ir::Node& node, const Placement& placement,
                   const std::vector<int32_t>& indices);
  Status emit_kernel(const ir::Node& node, const Placement& placement,
                     const std::vector<int32_t>& indices);
  Status emit_view(const ir::Node& node, const Placement& placement,
                   const std::vector<int32_t>& indices);
  Status emit_index_put(const ir::Node& node);
  // The value that the result is written to, made where the placement does not give one.
  Result<int32_t> result_value(const ir::Value* value, const Placement& placement,
                               const std::vector<int32_t>& indices);
  // Memory of the tensor's own.
  Result<int32_t> allocated(const ir::TensorType& type, const std::string& name);
  // Another shape of the tensor at `source`.
  Result<int32_t> alias(int32_t source, const ir::TensorType& type, const std::string& name);
  // A size list; at most one size that is not constant is left to the kernel as -1.
  Result<int32_t> size_list(const std::vector<ir::SymInt>& sizes);
  void copy(int32_t from, int32_t to);

  // arguments.cc: the arguments of kernels.
  Result<int32_t> argument(const ir::Argument& argument, const schema::Parameter& parameter);
  Result<int32_t> scalar_argument(const ir::Argument& argument, const schema::Parameter& parameter);
  Result<int32_t> list_argument(const ir::Argument& argument, const schema::Parameter& parameter);
  Result<int32_t> default_argument(const schema::Parameter& parameter);
  Result<int32_t> index_of(const ir::Value* value);
  int32_t dim_order(size_t rank);

  // symbolic_nodes.cc: nodes that compute numbers.
  bool is_symbolic(const ir::Node& node) const;
  Status emit_symbolic(const ir::Node& node);
  Result<int32_t> number(const ir::Argument& argument);
  int32_t prim(const std::string& op, std::vector<int32_t> args);

  // engine_calls.cc
  Status emit_engine_call(const ir::Node& node, const Placement& placement,
                          const std::vector<int32_t>& indices);
  // The plan's delegate for the method's engine, made at its first call.
  Result<int32_t> delegate(size_t number);

  // control_flow.cc
  Status emit_cond(const ir::Node& node, const Placement& placement,
                   const std::vector<int32_t>& indices);
  Status emit_branch(const ir::Node& node, const ir::Graph& graph,
                     const std::vector<int32_t>& indices);
  // What a node gives a sub-graph, one by one, from this argument on.
  static std::vector<ir::Argument> operands(const ir::Node& node, size_t first);
  // Lets the graph's inputs from this one on be what they are given, of as many.
  Status bind(const ir::Graph& graph, size_t first, const std::vector<ir::Argument>& given);

  // loops.cc
  Status emit_scan(const ir::Node& node, const Placement& placement,
                   const std::vector<int32_t>& indices);
  // What a stacked result is written to.
  struct Stack {
    int32_t whole = 0;    // the result itself, unless the caller provides its memory
    int32_t growing = 0;  // the same memory
  };
  Result<Stack> make_stack(const ir::Value& value, int32_t result);
  Status emit_while(const ir::Node& node, const Placement& placement,
                    const std::vector<int32_t>& indices);
  // At the end of a turn: each state becomes what the body gives for it, unless that was computed
  // in its place.
  Status advance(const ir::Graph& body, const std::vector<int32_t>& states,
                 const Placement& placement);

  const Method& method_;
  const EmitOptions& options_;
  const ir::Program& program_;
  FileData& data_;
  ir::SymbolRanges ranges_;
  PlanBuilder plan_;
  Symbols symbols_;
  std::map<const ir::Value*, int32_t> values_;
  std::map<std::string, const ir::Input*> mutated_;  // by the input's name
  std::vector<const ir::Input*> mutable_buffers_;
  Placement placement_;  // of the program's own graph
  EmittedMethod result_;
};

}  // namespace slipway::pte
