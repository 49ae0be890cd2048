#include "inspect/partition_text.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/printable.h"
#include "engine/engine_graph_json.h"
#include "engine/record_json.h"
#include "engine/slow_path.h"
#include "engine_build/parse_json.h"
#include "engine_list/registry.h"
#include "inspect/text.h"

namespace slipway::inspection {
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

void append_header(std::string& text, const EngineHeader& header, bool is_described) {
  if (!header) return;
  if (!header->ok()) {
    append(text, "    its header is damaged: {}\n", printable(header->error().message()));
    return;
  }
  for (const std::string& line : (*header)->lines) append(text, "    {}\n", printable(line));
  if (is_described) return;  // which has these too
  for (const std::string& line : (*header)->ends) append(text, "    {}\n", printable(line));
}

// A heading, and nodes by operator and reason.
void append_reasons(std::string& text, const std::string& heading,
                    const std::vector<NodeReason>& nodes, const TextOptions& options,
                    const std::string& indent) {
  using Group = std::pair<std::pair<std::string, std::string>, std::vector<std::string>>;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> by_reason;
  for (const NodeReason& node : nodes) {
    by_reason[{node.op, node.reason}].push_back(node.name);
  }
  std::vector<Group> groups(by_reason.begin(), by_reason.end());
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.second.size() > b.second.size();
  });
  const size_t shown = options.graph ? groups.size() : std::min(groups.size(), kFewGroups);
  std::vector<std::vector<std::string>> rows = {{"count", "operator", "reason", "nodes"}};
  for (size_t i = 0; i < shown; ++i) {
    const auto& [key, names] = groups[i];
    rows.push_back({std::to_string(names.size()), printable(key.first), printable(key.second),
                    join_few(names, options.graph ? names.size() : kFewNames)});
  }
  append(text, "{}{}: {}\n{}", indent, heading, count_text(nodes.size(), "node"),
         format_table(rows, indent + "  "));
  if (shown < groups.size()) {
    append(text, "{}  and {} more operators and reasons{}{}\n", indent, groups.size() - shown,
           options.graph_hint.empty() ? "" : ": ", options.graph_hint);
  }
}

std::string place_of(const engine::ManifestEngine& engine) {
  return engine.external_key.empty() ? fmt::format("segment {}", engine.segment) : "the data file";
}

void append_engine(std::string& text, size_t index, const MethodDetails& method,
                   const TextOptions& options) {
  const EngineInfo& engine = method.info.engines[index];
  const EngineHeader& header = method.headers[index];
  const engine::ManifestEngine* described = method.described_engine(index);
  if (described == nullptr) {
    append(text, "  engine {}: {}, {}\n", index, printable(engine.backend),
           format_bytes(engine.bytes));
    append_header(text, header, false);
    return;
  }
  const engine::EngineRecord& record = described->record;
  const std::vector<std::string>& nodes = engine.nodes;
  const std::string version =
      record.library_version.empty() ? "" : " " + printable(record.library_version);
  append(text, "  engine {}: {}{} for {}, {} in {}\n", index, printable(record.engine), version,
         printable(record.device), format_bytes(engine.bytes), place_of(*described));
  if (options.graph) {
    append(text, "    {}:\n", count_text(nodes.size(), "node"));
    for (const std::string& node : nodes) append(text, "      {}\n", printable(node));
  } else {
    append(text, "    {}: {}\n", count_text(nodes.size(), "node"), join_few(nodes, kFewNodes));
  }
  if (!record.target.empty()) append(text, "    target {}\n", printable(record.target));
  for (const engine::ManifestEngine& variant : described->variants) {
    append(text, "    also for {}: {} in {}, sha256 {}\n", printable(variant.record.target),
           format_bytes(variant.header_size + variant.record.size), place_of(variant),
           printable(variant.record.sha256));
  }
  append_header(text, header, true);
  append(text, "    weights {}\n", format_bytes(record.weight_bytes));
  for (const auto& [name, value] : record.options) {
    append(text, "    option {}={}\n", printable(name), printable(value));
  }
  for (const engine::EngineTensor& input : record.inputs) {
    append(text, "    input '{}': {}\n", printable(input.name), type_text(input));
  }
  for (const engine::EngineTensor& output : record.outputs) {
    append(text, "    output '{}': {}\n", printable(output.name), type_text(output));
  }
  for (const engine::EngineAlias& alias : record.aliases) {
    append(
        text, "    {}\n",
        alias_text(record.outputs[alias.output].name, record.inputs[alias.input].name, alias.kind));
  }
  append(text, "    sha256 {}\n", printable(record.sha256));
  if (!engine.passed_over.empty()) {
    append_reasons(text, "not taken by the engines before it", engine.passed_over, options, "    ");
  }
}

