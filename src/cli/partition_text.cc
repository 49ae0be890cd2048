#include "cli/partition_text.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/text.h"
#include "engine/slow_path.h"

namespace slipway::cli {
namespace {

using Json = nlohmann::ordered_json;

// What is shown where not everything is.
constexpr size_t kFewNodes = 4;
constexpr size_t kFewNames = 3;
constexpr size_t kFewGroups = 20;

// "a, b, c and 9 more"
std::string join_few(const std::vector<std::string>& names, size_t few) {
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(few, names.size()); ++i) shown.push_back(printable(names[i]));
  std::string text = fmt::format("{}", fmt::join(shown, ", "));
  if (names.size() > shown.size()) text += fmt::format(" and {} more", names.size() - shown.size());
  return text;
}

std::string type_text(const engine::EngineTensor& tensor) {
  return printable(fmt::format("{}[{}]", tensor.dtype, fmt::join(tensor.sizes, ", ")));
}

std::string alias_text(const std::string& output, const std::string& input,
                       const std::string& kind) {
  return printable(
      fmt::format("output '{}' is in the memory of input '{}' ({})", output, input, kind));
}

std::string device_text(const engine::TensorRtMetadata& metadata) {
  std::string text = fmt::format("for GPU {}", metadata.device_id);
  if (!metadata.target_platform.empty()) text += " of " + metadata.target_platform;
  if (metadata.hardware_compatible) text += ", and GPUs of later kinds";
  return printable(text);
}

void print_tensorrt(const PteSummary::Engine& engine) {
  if (!engine.tensorrt) return;
  if (!engine.tensorrt->ok()) {
    fmt::print("    its header is damaged: {}\n", printable(engine.tensorrt->error().message()));
    return;
  }
  const engine::TensorRtMetadata& metadata = **engine.tensorrt;
  fmt::print("    TensorRT plan {}\n", device_text(metadata));
  if (!metadata.serialized_metadata.empty()) {
    fmt::print("    metadata: {}\n", printable(metadata.serialized_metadata));
  }
  if (engine.described) return;  // which has these too
  for (const engine::TensorRtBinding& binding : metadata.io_bindings) {
    fmt::print("    {} '{}': {}\n", binding.is_input ? "input" : "output", printable(binding.name),
               printable(fmt::format("{}[{}]", binding.dtype, fmt::join(binding.shape, ", "))));
  }
  for (const engine::TensorRtAlias& alias : metadata.aliased_io) {
    fmt::print("    {}\n", alias_text(alias.output, alias.input, alias.kind));
  }
}

void print_engine(size_t index, const PteSummary::Engine& engine, bool all) {
  if (!engine.described) {
    fmt::print("  engine {}: {}, {}\n", index, printable(engine.backend),
               format_bytes(engine.bytes));
    print_tensorrt(engine);
    return;
  }
  const engine::EngineRecord& record = engine.described->record;
  const std::vector<std::string>& nodes = engine.described->nodes;
  fmt::print("  engine {}: {} {} for {}, {} in segment {}\n", index, printable(record.engine),
             printable(record.library_version), printable(record.device),
             format_bytes(engine.bytes), engine.described->segment);
  if (all) {
    fmt::print("    {}:\n", count_text(nodes.size(), "node"));
    for (const std::string& node : nodes) fmt::print("      {}\n", printable(node));
  } else {
    fmt::print("    {}: {}\n", count_text(nodes.size(), "node"), join_few(nodes, kFewNodes));
  }
  if (!record.target.empty()) fmt::print("    target {}\n", printable(record.target));
  for (const engine::ManifestEngine& variant : engine.described->variants) {
    fmt::print("    also for {}: {} in segment {}, sha256 {}\n", printable(variant.record.target),
               format_bytes(variant.header_size + variant.record.size), variant.segment,
               printable(variant.record.sha256));
  }
  print_tensorrt(engine);
  fmt::print("    weights {}\n", format_bytes(record.weight_bytes));
  for (const auto& [name, value] : record.options) {
    fmt::print("    option {}={}\n", printable(name), printable(value));
  }
  for (const engine::EngineTensor& input : record.inputs) {
    fmt::print("    input '{}': {}\n", printable(input.name), type_text(input));
  }
  for (const engine::EngineTensor& output : record.outputs) {
    fmt::print("    output '{}': {}\n", printable(output.name), type_text(output));
  }
  for (const engine::EngineAlias& alias : record.aliases) {
    fmt::print("    {}\n", alias_text(record.outputs[alias.output].name,
                                      record.inputs[alias.input].name, alias.kind));
  }
  fmt::print("    sha256 {}\n", printable(record.sha256));
}

void print_outside(const std::vector<engine::ManifestOutside>& outside, bool all) {
  using Group = std::pair<std::pair<std::string, std::string>, std::vector<std::string>>;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> by_reason;
  for (const engine::ManifestOutside& node : outside) {
    by_reason[{node.op, node.reason}].push_back(node.name);
  }
  std::vector<Group> groups(by_reason.begin(), by_reason.end());
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.second.size() > b.second.size();
  });
  const size_t shown = all ? groups.size() : std::min(groups.size(), kFewGroups);
  std::vector<std::vector<std::string>> rows = {{"count", "operator", "reason", "nodes"}};
  for (size_t i = 0; i < shown; ++i) {
    const auto& [key, names] = groups[i];
    rows.push_back({std::to_string(names.size()), printable(key.first), printable(key.second),
                    join_few(names, all ? names.size() : kFewNames)});
  }
  fmt::print("outside, on ExecuTorch's kernels: {}\n{}", count_text(outside.size(), "node"),
             format_table(rows, "  "));
  if (shown < groups.size()) {
    fmt::print("  and {} more operators and reasons: --graph shows them\n", groups.size() - shown);
  }
}

