#include "pt2/graph_reader.h"

#include <algorithm>

#include <fmt/core.h>

#include "pt2/schema_arguments.h"
#include "schema/schema.h"

namespace slipway::pt2 {
namespace {

constexpr int64_t kKeywordArgument = 2;

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// What a node produces, or a graph takes in, under one name.
struct Definition {
  std::string_view name;
  ir::ValueKind kind = ir::ValueKind::kTensor;
};

class GraphReader {
 public:
  GraphReader(JsonValue json, ExpressionReader& expressions, ir::Graph& graph)
      : json_(json), expressions_(expressions), graph_(graph), contents_{{json, expressions}, {}} {}

  GraphContents read(bool is_subgraph) {
    for (JsonValue input : json_["inputs"].items()) read_input(input, is_subgraph);
    for (JsonValue node : json_["nodes"].items()) read_node(node);
    for (JsonValue output : json_["outputs"].items()) {
      graph_.outputs().push_back(read_argument(output, contents_.scope, {}));
    }
    return std::move(contents_);
  }

 private:
  // The variants that name a value; others are literals.
  static std::optional<Definition> definition(std::string_view tag, JsonValue value) {
    if (tag == "as_tensor") return Definition{value["name"].to_string_view()};
    if (tag == "as_custom_obj") {
      return Definition{value["name"].to_string_view(), ir::ValueKind::kCustomObject};
    }
    ir::ValueKind kind;
    if (tag == "as_sym_int") {
      kind = ir::ValueKind::kSymInt;
    } else if (tag == "as_sym_float") {
      kind = ir::ValueKind::kSymFloat;
    } else if (tag == "as_sym_bool") {
      kind = ir::ValueKind::kSymBool;
    } else {
      return std::nullopt;
    }
    const auto [variant, name] = value.to_union();
    if (variant != "as_name") return std::nullopt;
    return Definition{name.to_string_view(), kind};
  }

  void read_input(JsonValue input, bool is_subgraph) {
    const auto [tag, value] = input.to_union();
    const auto defined = definition(tag, value);
    if (!defined) {
      contents_.inputs.push_back(read_argument(input, contents_.scope, {}));
      if (is_subgraph) graph_.add_input("literal", ir::ValueKind::kAbsent);
      return;
    }
    const std::string name(defined->name);
    ir::Value* added =
        defined->kind == ir::ValueKind::kTensor
            ? graph_.add_input(name, contents_.scope.tensor_type(defined->name, input))
            : graph_.add_input(name, defined->kind, expression_of(*defined, input));
    contents_.scope.define(defined->name, added, input);
    contents_.inputs.emplace_back(added);
  }

  ir::SymInt expression_of(const Definition& defined, JsonValue at) {
    if (defined.kind != ir::ValueKind::kSymInt) return 0;
    return contents_.scope.sym_int(defined.name, at);
  }

  void read_node(JsonValue node) {
    std::string op = operator_name(node["target"].to_string_view());
    ir::Graph::NodeOptions options;
    const JsonValue name = node.find("name");
    if (!name.is_none()) options.name = name.to_string();
    const JsonValue metadata = node.find("metadata");
    if (!metadata.is_none()) {
      const JsonValue trace = metadata.find("stack_trace");
      if (!trace.is_none()) options.stack_trace = own_frame(trace.to_string_view());
    }

    const bool is_known = schema::find_operator(op) != nullptr;
    std::vector<NamedArgument> given;
    given.reserve(node["inputs"].size());
    for (JsonValue input : node["inputs"].items()) {
      const JsonValue kind = input.find("kind");
      given.push_back({.name = input["name"].to_string_view(),
                       .positional = kind.is_none() || kind.to_int() != kKeywordArgument,
                       .argument = read_given(input["arg"], !is_known)});
    }
    std::vector<ir::Argument> arguments;
    if (const schema::Schema* schema = find_schema(op, given)) {
      op = schema->target();
      auto complete = complete_arguments(*schema, std::move(given));
      if (complete.ok()) {
        arguments = *std::move(complete);
      } else {
        node.fail(fmt::format("(node \"{}\") {}", options.name, complete.error().message()),
                  complete.error().code());
      }
    } else {
      for (NamedArgument& argument : given) arguments.push_back(std::move(argument.argument));
    }

    ir::Node* added = graph_.add_node(op, std::move(arguments), options);
    const JsonValue outputs = node["outputs"];
    for (JsonValue output : outputs.items()) read_output(output, added, outputs.size() == 1);
  }

