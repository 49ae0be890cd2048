// What an archive of torch.export holds.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "base/try.h"
#include "compile/engines.h"
#include "compile/program_impl.h"
#include "inspect/file_info.h"
#include "inspect/text.h"
#include "inspect/value_json.h"
#include "ir/program.h"
#include "slipway/program.h"

namespace slipway::inspection {
namespace {

using Json = nlohmann::ordered_json;

const char* kind_name(ir::InputKind kind) {
  switch (kind) {
    case ir::InputKind::kParameter:
      return "parameter";
    case ir::InputKind::kBuffer:
      return "buffer";
    case ir::InputKind::kConstant:
      return "constant";
    case ir::InputKind::kCustomObject:
      return "object";
    case ir::InputKind::kToken:
      return "token";
    case ir::InputKind::kUserInput:
      return "input";
    case ir::InputKind::kLiteral:
      return "literal";
  }
  return "?";
}

const char* kind_name(ir::OutputKind kind) {
  switch (kind) {
    case ir::OutputKind::kUserOutput:
      return "output";
    case ir::OutputKind::kBufferMutation:
      return "buffer mutation";
    case ir::OutputKind::kUserInputMutation:
      return "input mutation";
    case ir::OutputKind::kToken:
      return "token";
  }
  return "?";
}

void count_operators(const ir::Graph& graph, std::map<std::string, size_t>& counts) {
  for (const auto& node : graph.nodes()) {
    ++counts[node->op()];
    for (const ir::Argument& argument : node->args()) {
      if (const auto* inner = std::get_if<std::shared_ptr<ir::Graph>>(&argument)) {
        count_operators(**inner, counts);
      }
    }
  }
}

std::string argument_type(const ir::Argument& argument) {
  const auto* value = std::get_if<ir::Value*>(&argument);
  if (value != nullptr && *value != nullptr && (*value)->is_tensor()) {
    return ir::print((*value)->type());
  }
  return ir::print(argument);
}

std::string input_type(const ir::Input& input) {
  if (input.kind == ir::InputKind::kLiteral) return ir::print(input.literal);
  if (input.kind == ir::InputKind::kCustomObject) return input.object_type;
  return input.value != nullptr && input.value->is_tensor() ? ir::print(input.value->type()) : "";
}

std::string range_text(const ir::Range& range) {
  return fmt::format("{}..{}", range.min ? std::to_string(*range.min) : "",
                     range.max ? std::to_string(*range.max) : "");
}

// Largest first.
std::vector<const ir::Input*> weights_of(const ir::Program& program) {
  std::vector<const ir::Input*> weights;
  for (const ir::Input& input : program.inputs) {
    if (input.data) weights.push_back(&input);
  }
  std::stable_sort(weights.begin(), weights.end(), [](const ir::Input* a, const ir::Input* b) {
    return a->data->nbytes() > b->data->nbytes();
  });
  return weights;
}

bool is_signature_input(const ir::Input& input) {
  return input.kind == ir::InputKind::kUserInput || input.kind == ir::InputKind::kLiteral;
}

Json archive_json(const Program& loaded) {
  const ir::Program& program = Program::Impl::of(loaded).ir;
  Json json;
  json["kind"] = "pt2";
  json["torch_version"] = program.torch_version;
  json["dialect"] = program.dialect;
  json["sha256"] = Program::Impl::of(loaded).source_sha256();
  json["inputs"] = Json::array();
  for (const ir::Input& input : program.inputs) {
    if (!is_signature_input(input)) continue;
    json["inputs"].push_back(
        {{"name", input.name}, {"kind", kind_name(input.kind)}, {"type", input_type(input)}});
  }
  json["input_tree"] = tree_json(program.input_tree);
  json["outputs"] = Json::array();
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    json["outputs"].push_back({{"kind", kind_name(program.outputs[i].kind)},
                               {"target", program.outputs[i].target},
                               {"type", argument_type(program.graph->outputs()[i])}});
  }
  json["output_tree"] = tree_json(program.output_tree);
  json["symbols"] = Json::object();
  for (const auto& [name, range] : program.ranges) json["symbols"][name] = range_text(range);
  std::map<std::string, size_t> counts;
  count_operators(*program.graph, counts);
  json["operators"] = counts;
  json["weights"] = Json::array();
  for (const ir::Input* weight : weights_of(program)) {
    json["weights"].push_back({{"name", weight->target},
                               {"kind", kind_name(weight->kind)},
                               {"type", format_type(weight->data->dtype, weight->data->sizes)},
                               {"bytes", weight->data->nbytes()}});
  }
  json["engines"] = Json::array();
  for (const engine_build::ListedEngine& listed : list_engines(loaded)) {
    Json& entry = json["engines"].emplace_back(Json{{"node", listed.node}});
    if (!listed.engine.ok()) {
      entry["error"] = listed.engine.error().message();
      continue;
    }
    const engine::EngineRecord& record = listed.engine->record;
    entry.update({{"engine", record.engine},
                  {"device", record.device},
                  {"target", record.target},
                  {"library_version", record.library_version},
                  {"options", record.options},
                  {"bytes", record.size},
                  {"sha256", record.sha256}});
    if (!listed.runs_here.ok()) entry["not_here"] = listed.runs_here.error().message();
    if (!listed.warning.empty()) entry["warning"] = listed.warning;
  }
  return json;
}

void append_engine(std::string& text, const engine_build::ListedEngine& listed) {
  if (!listed.engine.ok()) {
    append(text, "{}: {}\n", printable(listed.node),
           printable_message(listed.engine.error().message()));
    return;
  }
  const engine::EngineRecord& record = listed.engine->record;
  const std::string library =
      record.library_version.empty() ? "" : ", built by " + printable(record.library_version);
  append(text, "{} for {}{}{}, {}: {}\n", record.engine, printable(record.device),
         record.target.empty() ? "" : " (" + printable(record.target) + ")", library,
         format_bytes(record.size), printable(listed.node));
  for (const auto& [name, value] : record.options) {
    append(text, "     option {}={}\n", printable(name), printable(value));
  }
  if (!listed.runs_here.ok()) {
    append(text, "     does not run here: {}\n",
           printable_message(listed.runs_here.error().message()));
  }
  if (!listed.warning.empty()) append(text, "     {}\n", printable_message(listed.warning));
}

void append_engines(std::string& text, const Program& loaded) {
  const auto engines = list_engines(loaded);
  if (!engines.empty()) append(text, "engines:\n");
  for (size_t i = 0; i < engines.size(); ++i) {
    append(text, "  {}  ", i);
    append_engine(text, engines[i]);
  }
}

std::string archive_text(const std::string& path, const Program& loaded, bool graph) {
  std::string text;
  const ir::Program& program = Program::Impl::of(loaded).ir;
  append(text, "{}: archive of torch {} ({} IR), sha256 {}\n", path,
         printable(program.torch_version), program.dialect,
         Program::Impl::of(loaded).source_sha256());
  const std::vector<std::string> input_places = leaf_places(program.input_tree);
  size_t position = 0;
  for (const ir::Input& input : program.inputs) {
    if (!is_signature_input(input)) continue;
    append(text, "  {} {} '{}'{}: {}\n", kind_name(input.kind), position, printable(input.name),
           position < input_places.size() ? input_places[position] : "",
           printable(input_type(input)));
    ++position;
  }
  const std::vector<std::string> output_places = leaf_places(program.output_tree);
  position = 0;
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const ir::Output& output = program.outputs[i];
    std::string which;
    if (output.kind == ir::OutputKind::kUserOutput) {
      which = fmt::format(" {}{}", position,
                          position < output_places.size() ? output_places[position] : "");
      ++position;
    }
    append(text, "  {}{}{}: {}\n", kind_name(output.kind), which,
           output.target.empty() ? "" : " of '" + printable(output.target) + "'",
           printable(argument_type(program.graph->outputs()[i])));
  }
  for (const auto& [name, range] : program.ranges) {
    append(text, "  symbol {} in {}\n", printable(name), range_text(range));
  }
  std::map<std::string, size_t> counts;
  count_operators(*program.graph, counts);
  append_counts(text, "operators", counts);
  append_engines(text, loaded);

