#include "pt2/program_writer.h"

#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <string_view>

#include <fmt/core.h>

#include "base/error.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/try.h"
#include "pt2/archive_source.h"
#include "pt2/expression_writer.h"
#include "pt2/graph_writer.h"
#include "pt2/model_reader.h"
#include "pt2/range_reader.h"
#include "pt2/signature_writer.h"
#include "pt2/size_nodes.h"
#include "pt2/tree_writer.h"
#include "pt2/weights_writer.h"
#include "pt2/zip_writer.h"

namespace slipway::pt2 {
namespace {

constexpr int kSchemaMinor = 20;
constexpr int kOperatorSet = 10;

void write_bound(const std::optional<int64_t>& bound, JsonWriter& json) {
  if (bound) {
    json.value(*bound);
  } else {
    json.null();
  }
}

// What the archive that was read says, but for symbols whose range has changed since.
void write_ranges(const ir::SymbolRanges& ranges, JsonValue source, JsonWriter& json) {
  const ir::SymbolRanges read = source.is_absent() ? ir::SymbolRanges() : read_ranges(source);
  std::map<std::string, ir::Range> changed;
  for (const auto& [symbol, range] : ranges) {
    const auto before = read.find(symbol);
    if (before == read.end() || before->second != range) changed.emplace(symbol, range);
  }
  json.begin_object();
  if (!source.is_absent()) {
    for (auto [key, constraint] : source.members()) {
      if (changed.contains(std::string(key))) continue;
      json.key(key).begin_object();
      for (const char* end : {"min_val", "max_val"}) {
        // Bounds past 64 bits are none.
        const JsonValue bound = constraint.find(end);
        json.key(end).copy(bound.kind() == JsonValue::Kind::kInt ? bound : JsonValue());
      }
      json.end_object();
    }
  }
  for (const auto& [symbol, range] : changed) {
    json.key(symbol).begin_object().key("min_val");
    write_bound(range.min, json);
    json.key("max_val");
    write_bound(range.max, json);
    json.end_object();
  }
  json.end_object();
}

// Whether the graph still has all that the signature of a module's call names.
bool names_values_of(JsonValue signature, const NameTable& names) {
  for (const char* side : {"inputs", "outputs"}) {
    for (JsonValue argument : signature[side].items()) {
      const auto [tag, value] = argument.to_union();
      if (value.kind() != JsonValue::Kind::kObject) continue;
      for (const char* key : {"name", "as_name"}) {
        const JsonValue name = value.find(key);
        if (!name.is_none() && !names.is_taken(name.to_string())) return false;
      }
    }
  }
  return true;
}

Status write_calls(const ir::Program& program, JsonValue source, const NameTable& names,
                   JsonWriter& json) {
  json.begin_array();
  if (source.is_absent()) {
    json.begin_object().key("fqn").value("").key("signature").begin_object();
    json.key("inputs").begin_array().end_array().key("outputs").begin_array().end_array();
    SLIPWAY_ASSIGN_OR_RETURN(const std::string in_spec, write_tree(program.input_tree));
    SLIPWAY_ASSIGN_OR_RETURN(const std::string out_spec, write_tree(program.output_tree));
    json.key("in_spec").value(in_spec).key("out_spec").value(out_spec);
    json.key("forward_arg_names").null().end_object().end_object();
  } else {
    for (JsonValue entry : source.items()) {
      const JsonValue signature = entry.find("signature");
      const bool is_whole = signature.is_none() || names_values_of(signature, names);
      json.begin_object().key("fqn").copy(entry["fqn"]);
      json.key("signature").copy(is_whole ? signature : JsonValue()).end_object();
    }
  }
  json.end_array();
  return {};
}

// models/model.json
Result<JsonWriter> write_model(const ir::Program& program, const SizeValues& sizes,
                               const std::map<const ir::Input*, std::string>& targets,
                               const ArchiveSource& source, const WriteOptions& options,
                               const ExpressionWriter& expressions) {
  const std::vector<const ir::Input*> inputs = ordered_inputs(program);
  const JsonValue module = source.graph_module();
  SourceGraph source_graph;
  if (!module.is_absent()) {
    source_graph = SourceGraph(module["graph"]);
  }
  GraphWriterContext context{.sizes = sizes, .expressions = expressions, .options = options};
  GraphWriter graph(*program.graph, source_graph, context);
  for (const ir::Input* input : inputs) {
    if (input->kind != ir::InputKind::kCustomObject) continue;
    graph.arguments().set_object_type(input->value, input->object_type);
  }

  JsonWriter json;
  const auto copy_or = [&](const char* key, JsonValue parent, const auto& write_default) {
    json.key(key);
    const JsonValue value = parent.find(key);
    if (value.is_none()) {
      write_default();
    } else {
      json.copy(value);
    }
  };
  const auto write_object = [&] { json.begin_object().end_object(); };
  json.begin_object().key("graph_module").begin_object().key("graph");
  SLIPWAY_RETURN_IF_ERROR(graph.write(inputs, json));
  json.key("signature");
  SLIPWAY_RETURN_IF_ERROR(
      write_signature(program, inputs, targets, graph.names(), graph.arguments(), json));
  json.key("module_call_graph");
  SLIPWAY_RETURN_IF_ERROR(
      write_calls(program, module.find("module_call_graph"), graph.names(), json));
  copy_or("metadata", module, write_object);
  copy_or("treespec_namedtuple_fields", module, write_object);
  json.end_object();

  const JsonValue root = source.root();
  copy_or("opset_version", root,
          [&] { json.begin_object().key("aten").value(kOperatorSet).end_object(); });
  json.key("range_constraints");
  write_ranges(program.ranges, root.find("range_constraints"), json);
  json.key("schema_version").begin_object();
  json.key("major").value(kSchemaMajor).key("minor").value(kSchemaMinor).end_object();
  json.key("verifiers").begin_array().value(program.dialect).end_array();
  if (!program.torch_version.empty()) json.key("torch_version").value(program.torch_version);
  copy_or("guards_code", root, [&] { json.begin_array().end_array(); });
  json.end_object();
  return json;
}

// The data of the inputs by their names in the archive, as a reader finds them there.
void collect_weights(const ir::Program& program,
                     const std::map<const ir::Input*, std::string>& targets, Weights& state,
                     Weights& constants) {
  for (const ir::Input& input : program.inputs) {
    if (input.data) {
      (is_in_state(input) ? state : constants).tensors.emplace(targets.at(&input), *input.data);
    } else if (input.kind == ir::InputKind::kCustomObject) {
      constants.objects.emplace(targets.at(&input), input.object);
    }
  }
}

OwnedSpan as_bytes(const std::string& text) {
  return {std::as_bytes(std::span<const char>(text)), nullptr};
}

// Checks that a reader of the model finds the signature that was meant.
class ModelCheck {
 public:
  ModelCheck(const ir::Program& program, const std::map<const ir::Input*, std::string>& targets)
      : program_(program), targets_(targets), names_(*program.graph) {}

