#include "pt2/archive_source.h"

#include <unordered_set>

#include <fmt/format.h>

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
  SLIPWAY_RETURN_IF_ERROR(source.read(archive, program));
  return source;
}

Status ArchiveSource::read(ZipReader& archive, const ir::Program& program) {
  SLIPWAY_ASSIGN_OR_RETURN(const ArchiveLayout layout, find_layout(archive));
  SLIPWAY_ASSIGN_OR_RETURN(model_, read_json(archive, layout.model));
  targets_ = input_targets(graph_module()["signature"]);
  if (!layout.pickled) {
    SLIPWAY_RETURN_IF_ERROR(read_payloads_of(archive, layout.constants, constants_config_));
    SLIPWAY_RETURN_IF_ERROR(read_payloads_of(archive, layout.state, state_config_));
  }
  SLIPWAY_RETURN_IF_ERROR(read_others(archive, layout, program));

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

Status ArchiveSource::read_others(ZipReader& archive, const ArchiveLayout& layout,
                                  const ir::Program& program) {
  // Where the data of each name lie. Pickled tensors are all read at once.
  std::unordered_map<std::string, std::string> records;
  if (layout.pickled) {
    SLIPWAY_ASSIGN_OR_RETURN(other_state_, read_torch_save(archive, layout.state));
    SLIPWAY_ASSIGN_OR_RETURN(other_constants_, read_torch_save(archive, layout.constants));
    for (const Weights* weights : {&other_state_, &other_constants_}) {
      for (const auto& [name, data] : weights->tensors) {
        if (data.storage.bytes.empty()) continue;
        records[name] = fmt::format("{}", fmt::ptr(data.storage.bytes.data()));
      }
    }
  } else {
    for (const auto& [name, payload] : payloads_) {
      records[std::string(name)] = payload["path_name"].to_string();
    }
  }

  const std::unordered_set<std::string_view> read(targets_.begin(), targets_.end());
  std::unordered_set<std::string_view> inputs;
  std::unordered_set<std::string> kept;
  for (const ir::Input& input : program.inputs) {
    if (!read.contains(input.target)) continue;
    inputs.insert(input.target);
    if (const auto record = records.find(input.target); record != records.end()) {
      kept.insert(record->second);
    }
  }
  std::unordered_set<std::string> dropped;
  for (const std::string& target : targets_) {
    const auto record = records.find(target);
    if (inputs.contains(target) || record == records.end()) continue;
    if (!kept.contains(record->second)) dropped.insert(record->second);
  }
  const auto is_other = [&](std::string_view name) {
    const auto record = records.find(std::string(name));
    return !inputs.contains(name) && (record == records.end() || !dropped.contains(record->second));
  };
  if (layout.pickled) {
    for (Weights* weights : {&other_state_, &other_constants_}) {
      std::erase_if(weights->tensors, [&](const auto& entry) { return !is_other(entry.first); });
    }
    return {};
  }
  SLIPWAY_ASSIGN_OR_RETURN(other_state_, read_payloads(archive, layout.state, is_other));
  SLIPWAY_ASSIGN_OR_RETURN(other_constants_, read_payloads(archive, layout.constants, is_other));
  return {};
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