  std::vector<std::vector<std::string>> rows = {{"size", "type", "kind", "name"}};
  uint64_t total = 0;
  for (const ir::Input* weight : weights_of(program)) {
    total += weight->data->nbytes();
    rows.push_back({format_bytes(weight->data->nbytes()),
                    format_type(weight->data->dtype, weight->data->sizes), kind_name(weight->kind),
                    printable(weight->target)});
  }
  if (rows.size() > 1) {
    append(text, "weights: {} in {} tensors\n{}", format_bytes(total), rows.size() - 1,
           format_table(rows, "  "));
  }
  if (graph) append(text, "\n{}", loaded.to_string());
  return text;
}

class ArchiveInfo : public FileInfo::Impl {
 public:
  ArchiveInfo(const std::string& path, Program program)
      : Impl(path, FileKind::kArchive), program_(std::move(program)) {}
  Json json() const override { return archive_json(program_); }
  std::string text(const TextOptions& options) const override {
    return archive_text(path(), program_, options.graph);
  }

 private:
  Program program_;
};

}  // namespace

Result<FileInfoImpl> read_archive(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(Program program, Program::load(path));
  // What is said of it is of one file.
  const auto& loaded = Program::Impl::of(program);
  std::ignore = loaded.source_sha256();
  SLIPWAY_RETURN_IF_ERROR(loaded.file.check_unchanged());
  return FileInfoImpl(std::make_shared<const ArchiveInfo>(path, std::move(program)));
}

}  // namespace slipway::inspection