  // Of the model without its long texts, which only calls of operators have.
  Status check(const std::string& model) const {
    Weights state;
    Weights constants;
    collect_weights(program_, targets_, state, constants);
    const std::string name = program_.source + " as it is written";
    SLIPWAY_ASSIGN_OR_RETURN(const auto document, JsonDocument::parse(as_bytes(model), name));
    SLIPWAY_ASSIGN_OR_RETURN(const ir::Program read, read_model(*document, name, state, constants));
    const std::vector<const ir::Input*> inputs = ordered_inputs(program_);
    if (read.inputs.size() != inputs.size() || read.outputs.size() != program_.outputs.size()) {
      return invalid_file("it has {} inputs and {} outputs instead of {} and {}",
                          read.inputs.size(), read.outputs.size(), inputs.size(),
                          program_.outputs.size());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!is_same(*inputs[i], read.inputs[i])) {
        return invalid_file("input {} is not {}", i, inputs[i]->name);
      }
    }
    for (size_t i = 0; i < program_.outputs.size(); ++i) {
      const bool same = is_same(program_.outputs[i], read.outputs[i]) &&
                        is_same(program_.graph->outputs()[i], read.graph->outputs()[i]);
      if (!same) return invalid_file("output {} is not the program's", i);
    }
    if (read.input_tree != program_.input_tree || read.output_tree != program_.output_tree) {
      return invalid_file("its inputs or outputs nest otherwise");
    }
    return {};
  }

