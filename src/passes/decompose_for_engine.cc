#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "ir/queries.h"
#include "passes/decompositions/registry.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;

// Rules build on each other a few levels deep.
constexpr int kMostSteps = 8;
// More nodes than this for one, but for those of constants, are loops that are written out: they
// would make a large engine.
constexpr std::ptrdiff_t kMostNodes = 128;

class NodeExpander {
 public:
  NodeExpander(ir::Program& program, const EngineChoice& engine)
      : graph_(*program.graph), ranges_(program.ranges), engine_(engine) {
    for (const auto& [value, input] : ir::constant_inputs(program)) constants_.insert(value);
  }

  void run() {
    // What a rule adds is before the node that it replaces, and is not met again.
    for (auto it = graph_.nodes().begin(); it != graph_.nodes().end();) {
      const Position position = it++;
      const Node& node = **position;
      if (sub_graphs(node).empty() && !engine_.is_excluded(node) && !engine_.takes(node)) {
        expand(position, 0);
      }
    }
  }

 private:
  using Position = Graph::NodeList::const_iterator;

  // Puts what the node's rule gives in its place if the engine takes all of that; nothing changes
  // otherwise.
  bool expand(Position position, int depth) {
    Node* node = position->get();
    const auto rule = decompositions::find(node->op());
    if (!rule || depth > kMostSteps || engine_.is_left_whole(*node)) return false;
    const bool is_first = position == graph_.nodes().begin();
    const Position previous = is_first ? position : std::prev(position);
    const auto added = [&] { return is_first ? graph_.nodes().begin() : std::next(previous); };

    decompositions::Context context(graph_, node, ranges_);
    std::vector<Value*> values;
    if (const auto half = decompositions::find_half(node->op())) {
      values = decompositions::apply(half, context);
    }
    if (values.empty()) values = decompositions::apply(rule, context);
    if (!context.reason() && context.build.status().ok() && fits(*node, values) &&
        takes_all(added(), position, values, depth) &&
        (depth > 0 || count(added(), position) <= kMostNodes)) {
      for (size_t i = 0; i < values.size(); ++i) {
        if (!values[i]) continue;
        replaced_.add(node->output(i), values[i]);
        graph_.replace_all_uses(node->output(i), replaced_.resolve(values[i]));
      }
      graph_.erase(node);
      return true;
    }
    while (added() != position) {
      Node* last = std::prev(position)->get();
      for (const Value* output : last->outputs()) constants_.erase(output);
      graph_.erase(last);
    }
    return false;
  }

  // Whether the values can stand for the node's results.
  bool fits(const Node& node, const std::vector<Value*>& values) const {
    if (values.empty() || values.size() != node.outputs().size()) return false;
    for (size_t i = 0; i < values.size(); ++i) {
      const Value* from = node.output(i);
      if (!values[i]) {
        if (ir::is_used(graph_, from)) return false;
        continue;
      }
      if (!from->is_tensor() || !values[i]->is_tensor()) return false;
      if (from->dtype() != values[i]->dtype() || from->rank() != values[i]->rank()) return false;
    }
    return true;
  }

  std::ptrdiff_t count(Position begin, Position end) const {
    return std::count_if(begin, end, [&](const auto& node) {
      return node->outputs().empty() || !constants_.contains(node->output());
    });
  }

  // What depends on constants alone is computed ahead of time, not by the engine.
  bool add_constant(const Node& node) {
    bool is_constant = is_pure(node) && sub_graphs(node).empty() &&
                       (schema::kernel_for(node.op()) || decompositions::find(node.op()));
    std::set<std::string> symbols;
    for (const Argument& argument : node.args()) {
      ir::collect_symbols(argument, symbols);
      Graph::for_each_value(argument, [&](const Value* value) {
        is_constant = is_constant && constants_.contains(value);
      });
    }
    if (!is_constant || !symbols.empty()) return false;
    constants_.insert(node.outputs().begin(), node.outputs().end());
    return true;
  }

  bool takes_all(Position begin, Position end, const std::vector<Value*>& values, int depth) {
    // From the last one on: those that the results need. Rules may leave others.
    std::unordered_set<const Value*> needed(values.begin(), values.end());
    std::vector<Position> kept;
    for (Position it = end; it != begin;) {
      const Position position = --it;
      const std::vector<Value*>& outputs = (*position)->outputs();
      if (std::none_of(outputs.begin(), outputs.end(),
                       [&](const Value* value) { return needed.contains(value); })) {
        const bool is_begin = it == begin;
        ++it;
        graph_.erase(position->get());
        if (is_begin) begin = it;
        continue;
      }
      kept.push_back(position);
      for (const Argument& argument : (*position)->args()) {
        Graph::for_each_value(argument, [&](const Value* value) { needed.insert(value); });
      }
    }
    std::reverse(kept.begin(), kept.end());
    // The archive's own sizes name the symbols that these values alone define.
    const Node& node = **end;
    for (size_t i = 0; i < values.size(); ++i) {
      const bool is_new = values[i] && std::any_of(kept.begin(), kept.end(), [&](Position it) {
                            return it->get() == values[i]->producer();
                          });
      if (is_new) values[i]->set_type(node.output(i)->type());
    }
    return std::all_of(kept.begin(), kept.end(), [&](Position it) {
      return add_constant(**it) || engine_.takes(**it) || expand(it, depth + 1);
    });
  }

  Graph& graph_;
  const ir::SymbolRanges& ranges_;
  const EngineChoice& engine_;
  std::unordered_set<const Value*> constants_;  // inputs, and what rules made of constants alone
  Replacements replaced_;
};

}  // namespace

Status decompose_for_engine(ir::Program& program, const EngineChoice& engine) {
  NodeExpander(program, engine).run();
  return remove_dead_code(program);
}

}  // namespace slipway::passes
