#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "ir/queries.h"
#include "passes/constant_region.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::ConstantData;
using ir::Graph;
using ir::Node;
using ir::Value;

// What a folded result may take in the file: this much, or as much as the constants it is made of.
constexpr size_t kSmallResult = kMiB;
// The same for results that are made of nothing (zeros, arange): a run makes them as fast as it
// reads them.
constexpr size_t kSmallSource = 16 << 10;
// All folded results together, which stay in memory until the file is written.
constexpr size_t kTotalResults = 32 * kMiB;
// All constants that are read for it: the region is compiled and run in memory.
constexpr size_t kTotalInputs = 32 * kMiB;
// Constants that a result may be made of: a list of them is kept for each node.
constexpr size_t kMostInputs = 256;
// The largest intermediate result that is worth computing ahead of time.
constexpr size_t kLargestIntermediate = 64 * kMiB;

// The nodes whose results are the same in every run, and which of them a run need not compute.
class Region {
 public:
  explicit Region(const ir::Program& program)
      : graph_(*program.graph), constants_(constant_inputs(program)) {
    find_candidates();
    find_results();
  }

  std::vector<Value*> take_results() { return std::move(results_); }

 private:
  bool is_candidate(const Node& node) const {
    if (!is_pure(node) || !schema::kernel_for(node.op()) || node.outputs().empty()) return false;
    for (const Value* output : node.outputs()) {
      auto bytes = static_nbytes(output);
      if (!bytes || *bytes > kLargestIntermediate) return false;
    }
    bool constant = true;
    std::set<std::string> symbols;
    for (const Argument& argument : node.args()) {
      collect_symbols(argument, symbols);
      Graph::for_each_value(argument, [&](const Value* value) {
        const bool known = constants_.contains(value) ||
                           (value->producer() && inputs_of_.contains(value->producer()));
        constant = constant && known;
      });
    }
    return constant && symbols.empty();
  }

  void find_candidates() {
    for (const auto& node : graph_.nodes()) {
      if (!is_candidate(*node)) continue;
      std::set<const Value*> inputs;
      for (const Argument& argument : node->args()) {
        Graph::for_each_value(argument, [&](const Value* value) {
          if (constants_.contains(value)) {
            inputs.insert(value);
          } else {
            const auto& earlier = inputs_of_.at(value->producer());
            inputs.insert(earlier.begin(), earlier.end());
          }
        });
      }
      if (inputs.size() > kMostInputs) continue;
      inputs_of_[node.get()] = std::move(inputs);
    }
  }

  // Whether the node's results may be kept instead of the node. If so, they are counted.
  bool choose(const Node& node) {
    size_t made_of = 0;
    size_t newly_read = 0;
    for (const Value* input : inputs_of_.at(&node)) {
      const size_t bytes = constants_.at(input)->data->nbytes();
      made_of += bytes;
      if (!read_.contains(input)) newly_read += bytes;
    }
    const bool source = !has_value(node);
    size_t bytes = 0;
    for (const Value* output : node.outputs()) bytes += *static_nbytes(output);
    const size_t limit = source ? kSmallSource : std::max(kSmallResult, made_of);
    if (bytes > limit || bytes > kTotalResults - result_bytes_ ||
        newly_read > kTotalInputs - read_bytes_) {
      return false;
    }
    result_bytes_ += bytes;
    read_bytes_ += newly_read;
    read_.insert(inputs_of_.at(&node).begin(), inputs_of_.at(&node).end());
    return true;
  }

  // From the last node to the first: what a run needs is either kept as a result or computed by the
  // run, which then needs the node's arguments.
  void find_results() {
    std::unordered_set<const Value*> needed;
    auto need = [&needed](const Argument& argument) {
      Graph::for_each_value(argument, [&needed](const Value* value) { needed.insert(value); });
    };
    for (const Argument& output : graph_.outputs()) need(output);
    for (auto it = graph_.nodes().rbegin(); it != graph_.nodes().rend(); ++it) {
      const Node* node = it->get();
      if (inputs_of_.contains(node)) {
        const bool is_needed =
            std::any_of(node->outputs().begin(), node->outputs().end(),
                        [&needed](const Value* output) { return needed.contains(output); });
        if (!is_needed) continue;
        if (choose(*node)) {
          for (Value* output : node->outputs()) {
            if (needed.contains(output)) results_.push_back(output);
          }
          continue;
        }
      }
      for (const Argument& argument : node->args()) need(argument);
    }
    std::reverse(results_.begin(), results_.end());
  }

  const Graph& graph_;
  std::unordered_map<const Value*, const ir::Input*> constants_;
  // The candidates, and the constants that each is made of.
  std::unordered_map<const Node*, std::set<const Value*>> inputs_of_;
  std::set<const Value*> read_;
  size_t read_bytes_ = 0;
  size_t result_bytes_ = 0;
  std::vector<Value*> results_;
};

Status fold_regions(ir::Program& program, const Evaluator& evaluate) {
  std::vector<Value*> results = Region(program).take_results();
  if (results.empty()) return {};
  const Status computed = compute_ahead(program, results, evaluate);
  if (!computed.ok()) return computed.error().with_context("computing constants ahead of time");
  return {};
}

// Numbers read from constants, as literals. Integers stay: symbols in sizes stand for them.
void fold_items(ir::Program& program) {
  const auto constants = constant_inputs(program);
  std::unordered_map<const Value*, Argument> literals;
  for (const auto& node : program.graph->nodes()) {
    if (node->op() != "aten.item.default" && node->op() != "aten._local_scalar_dense.default") {
      continue;
    }
    auto constant = constants.find(node->value(0));
    if (constant == constants.end() || constant->second->data->nbytes() > sizeof(double)) continue;
    const ConstantData& data = *constant->second->data;
    const std::vector<std::byte> bytes = data.to_contiguous();
    if (data.dtype == DType::kFloat32 && bytes.size() == sizeof(float)) {
      float number;
      std::memcpy(&number, bytes.data(), sizeof number);
      literals[node->output()] = static_cast<double>(number);
    } else if (data.dtype == DType::kFloat64 && bytes.size() == sizeof(double)) {
      double number;
      std::memcpy(&number, bytes.data(), sizeof number);
      literals[node->output()] = number;
    } else if (data.dtype == DType::kBool && bytes.size() == 1) {
      literals[node->output()] = bytes[0] != std::byte{0};
    }
  }
  auto replace = [&literals](Argument& argument) {
    const auto* value = std::get_if<Value*>(&argument);
    if (!value || !*value) return;
    if (auto literal = literals.find(*value); literal != literals.end()) {
      argument = Argument(literal->second);
    }
  };
  for (const auto& node : program.graph->nodes()) {
    for (Argument& argument : node->args()) replace(argument);
  }
  for (Argument& output : program.graph->outputs()) replace(output);
}

}  // namespace

Status fold_constants(ir::Program& program, const Evaluator& evaluate) {
  fold_views(program, [](const Node&, const ConstantData&) { return true; });
  Status status;
  if (evaluate) status = fold_regions(program, evaluate);
  if (!status.ok()) return status.error().with_context(program.source);
  fold_items(program);
  return remove_dead_code(program);
}

}  // namespace slipway::passes