 private:
  std::string target(const ir::Input& input) const {
    const auto found = targets_.find(&input);
    return found == targets_.end() ? input.target : found->second;
  }
  bool is_same(const ir::Value* meant, const ir::Value* read) const {
    if (meant == nullptr || read == nullptr) return meant == read;
    return names_[meant] == read->name() && meant->kind() == read->kind() &&
           (!meant->is_tensor() ||
            (meant->dtype() == read->dtype() && meant->sizes() == read->sizes()));
  }
  bool is_same(const ir::Input& meant, const ir::Input& read) const {
    return meant.kind == read.kind && target(meant) == read.target &&
           meant.persistent == read.persistent && meant.object_type == read.object_type &&
           is_same(meant.literal, read.literal) && is_same(meant.value, read.value);
  }
  bool is_same(const ir::Output& meant, const ir::Output& read) const {
    if (meant.kind != read.kind) return false;
    for (const ir::Input& input : program_.inputs) {
      if (meant.kind == ir::OutputKind::kBufferMutation && input.target == meant.target) {
        return read.target == target(input);
      }
      if (meant.kind == ir::OutputKind::kUserInputMutation && input.name == meant.target) {
        return read.target == names_[input.value];
      }
    }
    return meant.target == read.target;
  }
  // Integers are named by any value that holds them.
  bool is_same(const ir::Argument& meant, const ir::Argument& read) const {
    const auto* value = std::get_if<ir::Value*>(&meant);
    const auto* other = std::get_if<ir::Value*>(&read);
    if (value != nullptr && other != nullptr) return is_same(*value, *other);
    const auto* number = std::get_if<double>(&meant);
    const auto* found = std::get_if<double>(&read);
    const bool both_nan = number && found && std::isnan(*number) && std::isnan(*found);
    return value == nullptr && other == nullptr && (meant == read || both_nan);
  }

  const ir::Program& program_;
  const std::map<const ir::Input*, std::string>& targets_;
  NameTable names_;
};

}  // namespace

Result<ByteSource> write_program(const ir::Program& program, const WriteOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const ArchiveSource source, ArchiveSource::open(program));
  ir::Program written = program.clone();
  const auto sizes = add_size_nodes(written);
  if (!sizes.ok()) return sizes.error().with_context(program.source);
  const auto targets = target_names(written, source);
  ExpressionWriter expressions(program.hints, program.ranges);
  if (const JsonValue module = source.graph_module(); !module.is_absent()) {
    expressions.learn(module["graph"]);
  }
  auto model = write_model(written, *sizes, targets, source, options, expressions);
  if (!model.ok()) return model.error().with_context(program.source);
  if (const Status checked = ModelCheck(written, targets).check(model->text()); !checked.ok()) {
    return internal_error("{}: nothing is written, because it would be read otherwise: {}",
                          program.source, checked.error().message());
  }

  ZipWriter zip(options.root);
  write_payloads(written, targets, source, options, zip);
  zip.add("models/model.json", model->take_source());
  // Inputs of sizes that the program no longer takes are no examples of it.
  zip.add("data/sample_inputs/model.pt",
          expressions.has_moved() ? ByteSource() : ByteSource(source.sample_inputs()));
  zip.add("archive_format", std::string("pt2"));
  zip.add("archive_version", std::string("0"));
  std::map<std::string, OwnedSpan> extra(source.extra_files().begin(), source.extra_files().end());
  for (const auto& [name, content] : options.extra_files) extra.insert_or_assign(name, content);
  for (const auto& [name, content] : extra) zip.add("extra/" + name, ByteSource(content));
  zip.add(".data/version", std::string("6\n"));
  zip.add("byteorder", std::string("little"));
  zip.add_serialization_id(".data/serialization_id");
  return std::move(zip).finish();
}

}  // namespace slipway::pt2
