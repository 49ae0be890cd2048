#include "pt2/graph_writer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"
#include "ir/default_argument.h"
#include "pt2/graph_reader.h"
#include "pt2/tensor_meta.h"
#include "schema/schema.h"

namespace slipway::pt2 {
namespace {

constexpr int kPositional = 1;
constexpr int kKeyword = 2;

const std::map<ir::SymInt, ir::Value*>& sizes_of(const SizeValues& sizes, const ir::Graph& graph) {
  static const std::map<ir::SymInt, ir::Value*> kNone;
  const auto found = sizes.find(&graph);
  return found == sizes.end() ? kNone : found->second;
}

bool is_default(const ir::Argument& argument, const schema::Parameter& parameter) {
  const auto standard = ir::default_argument(parameter);
  return standard && *standard == argument;
}

// Whether the archive's call has a number where its operator has a tensor, for which the reader
// takes another overload.
bool gives_number_for_tensor(JsonValue source, const schema::Schema& schema) {
  size_t i = 0;
  for (JsonValue input : source["inputs"].items()) {
    const auto place = schema.find(input["name"].to_string_view()).value_or(i++);
    if (place >= schema.parameters.size()) return false;
    const schema::Type& type = schema.parameters[place].type;
    const std::string_view tag = input["arg"].to_union().first;
    if (type.base == schema::BaseType::kTensor && !type.list && tag != "as_tensor" &&
        tag != "as_none" && tag != "as_optional_tensor") {
      return true;
    }
  }
  return false;
}

// The argument of the node that each input of the archive's call stands for, where the node still
// is that call but for values; nothing where it is not.
std::optional<std::vector<size_t>> places_of_inputs(const ir::Node& node, JsonValue source) {
  if (source.is_absent()) return std::nullopt;
  const std::string op = operator_name(source["target"].to_string_view());
  const schema::Schema* schema = schema::find_operator(node.op());
  std::vector<size_t> places;
  if (schema == nullptr) {
    if (op != node.op() || source["inputs"].size() != node.args().size()) return std::nullopt;
    for (size_t i = 0; i < node.args().size(); ++i) places.push_back(i);
    return places;
  }
  bool is_swapped = false;
  if (op != node.op()) {
    const schema::Schema* own = schema::find_operator(op);
    if (own == nullptr || !gives_number_for_tensor(source, *own)) return std::nullopt;
    is_swapped = op == "aten.sub.Tensor" && node.op() == "aten.rsub.Scalar";
    if (!is_swapped && own->name != schema->name) return std::nullopt;
  }
  std::vector<bool> given(node.args().size());
  for (JsonValue input : source["inputs"].items()) {
    size_t place = schema->find(input["name"].to_string_view()).value_or(places.size());
    if (is_swapped && place < 2) place = 1 - place;
    if (place >= given.size() || given[place]) return std::nullopt;
    given[place] = true;
    places.push_back(place);
  }
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i] && !is_default(node.arg(i), schema->parameters[i])) return std::nullopt;
  }
  return places;
}

// An input of a call.
struct NamedInput {
  std::string name;
  const ir::Argument* argument = nullptr;
  bool is_keyword = false;
  JsonValue source = {};  // what the archive has there
};

std::vector<NamedInput> inputs_as_in(JsonValue source, const std::vector<size_t>& places,
                                     const ir::Node& node) {
  std::vector<NamedInput> inputs;
  for (JsonValue input : source["inputs"].items()) {
    const size_t place = places[inputs.size()];
    const JsonValue kind = input.find("kind");
    inputs.push_back({.name = input["name"].to_string(),
                      .argument = &node.arg(place),
                      .is_keyword = !kind.is_none() && kind.to_int() == kKeyword,
                      .source = input["arg"]});
  }
  return inputs;
}

