// slipway inspect: what a file holds.

#include <algorithm>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/model_file.h"
#include "cli/partition_text.h"
#include "cli/pte_summary.h"
#include "cli/text.h"
#include "ir/program.h"
#include "slipway/program.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string file;
  bool json = false;
  bool graph = false;
  bool trust = false;
};

void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

// Most frequent first.
std::vector<std::pair<std::string, size_t>> by_count(const std::map<std::string, size_t>& counts) {
  std::vector<std::pair<std::string, size_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

void print_counts(const char* title, const std::map<std::string, size_t>& counts) {
  if (counts.empty()) return;
  fmt::print("{}:\n", title);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, count] : by_count(counts)) {
    rows.push_back({std::to_string(count), name});
  }
  fmt::print("{}", format_table(rows, "  "));
}

// ---- .pte

Json values_json(const std::vector<ValueInfo>& infos) {
  Json list = Json::array();
  for (const ValueInfo& info : infos) {
    Json json;
    json["name"] = info.name;
    if (info.is_tensor) {
      json["type"] = dtype_name(info.dtype);
      json["sizes"] = info.sizes;
      json["min_sizes"] = info.min_sizes;
      json["max_sizes"] = info.max_sizes;
      json["mutated"] = info.mutated;
    } else {
      json["type"] = type_name(info.literal);
      json["value"] = literal_json(info.literal);
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json named_pairs(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json list = Json::array();
  for (const auto& [name, type] : pairs) list.push_back({{"name", name}, {"type", type}});
  return list;
}

Json program_json(const PteSummary& summary) {
  Json json;
  json["kind"] = "pte";
  json["file_size"] = summary.file_size;
  json["program_size"] = summary.program_size;
  json["constant_bytes"] = summary.constant_bytes;
  json["methods"] = Json::array();
  for (const PteSummary::Method& method : summary.methods) {
    Json entry;
    entry["name"] = method.name;
    entry["inputs"] = values_json(method.inputs);
    entry["input_tree"] = tree_json(method.input_tree);
    entry["outputs"] = values_json(method.outputs);
    entry["output_tree"] = tree_json(method.output_tree);
    entry["values"] = method.value_count;
    entry["planned_bytes"] = method.planned_bytes;
    entry["instructions"] = method.instructions;
    entry["operators"] = method.operators;
    entry["engines"] = engines_json(method);
    entry["outside"] = outside_json(method);
    entry["state"] = named_pairs(method.state);
    json["methods"].push_back(std::move(entry));
  }
  json["segments"] = Json::array();
  for (const PteSummary::Segment& segment : summary.segments) {
    json["segments"].push_back({{"size", segment.size}, {"content", segment.content}});
  }
  json["named_data"] = Json::array();
  for (const auto& [key, bytes] : summary.named_data) {
    json["named_data"].push_back({{"key", key}, {"bytes", bytes}});
  }
  if (summary.manifest) {
    const engine::Manifest& manifest = *summary.manifest;
    Json entry;
    entry["format"] = manifest.format;
    entry["tool_version"] = manifest.tool_version;
    entry["program_xxh3"] = manifest.program_xxh3;
    entry["sources"] = Json::array();
    for (const engine::ManifestMethod& method : manifest.methods) {
      entry["sources"].push_back({{"method", method.name},
                                  {"sha256", method.source_sha256},
                                  {"torch_version", method.source_torch_version}});
    }
    json["manifest"] = std::move(entry);
  } else {
    json["manifest"] = nullptr;
  }
  return json;
}

void print_values(const char* kind, const std::vector<ValueInfo>& infos, const Tree& tree) {
  const std::vector<std::string> places = leaf_places(tree);
  for (size_t i = 0; i < infos.size(); ++i) {
    const ValueInfo& info = infos[i];
    std::string bounds;
    for (size_t d = 0; d < info.sizes.size(); ++d) {
      if (info.min_sizes[d] == info.max_sizes[d]) continue;
      bounds += fmt::format("{}{} in {}..{}", bounds.empty() ? "  (" : ", ",
                            printable(info.sizes[d]), info.min_sizes[d], info.max_sizes[d]);
    }
    if (!bounds.empty()) bounds += ")";
    fmt::print("  {} {} '{}'{}: {}{}{}\n", kind, i, printable(info.name),
               i < places.size() ? places[i] : "", printable(info.type_text()), bounds,
               info.mutated ? "  (written to)" : "");
  }
}

void print_program(const std::string& path, const PteSummary& summary, bool graph) {
  fmt::print("{}: ExecuTorch program, {}\n", path, format_bytes(summary.file_size));
  if (summary.manifest) {
    const engine::Manifest& manifest = *summary.manifest;
    fmt::print("compiled by {}\n", printable(manifest.tool_version));
    for (const engine::ManifestMethod& method : manifest.methods) {
      fmt::print("  {} from an archive of torch {}, sha256 {}\n", printable(method.name),
                 printable(method.source_torch_version), printable(method.source_sha256));
    }
  } else {
    fmt::print("no manifest: made by another tool\n");
  }
  for (const PteSummary::Method& method : summary.methods) {
    fmt::print("\nmethod {}: {}, {}, planned memory {}\n", printable(method.name),
               count_text(method.instructions.size(), "instruction"),
               count_text(method.value_count, "value"), format_bytes(method.planned_bytes));
    for (const std::string& line : slow_path(method)) fmt::print("  slow: {}\n", printable(line));
    print_values("input", method.inputs, method.input_tree);
    print_values("output", method.outputs, method.output_tree);
    for (const auto& [name, type] : method.state) {
      fmt::print("  state '{}': {}\n", printable(name), type);
    }
    print_partitions(method, graph);
    print_counts("operators", method.operators);
    if (graph) {
      fmt::print("instructions:\n");
      for (size_t i = 0; i < method.instructions.size(); ++i) {
        fmt::print("  {:4} {}\n", i, printable(method.instructions[i]));
      }
    }
  }
  fmt::print("\nprogram part: {}\n", format_bytes(summary.program_size));
  std::vector<std::vector<std::string>> rows = {{"segment", "size", "content"}};
  for (size_t i = 0; i < summary.segments.size(); ++i) {
    rows.push_back({std::to_string(i), format_bytes(summary.segments[i].size),
                    printable(summary.segments[i].content)});
  }
  if (rows.size() > 1) fmt::print("{}", format_table(rows));
}

// ---- .pt2

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
  const ir::Program& program = loaded.ir();
  Json json;
  json["kind"] = "pt2";
  json["torch_version"] = program.torch_version;
  json["dialect"] = program.dialect;
  json["sha256"] = loaded.source_sha256();
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
  return json;
}

void print_archive(const std::string& path, const Program& loaded, bool graph) {
  const ir::Program& program = loaded.ir();
  fmt::print("{}: archive of torch {} ({} IR), sha256 {}\n", path, printable(program.torch_version),
             program.dialect, loaded.source_sha256());
  const std::vector<std::string> input_places = leaf_places(program.input_tree);
  size_t position = 0;
  for (const ir::Input& input : program.inputs) {
    if (!is_signature_input(input)) continue;
    fmt::print("  {} {} '{}'{}: {}\n", kind_name(input.kind), position, printable(input.name),
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
    fmt::print("  {}{}{}: {}\n", kind_name(output.kind), which,
               output.target.empty() ? "" : " of '" + printable(output.target) + "'",
               printable(argument_type(program.graph->outputs()[i])));
  }
  for (const auto& [name, range] : program.ranges) {
    fmt::print("  symbol {} in {}\n", printable(name), range_text(range));
  }
  std::map<std::string, size_t> counts;
  count_operators(*program.graph, counts);
  print_counts("operators", counts);

  std::vector<std::vector<std::string>> rows = {{"size", "type", "kind", "name"}};
  uint64_t total = 0;
  for (const ir::Input* weight : weights_of(program)) {
    total += weight->data->nbytes();
    rows.push_back({format_bytes(weight->data->nbytes()),
                    format_type(weight->data->dtype, weight->data->sizes), kind_name(weight->kind),
                    printable(weight->target)});
  }
  if (rows.size() > 1) {
    fmt::print("weights: {} in {} tensors\n{}", format_bytes(total), rows.size() - 1,
               format_table(rows, "  "));
  }
  if (graph) fmt::print("\n{}", loaded.to_string());
}

// ---- .engine

Status inspect_plan(const Options& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(options.file));
  const auto bytes = file->bytes();
  const std::string sha256 = sha256_hex(bytes);
  if (options.json) {
    print_json({{"kind", "plan"}, {"size", bytes.size()}, {"sha256", sha256}});
  } else {
    fmt::print("{}: bare TensorRT plan, {}\n  sha256 {}\n", options.file,
               format_bytes(bytes.size()), sha256);
  }
  return {};
}

Status inspect(const Options& options) {
  SLIPWAY_ASSIGN_OR_RETURN(FileKind kind, file_kind(options.file));
  if (kind == FileKind::kPlan) return inspect_plan(options);
  if (kind == FileKind::kProgram) {
    SLIPWAY_ASSIGN_OR_RETURN(PteSummary summary, PteSummary::read(options.file, options.trust));
    if (options.json) {
      print_json(program_json(summary));
    } else {
      print_program(options.file, summary, options.graph);
    }
    return {};
  }
  SLIPWAY_ASSIGN_OR_RETURN(Program program, Program::load(options.file));
  if (options.json) {
    print_json(archive_json(program));
  } else {
    print_archive(options.file, program, options.graph);
  }
  return {};
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "Show what a .pt2, .pte or .engine file holds");
  command->add_option("FILE", options->file, "The file; its content decides, not its name")
      ->required();
  command->add_flag("--json", options->json, "Print JSON");
  command->add_flag("--graph", options->graph,
                    "Print the graph, or the instructions and the nodes of each engine, too");
  command->add_flag("--trust", options->trust,
                    "Show files with operators that Slipway can't check");
  command->footer(
      "\nExamples:\n  slipway inspect model.pt2 --graph\n  slipway inspect model.pte --json");
  command->callback([options, &action] { action = [options] { return inspect(*options); }; });
}

}  // namespace slipway::cli
