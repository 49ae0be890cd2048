// Arguments of nodes, with the names that they may refer to.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "ir/graph.h"
#include "pt2/tensor_meta.h"

namespace slipway::pt2 {

// The names of one graph: what the archive says of each, and the values that are defined so far.
class Scope {
 public:
  // `graph` is the archive's graph object; its names must outlive the scope.
  Scope(JsonValue graph, ExpressionReader& expressions);

  // The type of a tensor of this graph. `at` is where it is asked for.
  ir::TensorType tensor_type(std::string_view name, JsonValue at);
  // The expression of a symbolic integer of this graph.
  ir::SymInt sym_int(std::string_view name, JsonValue at);

  // Makes a value known; a second one of the same name is an error.
  void define(std::string_view name, ir::Value* value, JsonValue at);
  // The value of this name; null, and an error, where nothing before defines it.
  ir::Value* value(std::string_view name, JsonValue at) const;
  // The value of this name or null.
  ir::Value* find(std::string_view name) const;

 private:
  ExpressionReader& expressions_;
  std::unordered_map<std::string_view, JsonValue> tensor_metas_;
  std::unordered_map<std::string_view, JsonValue> sym_ints_;
  std::unordered_map<std::string_view, ir::Value*> values_;
};

// "torch.ops.aten.add.Tensor" -> "aten.add.Tensor".
std::string operator_name(std::string_view target);

// A number, or a string for those that JSON cannot write: "Infinity", "-Infinity", "NaN".
double read_float(JsonValue value);

// Reads the graph of an as_graph argument.
using SubgraphReader = std::function<std::shared_ptr<ir::Graph>(JsonValue graph)>;

// Any variant of the archive's argument union. `subgraph` may be empty where no graph can occur.
ir::Argument read_argument(JsonValue argument, Scope& scope, const SubgraphReader& subgraph);

}  // namespace slipway::pt2