size_t nodes_of_engines(const MethodDetails& method) {
  size_t nodes = 0;
  for (const EngineInfo& engine : method.info.engines) nodes += engine.nodes.size();
  return nodes;
}

// As manifests have it, with aliases by name, and what is left out there where it is empty.
Json record_json(const engine::ManifestEngine& engine) {
  const engine::EngineRecord& record = engine.record;
  Json json = engine::record_to_json(record);
  json["capabilities"] = record.capabilities;
  json["target"] = record.target;
  json["aliases"] = engine::array_to_json(record.aliases, [&](const engine::EngineAlias& alias) {
    return Json{{"output", record.outputs[alias.output].name},
                {"input", record.inputs[alias.input].name},
                {"kind", alias.kind}};
  });
  json["header_size"] = engine.header_size;
  json["segment"] = engine.segment;
  if (!engine.external_key.empty()) json["external_key"] = engine.external_key;
  return json;
}

Json variant_json(const engine::ManifestEngine& variant) {
  Json json = record_json(variant);
  json["bytes"] = variant.header_size + variant.record.size;
  return json;
}

Json reasons_json(const std::vector<NodeReason>& nodes) {
  Json list = Json::array();
  for (const NodeReason& node : nodes) {
    list.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
  }
  return list;
}

Json header_json(const Result<engine::BlobSummary>& read) {
  if (!read.ok()) return {{"error", read.error().message()}};
  const Result<Json> json = engine_build::parse_json(read->json);
  if (!json.ok()) return {{"error", json.error().message()}};
  return *json;
}

}  // namespace

std::vector<std::string> slow_path(const MethodDetails& method) {
  const size_t inside = nodes_of_engines(method);
  const bool is_known = inside > 0 || method.info.engines.empty();
  if (method.described == nullptr || !is_known) return {};  // of another tool
  return engine::slow_path(method.described->outside, inside);
}

std::string partitions_text(const MethodDetails& method, const TextOptions& options) {
  std::string text;
  const MethodInfo& info = method.info;
  if (!info.engines.empty()) {
    const size_t nodes = nodes_of_engines(method);
    append(text, "{}", count_text(info.engines.size(), "engine"));
    if (nodes > 0) append(text, ", {} of {} nodes", nodes, nodes + info.outside.size());
    append(text, ":\n");
  }
  for (size_t i = 0; i < info.engines.size(); ++i) append_engine(text, i, method, options);
  if (!info.outside.empty()) {
    append_reasons(text, "outside, on ExecuTorch's kernels", info.outside, options, "");
  }
  return text;
}

Json engines_json(const MethodDetails& method) {
  Json list = Json::array();
  for (size_t i = 0; i < method.info.engines.size(); ++i) {
    const EngineInfo& engine = method.info.engines[i];
    Json json;
    if (const engine::ManifestEngine* described = method.described_engine(i)) {
      json = record_json(*described);
      json["nodes"] = engine.nodes;
      if (!described->graph.nodes.empty()) json["graph"] = engine::graph_to_json(described->graph);
      json["passed_over"] = reasons_json(engine.passed_over);
      json["variants"] = engine::array_to_json(described->variants, variant_json);
    }
    json["backend"] = engine.backend;
    json["bytes"] = engine.bytes;
    const engine::Description* known = engine_list::find_backend(engine.backend);
    const EngineHeader& header = method.headers[i];
    if (known != nullptr && header) json[known->name] = header_json(*header);
    list.push_back(std::move(json));
  }
  return list;
}

Json outside_json(const MethodDetails& method) { return reasons_json(method.info.outside); }

}  // namespace slipway::inspection