// All up to the last one that is not its default, and keywords that are not.
std::vector<NamedInput> inputs_by_schema(const schema::Schema& schema, const ir::Node& node) {
  const auto& parameters = schema.parameters;
  size_t positional = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].keyword_only && !is_default(node.arg(i), parameters[i])) positional = i + 1;
  }
  std::vector<NamedInput> inputs;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool is_keyword = parameters[i].keyword_only;
    if (is_keyword ? is_default(node.arg(i), parameters[i]) : i >= positional) continue;
    inputs.push_back(
        {.name = parameters[i].name, .argument = &node.arg(i), .is_keyword = is_keyword});
  }
  return inputs;
}

Result<std::vector<NamedInput>> inputs_of(const ir::Node& node, JsonValue source,
                                          const WriteOptions& options) {
  if (const auto places = places_of_inputs(node, source)) {
    return inputs_as_in(source, *places, node);
  }
  if (const schema::Schema* schema = schema::find_operator(node.op())) {
    return inputs_by_schema(*schema, node);
  }
  std::vector<NamedInput> inputs;
  const auto form = options.operators.find(node.op());
  const bool is_named =
      form != options.operators.end() && form->second.parameters.size() == node.args().size();
  // Higher-order operators and functions of Python take what they are given without names.
  if (!is_named && !node.op().starts_with("higher_order.") && target_of(node.op()) != node.op()) {
    return unsupported("neither Slipway nor the archive knows what its {} arguments are called",
                       node.args().size());
  }
  for (const ir::Argument& argument : node.args()) {
    inputs.push_back(
        {.name = is_named ? form->second.parameters[inputs.size()] : "", .argument = &argument});
  }
  return inputs;
}

// One entry of a call's results: a value, a list of them, or the None of a call without results.
struct ResultGroup {
  size_t size = 1;
  bool is_list = false;
  bool is_none = false;
  bool is_number = false;  // an integer without a name
};

std::vector<ResultGroup> results_as_in(JsonValue source) {
  std::vector<ResultGroup> groups;
  for (JsonValue output : source["outputs"].items()) {
    const auto [tag, value] = output.to_union();
    ResultGroup& group = groups.emplace_back();
    if (tag == "as_tensors") group = {.size = value.size(), .is_list = true};
    if (tag == "as_none") group.is_none = true;
    if (tag == "as_sym_int") group.is_number = value.find("as_name").is_none();
  }
  return groups;
}

std::vector<ResultGroup> results_by_schema(const ir::Node& node, const WriteOptions& options) {
  const size_t count = node.outputs().size();
  if (const schema::Schema* schema = schema::find_operator(node.op())) {
    std::vector<ResultGroup> groups;
    for (const schema::Type& type : schema->returns) groups.push_back({.is_list = type.list});
    const auto list = std::find_if(groups.begin(), groups.end(),
                                   [](const ResultGroup& group) { return group.is_list; });
    if (list != groups.end() && count + 1 >= groups.size()) list->size = count + 1 - groups.size();
    size_t total = 0;
    for (const ResultGroup& group : groups) total += group.size;
    if (total == count) return groups;
  }
  const auto form = options.operators.find(node.op());
  if (form != options.operators.end() && form->second.gives_list) {
    return {{.size = count, .is_list = true}};
  }
  return std::vector<ResultGroup>(count);
}

std::vector<ResultGroup> results_of(const ir::Node& node, JsonValue source,
                                    const WriteOptions& options) {
  if (!source.is_absent() && places_of_inputs(node, source)) {
    auto groups = results_as_in(source);
    size_t count = 0;
    for (const ResultGroup& group : groups) count += group.size;
    const bool is_only_none = groups.size() == 1 && groups[0].is_none && node.outputs().empty();
    if (count == node.outputs().size() || is_only_none) return groups;
  }
  return results_by_schema(node, options);
}

// Whether the text that the program keeps of it is the node's; nodes of a sub-graph may be named
// like others.
bool is_metadata_of(const ir::Node& node, JsonValue metadata) {
  const JsonValue trace = metadata.find("stack_trace");
  return trace.is_none() || node.stack_trace().empty() ||
         own_frame(trace.to_string_view()) == node.stack_trace();
}

