#include "partition/exclusions.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/try.h"
#include "schema/operator_name.h"

namespace slipway::partition {
namespace {

using ir::Graph;
using ir::Node;

constexpr const char* kOps = "exclude_ops";
constexpr const char* kNodes = "exclude_nodes";

void visit_nodes(const Node& node, const std::function<void(const Node&)>& visit) {
  visit(node);
  for (const ir::Argument& argument : node.args()) {
    Graph::for_each_graph(argument, [&](const std::shared_ptr<Graph>& graph) {
      for (const auto& inner : graph->nodes()) visit_nodes(*inner, visit);
    });
  }
}

// "; did you mean aten.cos.default?"
std::string suggestion(const std::string& name, const std::set<std::string>& candidates) {
  constexpr size_t kMost = 3;
  // Of the operator's own name.
  const size_t length = name.size() - (name.find('.') + 1);
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& candidate : candidates) {
    const size_t changes = edit_distance(name, candidate);
    if (changes <= length / 4 + 1) near.emplace_back(changes, candidate);
  }
  std::sort(near.begin(), near.end());
  if (near.size() > kMost) near.resize(kMost);
  if (near.empty()) return fmt::format("; `{}` lists what it has", "slipway inspect --graph");
  std::vector<std::string> names;
  names.reserve(near.size());
  for (auto& [changes, candidate] : near) names.push_back(std::move(candidate));
  return fmt::format("; did you mean {}?", fmt::join(names, " or "));
}

// "engine:aten.cos" as the operator, or the node, and the engine that it names.
struct Excluded {
  std::string_view name;
  std::optional<size_t> engine;

  bool is_from(std::optional<size_t> other) const { return !engine || engine == other; }
};
Result<Excluded> read(const char* option, std::string_view text, const Options& options) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.substr(colon).starts_with("::")) {
    return Excluded{text, std::nullopt};
  }
  const std::string_view name = text.substr(0, colon);
  const auto engine = std::find(options.engines.begin(), options.engines.end(), name);
  if (engine == options.engines.end()) {
    return invalid_argument("option '{}' {}: '{}' is none of the engines ({})", option, text, name,
                            fmt::join(options.engines, ", "));
  }
  return Excluded{text.substr(colon + 1), static_cast<size_t>(engine - options.engines.begin())};
}

struct Names {
  std::set<std::string> ops;  // without overload too
  std::set<std::string> nodes;
};

Names names_of(const ir::Program& program) {
  Names names;
  const auto add = [&](const Node& node) {
    names.ops.insert(node.op());
    names.ops.emplace(schema::without_overload(node.op()));
    names.nodes.insert(node.name());
    if (!node.origin().empty()) names.nodes.insert(node.origin());
  };
  for (const auto& node : program.graph->nodes()) visit_nodes(*node, add);
  return names;
}

}  // namespace

Status check_exclusions(const ir::Program& program, const Options& options) {
  const auto [ops, nodes] = names_of(program);
  for (const std::string& text : options.exclude_ops) {
    SLIPWAY_ASSIGN_OR_RETURN(const Excluded excluded, read(kOps, text, options));
    const std::string op(excluded.name);
    if (ops.contains(op)) continue;
    return invalid_argument("option 'exclude_ops' {}: the program has no such operator{}", text,
                            suggestion(op, ops));
  }
  for (const std::string& text : options.exclude_nodes) {
    SLIPWAY_ASSIGN_OR_RETURN(const Excluded excluded, read(kNodes, text, options));
    const std::string name(excluded.name);
    if (nodes.contains(name)) continue;
    return invalid_argument("option 'exclude_nodes' {}: the program has no such node{}", text,
                            suggestion(name, nodes));
  }
  return {};
}

void keep_named(const ir::Program& program, Options& options) {
  const auto [ops, nodes] = names_of(program);
  const auto keep = [&](const char* option, std::set<std::string>& given,
                        const std::set<std::string>& names) {
    std::erase_if(given, [&](const std::string& text) {
      const auto excluded = read(option, text, options);
      return !excluded.ok() || !names.contains(std::string(excluded->name));
    });
  };
  keep(kOps, options.exclude_ops, ops);
  keep(kNodes, options.exclude_nodes, nodes);
}

std::optional<std::string> why_excluded(const Node& node, const Options& options,
                                        std::optional<size_t> engine) {
  std::optional<std::string> reason;
  visit_nodes(node, [&](const Node& inner) {
    if (reason) return;
    for (const std::string& text : options.exclude_ops) {
      const auto excluded = read(kOps, text, options);
      if (!excluded.ok() || !excluded->is_from(engine)) continue;
      if (schema::matches(inner.op(), excluded->name)) reason = "excluded by its operator, " + text;
    }
    for (const std::string& name : {inner.name(), inner.origin()}) {
      if (options.exclude_nodes.contains(name)) reason = "excluded by its name, " + name;
      if (!engine || *engine >= options.engines.size()) continue;
      const std::string own = options.engines[*engine] + ":" + name;
      if (options.exclude_nodes.contains(own)) reason = "excluded by its name, " + own;
    }
  });
  return reason;
}

}  // namespace slipway::partition