size_t nodes_of_engines(const PteSummary::Method& method) {
  size_t nodes = 0;
  for (const PteSummary::Engine& engine : method.engines) {
    if (engine.described) nodes += engine.described->nodes.size();
  }
  return nodes;
}

Json tensors_json(const std::vector<engine::EngineTensor>& tensors) {
  Json list = Json::array();
  for (const engine::EngineTensor& tensor : tensors) {
    list.push_back({{"name", tensor.name}, {"type", tensor.dtype}, {"sizes", tensor.sizes}});
  }
  return list;
}

Json aliases_json(const engine::EngineRecord& record) {
  Json list = Json::array();
  for (const engine::EngineAlias& alias : record.aliases) {
    list.push_back({{"output", record.outputs[alias.output].name},
                    {"input", record.inputs[alias.input].name},
                    {"kind", alias.kind}});
  }
  return list;
}

Json variants_json(const std::vector<engine::ManifestEngine>& variants) {
  Json list = Json::array();
  for (const engine::ManifestEngine& variant : variants) {
    list.push_back({{"target", variant.record.target},
                    {"library_version", variant.record.library_version},
                    {"options", variant.record.options},
                    {"bytes", variant.header_size + variant.record.size},
                    {"header_size", variant.header_size},
                    {"segment", variant.segment},
                    {"sha256", variant.record.sha256}});
  }
  return list;
}

Json tensorrt_json(const Result<engine::TensorRtMetadata>& read) {
  if (!read.ok()) return {{"error", read.error().message()}};
  Json json;
  json["io_bindings"] = Json::array();
  for (const engine::TensorRtBinding& binding : read->io_bindings) {
    json["io_bindings"].push_back({{"name", binding.name},
                                   {"dtype", binding.dtype},
                                   {"shape", binding.shape},
                                   {"is_input", binding.is_input}});
  }
  json["aliased_io"] = Json::array();
  for (const engine::TensorRtAlias& alias : read->aliased_io) {
    json["aliased_io"].push_back(
        {{"output", alias.output}, {"input", alias.input}, {"kind", alias.kind}});
  }
  json["hardware_compatible"] = read->hardware_compatible;
  json["device_id"] = read->device_id;
  json["serialized_metadata"] = read->serialized_metadata;
  json["target_platform"] = read->target_platform;
  return json;
}

}  // namespace

std::vector<std::string> slow_path(const PteSummary::Method& method) {
  const size_t inside = nodes_of_engines(method);
  if (inside == 0 && !method.engines.empty()) return {};  // of another tool: nothing is known
  return engine::slow_path(method.outside, inside);
}

void print_partitions(const PteSummary::Method& method, bool all) {
  if (!method.engines.empty()) {
    const size_t nodes = nodes_of_engines(method);
    fmt::print("{}", count_text(method.engines.size(), "engine"));
    if (nodes > 0) fmt::print(", {} of {} nodes", nodes, nodes + method.outside.size());
    fmt::print(":\n");
  }
  for (size_t i = 0; i < method.engines.size(); ++i) print_engine(i, method.engines[i], all);
  if (!method.outside.empty()) print_outside(method.outside, all);
}

Json engines_json(const PteSummary::Method& method) {
  Json list = Json::array();
  for (const PteSummary::Engine& engine : method.engines) {
    Json json;
    json["backend"] = engine.backend;
    json["bytes"] = engine.bytes;
    if (engine.described) {
      const engine::EngineRecord& record = engine.described->record;
      json["engine"] = record.engine;
      json["library_version"] = record.library_version;
      json["device"] = record.device;
      json["target"] = record.target;
      json["options"] = record.options;
      json["compile_specs"] = record.compile_specs;
      json["inputs"] = tensors_json(record.inputs);
      json["outputs"] = tensors_json(record.outputs);
      json["aliases"] = aliases_json(record);
      json["weight_bytes"] = record.weight_bytes;
      json["header_size"] = engine.described->header_size;
      json["sha256"] = record.sha256;
      json["segment"] = engine.described->segment;
      json["nodes"] = engine.described->nodes;
      json["variants"] = variants_json(engine.described->variants);
    }
    if (engine.tensorrt) json["tensorrt"] = tensorrt_json(*engine.tensorrt);
    list.push_back(std::move(json));
  }
  return list;
}

Json outside_json(const PteSummary::Method& method) {
  Json list = Json::array();
  for (const engine::ManifestOutside& node : method.outside) {
    list.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
  }
  return list;
}

}  // namespace slipway::cli