// Whether its results lie in memory as what it is given does: it is no view, and has no layout of
// its own.
bool follows_layout(const ir::Node& node) {
  const schema::Schema* schema = schema::find_operator(node.op());
  return schema != nullptr &&
         std::all_of(schema->returns.begin(), schema->returns.end(),
                     [](const schema::Type& type) { return type.alias.empty(); }) &&
         std::none_of(node.args().begin(), node.args().end(), [](const ir::Argument& argument) {
           const auto* format = std::get_if<ir::MemoryFormat>(&argument);
           return format != nullptr && format->kind != ir::MemoryFormat::kPreserve;
         });
}

// What the archive does not have is given the module that PyTorch's unflatten asks for.
void write_metadata(const ir::Node& node, JsonValue source, std::string_view outermost_module,
                    JsonWriter& json) {
  const JsonValue metadata = source.find("metadata");
  if (!metadata.is_none() && is_metadata_of(node, metadata)) {
    json.copy(metadata);
    return;
  }
  json.begin_object();
  if (!outermost_module.empty()) json.key("nn_module_stack").value(outermost_module);
  if (!node.stack_trace().empty()) json.key("stack_trace").value(node.stack_trace());
  json.end_object();
}

}  // namespace

GraphWriter::GraphWriter(const ir::Graph& graph, const SourceGraph& source,
                         GraphWriterContext& context)
    : graph_(graph),
      source_(source),
      context_(context),
      names_(graph),
      arguments_(names_, sizes_of(context.sizes, graph), source) {
  find_moved();
}

Status GraphWriter::write(const std::vector<const ir::Input*>& inputs, JsonWriter& json) {
  json.begin_object().key("inputs").begin_array();
  for (const ir::Input* input : inputs) {
    if (input->value != nullptr) {
      arguments_.write(input->value, json);
    } else {
      SLIPWAY_RETURN_IF_ERROR(arguments_.write(input->literal, json));
    }
  }
  json.end_array();
  return write_contents(/*is_single_tensor_return=*/false, json);
}

// Inputs that hold nothing are the archive's literals, in its order.
Status GraphWriter::write_subgraph(JsonWriter& json) {
  std::vector<JsonValue> literals;
  if (!source_.json().is_absent()) {
    for (JsonValue input : source_.json()["inputs"].items()) {
      const auto [tag, value] = input.to_union();
      const bool has_name = value.kind() == JsonValue::Kind::kObject &&
                            (!value.find("name").is_none() || !value.find("as_name").is_none());
      if (!has_name) literals.push_back(input);
    }
  }
  size_t next = 0;
  json.begin_object().key("inputs").begin_array();
  for (const ir::Value* input : graph_.inputs()) {
    if (input->kind() != ir::ValueKind::kAbsent) {
      arguments_.write(input, json);
    } else if (next < literals.size()) {
      json.copy(literals[next++]);
    } else {
      return internal_error("a sub-graph has a literal that the archive does not have");
    }
  }
  json.end_array();
  const JsonValue single = source_.json().find("is_single_tensor_return");
  const bool is_single = single.kind() == JsonValue::Kind::kBool && single.to_bool();
  return write_contents(is_single && graph_.outputs().size() == 1, json);
}

Status GraphWriter::write_contents(bool is_single_tensor_return, JsonWriter& json) {
  json.key("outputs").begin_array();
  for (const ir::Argument& output : graph_.outputs()) {
    SLIPWAY_RETURN_IF_ERROR(arguments_.write(output, json));
  }
  json.end_array().key("nodes").begin_array();
  for (const auto& node : graph_.nodes()) {
    if (const Status status = write_node(*node, json); !status.ok()) {
      return status.error().with_context(fmt::format("node {} ({})", node->name(), node->op()));
    }
  }
  json.end_array();
  SLIPWAY_RETURN_IF_ERROR(write_values(json));
  json.key("is_single_tensor_return").value(is_single_tensor_return).end_object();
  return {};
}

