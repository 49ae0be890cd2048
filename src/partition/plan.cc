#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/try.h"
#include "ir/queries.h"
#include "partition/dependencies.h"
#include "partition/exclusions.h"
#include "partition/partition.h"
#include "schema/traits.h"

namespace slipway::partition {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;
using ir::ValueKind;

// Other sizes for the same bytes: ExecuTorch computes them without a copy.
bool only_gives_shape(const Node& node) {
  const schema::Trait trait = schema::trait_of(node.op());
  return trait == schema::Trait::kSame || trait == schema::Trait::kReshaped;
}

// What no engine takes, whatever it computes: an engine's call takes and gives tensors.
std::optional<std::string> why_no_engine(const Node& node, const Dependencies& dependencies) {
  if (node.op() == ir::kCallEngine) return "it calls an engine";
  if (node.outputs().empty()) return "it has no result";
  if (schema::trait_of(node.op()) == schema::Trait::kAssertion) {
    return "it checks something at run time";
  }
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

// Who has a node, and why those before it in the order of priority do not.
struct Choice {
  std::optional<size_t> engine;      // nullopt: it stays outside
  std::vector<std::string> reasons;  // of each engine that does not take it
};
using Choices = std::vector<Choice>;  // by position

constexpr size_t kOutside = 0;
size_t side_of(const Choice& choice) { return choice.engine ? *choice.engine + 1 : kOutside; }

// The reason that all engines have in common, or what each of them says.
std::string join_reasons(const std::vector<std::string>& reasons,
                         const std::vector<std::string>& engines) {
  if (reasons.empty()) return "";
  if (std::all_of(reasons.begin(), reasons.end(),
                  [&](const std::string& reason) { return reason == reasons[0]; })) {
    return reasons[0];
  }
  std::vector<std::string> parts;
  for (size_t i = 0; i < reasons.size(); ++i) {
    parts.push_back(fmt::format("{}: {}", engines[i], reasons[i]));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

// What is computed without any input, such as a range of positions, and is taken by a node outside
// stays there too: it is a constant or next to nothing, and would be an engine before that node.
void leave_constants_outside(const ir::Program& program, const Dependencies& dependencies,
                             Choices& choices) {
  const auto constants = ir::constant_inputs(program);
  std::vector<bool> without_input;
  for (size_t i = 0; i < dependencies.nodes.size(); ++i) {
    const auto& needs = dependencies.needs[i];
    bool without = choices[i].engine && std::all_of(needs.begin(), needs.end(), [&](size_t needed) {
                     return without_input[needed];
                   });
    for (const Argument& argument : dependencies.nodes[i]->args()) {
      Graph::for_each_value(argument, [&](const Value* value) {
        without = without && (value->producer() || constants.contains(value));
      });
    }
    without_input.push_back(without);
  }
  for (size_t i = dependencies.nodes.size(); i-- > 0;) {
    if (choices[i].engine) continue;
    for (size_t needed : dependencies.needs[i]) {
      if (!without_input[needed] || !choices[needed].engine) continue;
      choices[needed] = {std::nullopt,
                         {"a node outside takes it, and it is computed without any input"}};
    }
  }
}

// Phases follow each other, and each belongs to one side (outside, or an engine): phase p to the
// one whose place in an order of the sides is p modulo their number.
class Phases {
 public:
  // `places`: of each side.
  Phases(const Dependencies& dependencies, const Choices& choices, std::vector<size_t> places)
      : dependencies_(dependencies), choices_(choices), places_(std::move(places)) {
    // A node is in the first phase of its side that is not before the phases of what it needs.
    for (size_t i = 0; i < dependencies.nodes.size(); ++i) {
      size_t phase = 0;
      for (size_t needed : dependencies.needs[i]) phase = std::max(phase, phases_[needed]);
      const size_t count = places_.size();
      phases_.push_back(phase + (place(i) + count - phase % count) % count);
    }
    move_to_users();
  }

  // One group of nodes, by position, for each phase of an engine.
  std::vector<std::vector<size_t>> groups() const {
    std::map<size_t, std::vector<size_t>> by_phase;
    for (size_t i = 0; i < phases_.size(); ++i) {
      if (choices_[i].engine) by_phase[phases_[i]].push_back(i);
    }
    std::vector<std::vector<size_t>> result;
    result.reserve(by_phase.size());
    for (auto& [phase, group] : by_phase) result.push_back(std::move(group));
    return result;
  }

 private:
  size_t place(size_t i) const { return places_[side_of(choices_[i])]; }

  // The last phase of node `i`'s side that is not after `phase`. There is one: node i has it.
  size_t last_until(size_t i, size_t phase) const {
    const size_t count = places_.size();
    return phase - (phase % count + count - place(i)) % count;
  }

  // Puts nodes of an engine that need the graph's inputs only into the phase of their first user:
  // a transposed weight is then a constant of the engine that uses it, not a tensor that goes from
  // engine to engine.
  void move_to_users() {
    const size_t count = dependencies_.nodes.size();
    std::vector<bool> movable;
    for (size_t i = 0; i < count; ++i) {
      const auto& needs = dependencies_.needs[i];
      movable.push_back(
          choices_[i].engine &&
          std::all_of(needs.begin(), needs.end(), [&](size_t needed) { return movable[needed]; }));
    }
    std::vector<size_t> latest(count, SIZE_MAX);
    for (size_t i = count; i-- > 0;) {
      if (movable[i] && latest[i] != SIZE_MAX) phases_[i] = last_until(i, latest[i]);
      for (size_t needed : dependencies_.needs[i]) {
        latest[needed] = std::min(latest[needed], phases_[i]);
      }
    }
  }

  const Dependencies& dependencies_;
  const Choices& choices_;
  const std::vector<size_t> places_;
  std::vector<size_t> phases_;
};

// Orders of more sides than this are not tried one by one.
constexpr size_t kMostSidesTried = 5;

// The groups of nodes that become engines, by position.
//
// A group that needs, through a node of another side, what it gives itself would need a phase after
// its own: there is none. With one engine there are no plans with fewer groups, either. What is in
// the k-th phase of the engine and takes something from a node outside needs, through that node,
// something of the (k-1)-th that gives it out, and so on down to the first; no two nodes of this
// chain can be of one group, so that every plan has as many groups as the engine has phases here.
// (Moved nodes take nothing from nodes outside, and those that give something to a node outside did
// not pass it.) With several engines the order of the sides within a round matters: the one with
// the fewest groups is taken.
std::vector<std::vector<size_t>> find_groups(const Dependencies& dependencies,
                                             const Choices& choices, size_t sides) {
  std::vector<size_t> places(sides);
  std::iota(places.begin(), places.end(), size_t{0});
  auto best = Phases(dependencies, choices, places).groups();
  if (sides == 2 || sides > kMostSidesTried) return best;
  while (std::next_permutation(places.begin(), places.end())) {
    auto groups = Phases(dependencies, choices, places).groups();
    if (groups.size() < best.size()) best = std::move(groups);
  }
  return best;
}

// Why a group stays outside.
std::optional<std::string> why_dropped(const std::vector<size_t>& group,
                                       const Dependencies& dependencies, const Options& options) {
  if (group.size() < options.min_size) {
    return fmt::format("its partition would have {} node{}, and the least is {}", group.size(),
                       group.size() == 1 ? "" : "s", options.min_size);
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
  constexpr size_t kNone = SIZE_MAX;
  std::vector<size_t> partition_of(dependencies.nodes.size(), kNone);
  for (size_t p = 0; p < partitions.size(); ++p) {
    for (const Node* node : partitions[p].nodes) partition_of[dependencies.position.at(node)] = p;
  }
  const auto constants = ir::constant_inputs(program);
  std::vector<std::set<const Value*>> inputs(partitions.size());
  std::set<const Value*> outputs;
  const auto use = [&](const Argument& argument, size_t user) {
    Graph::for_each_value(argument, [&](const Value* value) {
      const Node* producer = value->producer();
      const size_t origin = producer ? partition_of[dependencies.position.at(producer)] : kNone;
      if (origin == user) return;
      if (user != kNone && !constants.contains(value)) inputs[user].insert(value);
      if (origin != kNone) outputs.insert(value);
    });
  };
  for (size_t i = 0; i < dependencies.nodes.size(); ++i) {
    for (const Argument& argument : dependencies.nodes[i]->args()) use(argument, partition_of[i]);
  }
  for (const Argument& output : program.graph->outputs()) use(output, kNone);

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
  Choices choices;
  for (const Node* node : dependencies.nodes) {
    Choice& choice = choices.emplace_back();
    const auto common = why_no_engine(*node, dependencies);
    for (size_t engine = 0; engine < options.engines.size() && !choice.engine; ++engine) {
      auto reason = why_excluded(*node, options, engine);
      if (!reason) reason = common;
      if (!reason) reason = why_not(*node, engine);
      if (reason) {
        choice.reasons.push_back(std::move(*reason));
      } else {
        choice.engine = engine;
      }
    }
  }

  leave_constants_outside(program, dependencies, choices);

  // A group that stays outside joins a phase before its own, and all others may stay in theirs: no
  // two of them could be one now, for what was between them is outside.
  Plan plan;
  for (const std::vector<size_t>& group :
       find_groups(dependencies, choices, options.engines.size() + 1)) {
    if (const auto reason = why_dropped(group, dependencies, options)) {
      for (size_t i : group) choices[i] = {std::nullopt, {*reason}};
      continue;
    }
    Partition& partition = plan.partitions.emplace_back();
    partition.engine = *choices[group.front()].engine;
    for (size_t i : group) {
      const Node* node = dependencies.nodes[i];
      partition.nodes.push_back(node);
      for (size_t engine = 0; engine < choices[i].reasons.size(); ++engine) {
        partition.passed_over.push_back({node, engine, std::move(choices[i].reasons[engine])});
      }
    }
  }
  connect(program, dependencies, plan.partitions);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i].engine || dependencies.nodes[i]->op() == ir::kCallEngine) continue;
    plan.outside.push_back(
        {dependencies.nodes[i], join_reasons(choices[i].reasons, options.engines)});
  }
  return plan;
}

}  // namespace slipway::partition
