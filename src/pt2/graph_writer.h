// The graph of an archive, and the graphs within it.
#pragma once

#include <unordered_set>
#include <vector>

#include "base/json_writer.h"
#include "ir/program.h"
#include "pt2/archive_source.h"
#include "pt2/argument_writer.h"
#include "pt2/expression_writer.h"
#include "pt2/program_writer.h"
#include "pt2/size_nodes.h"
#include "pt2/tensor_meta.h"
#include "slipway/result.h"

namespace slipway::pt2 {

// What all graphs of a program share.
struct GraphWriterContext {
  const SizeValues& sizes;
  const ExpressionWriter& expressions;
  const WriteOptions& options;
  ExpressionReader reader = {};  // of what the archive that was read says of tensors
};

// Writes one graph. Not thread-safe; all that it is given must outlive it.
class GraphWriter {
 public:
  // `source` is the graph of the archive that was read, or an empty one.
  GraphWriter(const ir::Graph& graph, const SourceGraph& source, GraphWriterContext& context);

  NameTable& names() { return names_; }
  ArgumentWriter& arguments() { return arguments_; }

  // The program's graph, with inputs in the order of these entries of its signature.
  Status write(const std::vector<const ir::Input*>& inputs, JsonWriter& json);

 private:
  Status write_subgraph(JsonWriter& json);
  Status write_contents(bool is_single_tensor_return, JsonWriter& json);
  Status write_node(const ir::Node& node, JsonWriter& json);
  Status write_inputs(const ir::Node& node, JsonValue source, JsonWriter& json);
  Status write_graph_argument(const ir::Node& node, JsonValue source, const ir::Graph& graph,
                              JsonWriter& json);
  Status write_values(JsonWriter& json);
  void write_tensor_meta(const ir::Value& value, JsonWriter& json);
  void find_moved();
  bool is_strided(const ir::Value& value);

  const ir::Graph& graph_;
  const SourceGraph& source_;
  GraphWriterContext& context_;
  NameTable names_;
  ArgumentWriter arguments_;
  std::unordered_set<const ir::Value*> moved_;  // contiguous, and not so in the archive
};

}  // namespace slipway::pt2