  // Older programs for other machines have engines as texts.
  ir::Argument read_given(JsonValue argument, bool may_be_long) {
    if (may_be_long) {
      const auto [tag, value] = argument.to_union();
      auto text = value.left_in_text();
      if (tag == "as_string" && text) return ir::LongText{*std::move(text)};
    }
    return read_argument(argument, contents_.scope,
                         [&](JsonValue graph) { return subgraph(graph); });
  }

  // A single None stands for no results, unless the operator has one.
  static bool has_no_results(const ir::Node& node) {
    const schema::Schema* schema = schema::find_operator(node.op());
    return schema == nullptr || schema->returns.empty();
  }

  void read_output(JsonValue output, ir::Node* node, bool is_only) {
    const auto [tag, value] = output.to_union();
    if (tag == "as_tensors") {
      for (JsonValue item : value.items()) {
        add_output({item["name"].to_string_view()}, node, item);
      }
    } else if (const auto defined = definition(tag, value)) {
      add_output(*defined, node, output);
    } else if (tag == "as_sym_int") {
      // An integer that the export found to be fixed: it has no name.
      graph_.add_output(node, ir::ValueKind::kSymInt, value["as_int"].to_int());
    } else if (tag == "as_none") {
      if (!is_only || !has_no_results(*node)) {
        graph_.add_output(node, ir::ValueKind::kAbsent, 0);
      }
    } else {
      output.fail(
          fmt::format("(node \"{}\") is a result of the kind {}, which Slipway does not support",
                      node->name(), tag),
          ErrorCode::kUnsupported);
    }
  }

  void add_output(const Definition& defined, ir::Node* node, JsonValue at) {
    const std::string name(defined.name);
    ir::Value* added =
        defined.kind == ir::ValueKind::kTensor
            ? graph_.add_output(node, contents_.scope.tensor_type(defined.name, at), name)
            : graph_.add_output(node, defined.kind, expression_of(defined, at), name);
    contents_.scope.define(defined.name, added, at);
  }

  std::shared_ptr<ir::Graph> subgraph(JsonValue json) {
    auto graph = std::make_shared<ir::Graph>();
    GraphReader(json, expressions_, *graph).read(/*is_subgraph=*/true);
    return graph;
  }

  JsonValue json_;
  ExpressionReader& expressions_;
  ir::Graph& graph_;
  GraphContents contents_;
};

bool is_own_code(std::string_view frame) {
  for (const std::string_view foreign : {"-packages/", "/torch/", "\"torch/", "\"<"}) {
    if (frame.find(foreign) != std::string_view::npos) return false;
  }
  return true;
}

}  // namespace

GraphContents read_graph(JsonValue json, ExpressionReader& expressions, ir::Graph& graph) {
  return GraphReader(json, expressions, graph).read(/*is_subgraph=*/false);
}

std::string own_frame(std::string_view stack_trace) {
  std::string_view frame;
  std::string_view source;
  bool frame_is_own = false;
  bool takes_source = false;
  while (!stack_trace.empty()) {
    const size_t end = std::min(stack_trace.find('\n'), stack_trace.size());
    const std::string_view line = trimmed(stack_trace.substr(0, end));
    stack_trace.remove_prefix(std::min(end + 1, stack_trace.size()));
    if (line.starts_with("File \"")) {
      const bool own = is_own_code(line);
      takes_source = own || !frame_is_own;
      if (takes_source) {
        frame = line;
        source = {};
        frame_is_own = own;
      }
    } else if (takes_source && source.empty()) {
      source = line;
    }
  }
  if (source.empty()) return std::string(frame);
  return fmt::format("{}\n    {}", frame, source);
}

}  // namespace slipway::pt2
