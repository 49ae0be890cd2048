#include "pt2/archive_source.h"

#include <unordered_set>

#include "base/try.h"

namespace slipway::pt2 {
namespace {

// The names of all that is an input of the graph and has data.
std::vector<std::string> input_targets(JsonValue signature) {
  std::vector<std::string> targets;
  for (JsonValue spec : signature["input_specs"].items()) {
    const auto [tag, body] = spec.to_union();
    for (const char* key :
         {"parameter_name", "buffer_name", "tensor_constant_name", "custom_obj_name"}) {
      const JsonValue target = body.find(key);
      if (!target.is_none()) targets.push_back(target.to_string());
    }
  }
  return targets;
}

}  // namespace

SourceGraph::SourceGraph(JsonValue graph)
    : json_(graph),
      tensors_(members(graph.find("tensor_values"))),
      sym_floats_(members(graph.find("sym_float_values"))),
      sym_bools_(members(graph.find("sym_bool_values"))),
      objects_(members(graph.find("custom_obj_values"))) {
  for (JsonValue node : graph["nodes"].items()) {
    const JsonValue name = node.find("name");
    if (!name.is_none()) nodes_.try_emplace(name.to_string_view(), node);
    const JsonValue modules = node.find("metadata").find("nn_module_stack");
    if (outermost_module_.empty() && !modules.is_none()) {
      outermost_module_ = modules.to_string_view();
      outermost_module_ = outermost_module_.substr(0, outermost_module_.find(';'));
    }
    for (JsonValue output : node["outputs"].items()) {
      const auto [tag, value] = output.to_union();
      if (tag == "as_tensor") nodes_.try_emplace(value["name"].to_string_view(), node);
      if (tag == "as_tensors") {
        for (JsonValue item : value.items()) {
          nodes_.try_emplace(item["name"].to_string_view(), node);
        }
      }
    }
  }
}

SourceGraph::Members SourceGraph::members(JsonValue object) {
  Members result;
  if (object.is_none()) return result;
  for (auto [name, value] : object.members()) result.insert_or_assign(name, value);
  return result;
}

JsonValue SourceGraph::find(const Members& members, std::string_view name) {
  const auto found = members.find(name);
  return found == members.end() ? JsonValue() : found->second;
}

JsonValue SourceGraph::node(const ir::Node& node) const {
  JsonValue found = find(nodes_, node.origin());
  // Archives before torch 2.9 don't name nodes.
  if (found.is_absent() && !node.outputs().empty()) {
    found = find(nodes_, node.outputs().front()->name());
  }
  return found;
}

std::string SourceGraph::object_type(const std::string& name) const {
  const JsonValue object = find(objects_, name);
  return object.is_none() ? std::string() : object["class_fqn"].to_string();
}

Result<ArchiveSource> ArchiveSource::open(const ir::Program& program) {
  ArchiveSource source;
  if (program.archive.bytes.empty()) return source;
  SLIPWAY_ASSIGN_OR_RETURN(ZipReader archive, ZipReader::open(program.archive, program.source));
  SLIPWAY_RETURN_IF_ERROR(source.read(archive));
  return source;
}

Status ArchiveSource::read(ZipReader& archive) {
  SLIPWAY_ASSIGN_OR_RETURN(const ArchiveLayout layout, find_layout(archive));
  SLIPWAY_ASSIGN_OR_RETURN(model_, read_json(archive, layout.model));

  targets_ = input_targets(graph_module()["signature"]);
  const std::unordered_set<std::string_view> inputs(targets_.begin(), targets_.end());
  const WeightFilter is_other = [&](std::string_view name) { return !inputs.contains(name); };
  const auto read_weights = layout.pickled ? read_torch_save : read_payloads;
  SLIPWAY_ASSIGN_OR_RETURN(other_state_, read_weights(archive, layout.state, is_other));
  SLIPWAY_ASSIGN_OR_RETURN(other_constants_, read_weights(archive, layout.constants, is_other));
  if (!layout.pickled) {
    SLIPWAY_RETURN_IF_ERROR(read_payloads_of(archive, layout.constants, constants_config_));
    SLIPWAY_RETURN_IF_ERROR(read_payloads_of(archive, layout.state, state_config_));
  }

  if (archive.find(layout.sample_inputs) != nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(sample_inputs_, archive.read(layout.sample_inputs));
  }
  // torch 2.7 has no folder around all.
  const std::string extra = layout.root.empty() ? "extra_files/" : layout.root + "extra/";
  for (const ZipEntry& entry : archive.entries()) {
    if (!entry.name.starts_with(extra) || entry.name.ends_with('/')) continue;
    SLIPWAY_ASSIGN_OR_RETURN(OwnedSpan content, archive.read(entry));
    extra_files_.emplace_back(entry.name.substr(extra.size()), std::move(content));
  }
  return model_->status();
}

Status ArchiveSource::read_payloads_of(ZipReader& archive, const std::string& config,
                                       std::unique_ptr<JsonDocument>& document) {
  SLIPWAY_ASSIGN_OR_RETURN(document, read_json(archive, config));
  for (auto [name, payload] : document->root()["config"].members()) {
    payloads_.insert_or_assign(name, payload);
  }
  return document->status();
}

JsonValue ArchiveSource::root() const { return model_ ? model_->root() : JsonValue(); }

JsonValue ArchiveSource::graph_module() const {
  return model_ ? model_->root()["graph_module"] : JsonValue();
}

JsonValue ArchiveSource::payload(const std::string& target) const {
  const auto found = payloads_.find(target);
  return found == payloads_.end() ? JsonValue() : found->second;
}

}  // namespace slipway::pt2