Status GraphWriter::write_node(const ir::Node& node, JsonWriter& json) {
  if (node.op().starts_with("slipway.")) return unsupported("archives have no such operator");
  const JsonValue source = source_.node(node);
  const bool is_same_call = places_of_inputs(node, source).has_value();
  json.begin_object().key("target");
  json.value(is_same_call ? source["target"].to_string() : target_of(node.op()));
  json.key("inputs").begin_array();
  SLIPWAY_RETURN_IF_ERROR(write_inputs(node, source, json));
  json.end_array().key("outputs").begin_array();

  const auto groups = results_of(node, source, context_.options);
  auto result = node.outputs().begin();
  for (const ResultGroup& group : groups) {
    if (group.is_list) {
      json.begin_object().key("as_tensors").begin_array();
      for (size_t i = 0; i < group.size; ++i) {
        json.begin_object().key("name").value(names_[*result++]).end_object();
      }
      json.end_array().end_object();
    } else if (group.is_none) {
      json.begin_object().key("as_none").value(true).end_object();
      if (result != node.outputs().end()) ++result;
    } else if (group.is_number && (*result)->expression().is_constant()) {
      json.begin_object().key("as_sym_int").begin_object().key("as_int");
      json.value(*(*result++)->expression().constant()).end_object().end_object();
    } else {
      arguments_.write(*result++, json);
    }
  }
  json.end_array().key("metadata");
  write_metadata(node, source, source_.outermost_module(), json);

  // PyTorch names a node with one result after that, and others for themselves.
  const JsonValue is_single =
      is_same_call ? source.find("is_hop_single_tensor_return") : JsonValue();
  const bool is_tuple = is_single.kind() == JsonValue::Kind::kBool && !is_single.to_bool();
  const bool is_its_value =
      node.outputs().size() == 1 && groups.size() == 1 && !groups[0].is_list && !is_tuple;
  json.key("is_hop_single_tensor_return").copy(is_single);
  json.key("name").value(is_its_value ? names_[node.output()] : names_.add(node.name()));
  json.end_object();
  return {};
}

Status GraphWriter::write_inputs(const ir::Node& node, JsonValue source, JsonWriter& json) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto inputs, inputs_of(node, source, context_.options));
  for (const NamedInput& input : inputs) {
    json.begin_object().key("name").value(input.name).key("arg");
    const auto* layout = std::get_if<ir::Layout>(input.argument);
    const auto* graph = std::get_if<std::shared_ptr<ir::Graph>>(input.argument);
    if (layout != nullptr && !layout->strided && !input.source.is_absent()) {
      json.copy(input.source);  // The program does not keep which one it is.
    } else if (graph != nullptr) {
      SLIPWAY_RETURN_IF_ERROR(write_graph_argument(node, input.source, **graph, json));
    } else {
      SLIPWAY_RETURN_IF_ERROR(arguments_.write(*input.argument, json));
    }
    json.key("kind").value(input.is_keyword ? kKeyword : kPositional).end_object();
  }
  return {};
}

Status GraphWriter::write_graph_argument(const ir::Node& node, JsonValue source,
                                         const ir::Graph& graph, JsonWriter& json) {
  const auto [tag, argument] = source.to_union();
  const bool is_known = tag == "as_graph";
  const std::string name =
      is_known ? argument["name"].to_string() : names_.add(node.name() + "_graph");
  const SourceGraph inner = is_known ? SourceGraph(argument["graph"]) : SourceGraph();
  json.begin_object().key("as_graph").begin_object().key("name").value(name).key("graph");
  SLIPWAY_RETURN_IF_ERROR(GraphWriter(graph, inner, context_).write_subgraph(json));
  json.end_object().end_object();
  return {};
}

// Whether the archive has it in memory otherwise than its sizes say.
bool GraphWriter::is_strided(const ir::Value& value) {
  const JsonValue source = source_.tensor_meta(value.name());
  if (source.is_absent()) return false;
  const ir::TensorType type = context_.reader.read_tensor_type(source);
  return type.strides != ir::contiguous_strides(type.sizes);
}

