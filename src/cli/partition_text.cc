#include "cli/partition_text.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/text.h"

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

void print_engine(size_t index, const PteSummary::Engine& engine, bool all) {
  if (!engine.described) {
    fmt::print("  engine {}: {}, {}\n", index, printable(engine.backend),
               format_bytes(engine.bytes));
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

Json tensors_json(const std::vector<engine::EngineTensor>& tensors) {
  Json list = Json::array();
  for (const engine::EngineTensor& tensor : tensors) {
    list.push_back({{"name", tensor.name}, {"type", tensor.dtype}, {"sizes", tensor.sizes}});
  }
  return list;
}

}  // namespace

void print_partitions(const PteSummary::Method& method, bool all) {
  if (!method.engines.empty()) {
    size_t nodes = 0;
    for (const PteSummary::Engine& engine : method.engines) {
      if (engine.described) nodes += engine.described->nodes.size();
    }
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
      json["options"] = record.options;
      json["compile_specs"] = record.compile_specs;
      json["inputs"] = tensors_json(record.inputs);
      json["outputs"] = tensors_json(record.outputs);
      json["weight_bytes"] = record.weight_bytes;
      json["sha256"] = record.sha256;
      json["segment"] = engine.described->segment;
      json["nodes"] = engine.described->nodes;
    }
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
