#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/try.h"
#include "ir/queries.h"
#include "partition/dependencies.h"
#include "partition/exclusions.h"
#include "partition/partition.h"

namespace slipway::partition {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;
using ir::ValueKind;

// Other sizes for the same bytes: ExecuTorch computes them without a copy.
bool only_gives_shape(const Node& node) {
  constexpr std::array kNames = {
      std::string_view("view"),           std::string_view("view_copy"),
      std::string_view("reshape"),        std::string_view("_unsafe_view"),
      std::string_view("unsqueeze"),      std::string_view("unsqueeze_copy"),
      std::string_view("squeeze"),        std::string_view("squeeze_copy"),
      std::string_view("flatten"),        std::string_view("unflatten"),
      std::string_view("alias"),          std::string_view("alias_copy"),
      std::string_view("detach"),         std::string_view("detach_copy"),
      std::string_view("clone"),          std::string_view("contiguous"),
      std::string_view("lift_fresh_copy")};
  std::string_view name = node.op();
  if (!name.starts_with("aten.")) return false;
  name.remove_prefix(5);
  name = name.substr(0, name.find('.'));
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// What no engine takes, whatever it computes: an engine's call takes and gives tensors.
std::optional<std::string> why_no_engine(const Node& node, const Dependencies& dependencies) {
  if (node.outputs().empty()) return "it has no result";
  if (node.op().find("_assert") != std::string::npos) return "it checks something at run time";
  for (const Value* output : node.outputs()) {
    if (output->kind() == ValueKind::kCustomObject) return "its result is an object";
    if (!output->is_tensor() && output->kind() != ValueKind::kAbsent) {
      return "its result is a number";
    }
  }
  if (dependencies.symbol_makers.contains(&node)) return "the size of its result depends on data";
  std::optional<std::string> reason;
  for (const Argument& argument : node.args()) {
    Graph::for_each_value(argument, [&](const Value* value) {
      if (value->is_tensor()) return;
      reason = value->kind() == ValueKind::kCustomObject
                   ? "it takes an object"
                   : "it takes a number that is known only at run time";
    });
  }
  return reason;
}

using Reasons = std::vector<std::optional<std::string>>;  // by position; nothing: the engine's

// What is computed without any input, such as a range of positions, and is taken by a node outside
// stays there too: it is a constant or next to nothing, and would be an engine before that node.
void leave_constants_outside(const ir::Program& program, const Dependencies& dependencies,
                             Reasons& reasons) {
  const auto constants = ir::constant_inputs(program);
  std::vector<bool> without_input;
  for (size_t i = 0; i < dependencies.nodes.size(); ++i) {
    const auto& needs = dependencies.needs[i];
    bool without = !reasons[i] && std::all_of(needs.begin(), needs.end(),
                                              [&](size_t needed) { return without_input[needed]; });
    for (const Argument& argument : dependencies.nodes[i]->args()) {
      Graph::for_each_value(argument, [&](const Value* value) {
        without = without && (value->producer() || constants.contains(value));
      });
    }
    without_input.push_back(without);
  }
  for (size_t i = dependencies.nodes.size(); i-- > 0;) {
    if (!reasons[i]) continue;
    for (size_t needed : dependencies.needs[i]) {
      if (!without_input[needed] || reasons[needed]) continue;
      reasons[needed] = "a node outside takes it, and it is computed without any input";
    }
  }
}

// Each node's phase: even ones are outside, odd ones the engine's, and a node is in the first of
// its side that is not before the phases of what it needs.
std::vector<size_t> first_phases(const Dependencies& dependencies, const Reasons& reasons) {
  std::vector<size_t> phases;
  for (size_t i = 0; i < dependencies.nodes.size(); ++i) {
    size_t phase = 0;
    for (size_t needed : dependencies.needs[i]) phase = std::max(phase, phases[needed]);
    const size_t side = reasons[i] ? 0 : 1;
    phases.push_back(phase % 2 == side ? phase : phase + 1);
  }
  return phases;
}

// Puts nodes of the engine that need the graph's inputs only into the phase of their first user: a
// transposed weight is then a constant of the engine that uses it, not a tensor that goes from
// engine to engine.
void move_to_users(const Dependencies& dependencies, const Reasons& reasons,
                   std::vector<size_t>& phases) {
  const size_t count = dependencies.nodes.size();
  std::vector<bool> movable;
  for (size_t i = 0; i < count; ++i) {
    const auto& needs = dependencies.needs[i];
    movable.push_back(!reasons[i] && std::all_of(needs.begin(), needs.end(),
                                                 [&](size_t needed) { return movable[needed]; }));
  }
  std::vector<size_t> latest(count, SIZE_MAX);
  for (size_t i = count; i-- > 0;) {
    if (movable[i] && latest[i] != SIZE_MAX) phases[i] = latest[i];
    const size_t before = reasons[i] && phases[i] > 0 ? phases[i] - 1 : phases[i];
    for (size_t needed : dependencies.needs[i]) latest[needed] = std::min(latest[needed], before);
  }
}

// One group of nodes, by position, for each phase of the engine.
//
// A group that needs, through a node outside, what it gives itself would need a phase after its
// own: there is none. Nor are there plans with fewer groups. What is in the k-th phase of the
// engine and takes something from a node outside needs, through that node, something of the
// (k-1)-th that gives it out, and so on down to the first; no two nodes of this chain can be of one
// group, so that every plan has as many groups as the engine has phases here. (Moved nodes take
// nothing from nodes outside, and those that give something to a node outside did not pass it.)
std::vector<std::vector<size_t>> groups(const Dependencies& dependencies, const Reasons& reasons) {
  std::vector<size_t> phases = first_phases(dependencies, reasons);
  move_to_users(dependencies, reasons, phases);
  std::map<size_t, std::vector<size_t>> by_phase;
  for (size_t i = 0; i < phases.size(); ++i) {
    if (!reasons[i]) by_phase[phases[i]].push_back(i);
  }
  std::vector<std::vector<size_t>> result;
  result.reserve(by_phase.size());
  for (auto& [phase, group] : by_phase) result.push_back(std::move(group));
  return result;
}

// Why a group stays outside.
std::optional<std::string> why_dropped(const std::vector<size_t>& group,
                                       const Dependencies& dependencies, const Options& options) {
  if (group.size() < options.min_size) {
    return fmt::format("its partition would have {} node{}, and --min-partition-size is {}",
                       group.size(), group.size() == 1 ? "" : "s", options.min_size);
  }
  if (std::all_of(group.begin(), group.end(),
                  [&](size_t i) { return only_gives_shape(*dependencies.nodes[i]); })) {
    return "its partition would only give tensors other shapes, which costs nothing outside";
  }
  return std::nullopt;
}

// Gives the partitions their inputs and outputs.
void connect(const ir::Program& program, const Dependencies& dependencies,
             std::vector<Partition>& partitions) {
  constexpr size_t kOutside = SIZE_MAX;
  std::vector<size_t> partition_of(dependencies.nodes.size(), kOutside);
  for (size_t p = 0; p < partitions.size(); ++p) {
    for (const Node* node : partitions[p].nodes) partition_of[dependencies.position.at(node)] = p;
  }
  const auto constants = ir::constant_inputs(program);
  std::vector<std::set<const Value*>> inputs(partitions.size());
  std::set<const Value*> outputs;
  const auto use = [&](const Argument& argument, size_t user) {
    Graph::for_each_value(argument, [&](const Value* value) {
      const Node* producer = value->producer();
      const size_t origin = producer ? partition_of[dependencies.position.at(producer)] : kOutside;
      if (origin == user) return;
      if (user != kOutside && !constants.contains(value)) inputs[user].insert(value);
      if (origin != kOutside) outputs.insert(value);
    });
  };
  for (size_t i = 0; i < dependencies.nodes.size(); ++i) {
    for (const Argument& argument : dependencies.nodes[i]->args()) use(argument, partition_of[i]);
  }
  for (const Argument& output : program.graph->outputs()) use(output, kOutside);

  const auto order = [&](const Value* value) {
    const Node* producer = value->producer();
    return std::pair(producer ? dependencies.position.at(producer) + 1 : 0, value->index());
  };
  for (size_t p = 0; p < partitions.size(); ++p) {
    Partition& partition = partitions[p];
    partition.inputs.assign(inputs[p].begin(), inputs[p].end());
    std::sort(partition.inputs.begin(), partition.inputs.end(),
              [&](const Value* a, const Value* b) { return order(a) < order(b); });
    for (const Node* node : partition.nodes) {
      for (const Value* output : node->outputs()) {
        if (outputs.contains(output)) partition.outputs.push_back(output);
      }
    }
  }
}

}  // namespace

Result<Plan> plan(const ir::Program& program, const WhyNot& why_not, const Options& options) {
  SLIPWAY_RETURN_IF_ERROR(check_exclusions(program, options));
  const Dependencies dependencies(*program.graph);
  Reasons reasons;
  for (const Node* node : dependencies.nodes) {
    auto reason = why_excluded(*node, options);
    if (!reason) reason = why_no_engine(*node, dependencies);
    if (!reason) reason = why_not(*node);
    reasons.push_back(std::move(reason));
  }

  leave_constants_outside(program, dependencies, reasons);

  // A group that stays outside joins the phase before its own, and all others may stay in theirs:
  // no two of them could be one now, for what was between them is outside.
  Plan plan;
  for (const std::vector<size_t>& group : groups(dependencies, reasons)) {
    if (const auto reason = why_dropped(group, dependencies, options)) {
      for (size_t i : group) reasons[i] = reason;
      continue;
    }
    Partition& partition = plan.partitions.emplace_back();
    for (size_t i : group) partition.nodes.push_back(dependencies.nodes[i]);
  }
  connect(program, dependencies, plan.partitions);
  for (size_t i = 0; i < reasons.size(); ++i) {
    if (reasons[i]) plan.outside.push_back({dependencies.nodes[i], std::move(*reasons[i])});
  }
  return plan;
}

}  // namespace slipway::partition