// What engines give is contiguous, and so is what follows from that alone.
void GraphWriter::find_moved() {
  if (context_.options.operators.empty()) return;
  for (const auto& node : graph_.nodes()) {
    const bool is_new = context_.options.operators.contains(node->op());
    bool takes_moved = is_new;
    bool takes_others = false;
    if (!is_new && follows_layout(*node)) {
      for (const ir::Argument& argument : node->args()) {
        ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
          if (!value->is_tensor()) return;
          takes_moved = takes_moved || moved_.contains(value);
          takes_others = takes_others || (!moved_.contains(value) && is_strided(*value));
        });
      }
    }
    if (!takes_moved || takes_others) continue;
    for (const ir::Value* output : node->outputs()) {
      if (output->is_tensor() && is_strided(*output)) moved_.insert(output);
    }
  }
}

void GraphWriter::write_tensor_meta(const ir::Value& value, JsonWriter& json) {
  const ir::TensorType& type = value.type();
  const JsonValue source = source_.tensor_meta(value.name());
  const bool is_new =
      value.producer() != nullptr && context_.options.operators.contains(value.producer()->op());
  auto strides = type.strides.empty() ? ir::contiguous_strides(type.sizes) : type.strides;
  if (!source.is_absent() && !is_new && !moved_.contains(&value)) {
    ir::TensorType known = context_.reader.read_tensor_type(source);
    auto known_strides = known.strides;
    if (type.strides.empty()) known.strides.clear();
    if (known == type) {
      if (!context_.expressions.has_moved(type.sizes)) {
        json.copy(source);
        return;
      }
      if (!known_strides.empty()) strides = std::move(known_strides);
    }
  }
  const auto write_all = [&](const std::vector<ir::SymInt>& items) {
    json.begin_array();
    for (const ir::SymInt& item : items) context_.expressions.write(item, json);
    json.end_array();
  };
  json.begin_object().key("dtype").value(scalar_type_of(type.dtype)).key("sizes");
  write_all(type.sizes);
  json.key("requires_grad").value(!source.is_absent() && source["requires_grad"].to_bool());
  json.key("device");
  if (source.is_absent()) {
    write_device(context_.options.device, json);
  } else {
    json.copy(source["device"]);
  }
  json.key("strides");
  write_all(strides);
  json.key("storage_offset").begin_object().key("as_int").value(0).end_object();
  json.key("layout").value(kStridedLayout).end_object();
}

// The types of all values, by kind.
Status GraphWriter::write_values(JsonWriter& json) {
  std::vector<const ir::Value*> values(graph_.inputs().begin(), graph_.inputs().end());
  for (const auto& node : graph_.nodes()) {
    values.insert(values.end(), node->outputs().begin(), node->outputs().end());
  }
  const auto write_kind = [&](const char* key, ir::ValueKind kind, const auto& write_one) {
    Status status;
    json.key(key).begin_object();
    for (const ir::Value* value : values) {
      if (value->kind() != kind || !status.ok()) continue;
      json.key(names_[value]);
      status = write_one(*value);
    }
    json.end_object();
    return status;
  };
  // The program has no expressions of floats and bools.
  const auto copy = [&](const ir::Value& value, JsonValue source) -> Status {
    if (source.is_absent()) {
      return unsupported("{} is a symbolic number that the archive does not have", value.name());
    }
    json.copy(source);
    return {};
  };
  SLIPWAY_RETURN_IF_ERROR(
      write_kind("tensor_values", ir::ValueKind::kTensor, [&](const auto& value) {
        write_tensor_meta(value, json);
        return Status();
      }));
  SLIPWAY_RETURN_IF_ERROR(
      write_kind("sym_int_values", ir::ValueKind::kSymInt, [&](const auto& value) {
        context_.expressions.write(value.expression(), json);
        return Status();
      }));
  SLIPWAY_RETURN_IF_ERROR(write_kind(
      "sym_bool_values", ir::ValueKind::kSymBool,
      [&](const ir::Value& value) { return copy(value, source_.sym_bool(value.name())); }));
  SLIPWAY_RETURN_IF_ERROR(
      write_kind("custom_obj_values", ir::ValueKind::kCustomObject, [&](const ir::Value& value) {
        arguments_.write_object(&value, json);
        return Status();
      }));
  return write_kind("sym_float_values", ir::ValueKind::kSymFloat, [&](const ir::Value& value) {
    return copy(value, source_.sym_float(value.name()));
  });
}

}  // namespace slipway::pt2
