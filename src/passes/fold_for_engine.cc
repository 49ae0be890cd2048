#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/try.h"
#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/constant_region.h"
#include "passes/decompositions/registry.h"
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/view_step.h"
#include "schema/schema.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;

// A result of at most this is kept whatever it is made of: smaller than most single weights.
constexpr size_t kSmallEngineResult = kMiB;
// Where the engine would be given a tensor at each run otherwise, a result may be this many times
// the constants that it is made of (int8 weights as float32 and float64 are 4 and 8), ...
constexpr size_t kMostGrowth = 8;
// ... or take this much, as may all of those together that grow more.
constexpr size_t kLargeResult = 32 * kMiB;
constexpr size_t kTotalGrown = 64 * kMiB;
// All results together: they are in memory until the file is written.
constexpr size_t kEngineResults = 1024 * kMiB;
// A tensor that is computed ahead of time, also on the way to a result.
constexpr size_t kLargestEngineIntermediate = 256 * kMiB;
// Constants that a result may be made of: a list of them is kept for each node.
constexpr size_t kMostConstants = 256;
// What is read and computed in one run, unless it is a single result.
constexpr size_t kBatch = 64 * kMiB;

bool is_byte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUInt8; }

// A weight of 8 bits that becomes float: engines hold it as it is and convert it inside.
bool widens_bytes(const Node& node) {
  const auto* value = node.args().empty() ? nullptr : std::get_if<Value*>(&node.arg(0));
  if (value == nullptr || *value == nullptr || !(*value)->is_tensor()) return false;
  return is_byte((*value)->dtype()) && (*value)->rank() >= 2 && node.outputs().size() == 1 &&
         is_floating_point(node.output()->dtype());
}

class ConstantChains {
 public:
  ConstantChains(const ir::Program& program, const EngineChoice& engine)
      : graph_(*program.graph), engine_(engine), constants_(constant_inputs(program)) {
    for (const auto& node : graph_.nodes()) add(*node);
    find_results();
  }

  // What is to be computed, in batches.
  const std::vector<std::vector<Value*>>& batches() const { return batches_; }

 private:
  struct Chain {
    std::set<const Value*> made_of;
    size_t bytes = 0;          // of the node's results
    size_t made_of_bytes = 0;  // of the constants
    bool is_refused = false;   // the engine leaves this node or one before it outside
    bool is_view = false;      // it only arranges its argument anew, and the engine does so too
  };

  void add(const Node& node) {
    if (!is_pure(node) || node.outputs().empty() || !sub_graphs(node).empty()) return;
    if (!schema::kernel_for(node.op()) && !decompositions::find(node.op())) return;
    Chain chain;
    for (const Value* output : node.outputs()) {
      const auto bytes = static_nbytes(output);
      if (!bytes || *bytes > kLargestEngineIntermediate || is_complex(output->dtype())) return;
      chain.bytes += *bytes;
    }
    std::set<std::string> symbols;
    bool constant = true;
    for (const Argument& argument : node.args()) {
      collect_symbols(argument, symbols);
      Graph::for_each_value(argument, [&](const Value* value) {
        const Node* producer = value->producer();
        if (constants_.contains(value)) {
          chain.made_of.insert(value);
        } else if (const auto earlier = chains_.find(producer); earlier != chains_.end()) {
          chain.made_of.insert(earlier->second.made_of.begin(), earlier->second.made_of.end());
          chain.is_refused = chain.is_refused || earlier->second.is_refused;
        } else {
          constant = false;
        }
      });
    }
    if (!constant || !symbols.empty() || engine_.is_excluded(node)) return;
    if (chain.made_of.size() > kMostConstants) return;
    for (const Value* value : chain.made_of)
      chain.made_of_bytes += constants_.at(value)->data->nbytes();
    const bool takes = engine_.takes(node);
    const bool is_left =
        takes || (engine_.packs_decomposed_weights && decompositions::find(node.op()));
    if (is_left && widens_bytes(node)) return;
    chain.is_refused = chain.is_refused || !takes;
    chain.is_view = takes && view_step(node, 0).has_value();
    chains_.emplace(&node, std::move(chain));
  }

  // Whether the node's results become constants. If so, they are counted.
  bool choose(const Node& node, const Chain& chain, bool is_taken) {
    if (chain.is_view || chain.bytes > kEngineResults - result_bytes_) return false;
    // Zeros or a range cost an engine nothing.
    if (!has_value(node) && !chain.is_refused) return false;
    if (chain.bytes > std::max(kSmallEngineResult, chain.made_of_bytes)) {
      if (!chain.is_refused || !is_taken) return false;
      if (chain.bytes / kMostGrowth > chain.made_of_bytes) {
        if (chain.bytes > kLargeResult || chain.bytes > kTotalGrown - grown_bytes_) return false;
        grown_bytes_ += chain.bytes;
      }
    }
    result_bytes_ += chain.bytes;
    return true;
  }

  // From the last node to the first: where a chain's last node is not kept as a constant, one
  // before it may be.
  void find_results() {
    std::unordered_set<const Value*> needed;
    std::unordered_set<const Value*> taken;  // needed by a node of the engine
    for (const Argument& output : graph_.outputs()) {
      Graph::for_each_value(output, [&](const Value* value) { needed.insert(value); });
    }
    std::vector<std::pair<std::vector<Value*>, size_t>> found;
    for (auto it = graph_.nodes().rbegin(); it != graph_.nodes().rend(); ++it) {
      const Node& node = **it;
      const auto chain = chains_.find(&node);
      if (chain != chains_.end()) {
        std::vector<Value*> results;
        bool is_taken = false;
        for (Value* output : node.outputs()) {
          if (needed.contains(output)) results.push_back(output);
          is_taken = is_taken || taken.contains(output);
        }
        if (results.empty()) continue;
        if (choose(node, chain->second, is_taken)) {
          found.emplace_back(std::move(results), chain->second.bytes + chain->second.made_of_bytes);
          continue;
        }
      }
      bool reads_chain = false;
      const auto each = [&](const auto& visit) {
        for (const Argument& argument : node.args()) Graph::for_each_value(argument, visit);
      };
      each([&](const Value* value) {
        needed.insert(value);
        reads_chain = reads_chain || chains_.contains(value->producer());
      });
      if (!reads_chain || engine_.is_excluded(node) || !engine_.takes(node)) continue;
      each([&](const Value* value) { taken.insert(value); });
    }
    size_t batch_bytes = 0;
    for (auto it = found.rbegin(); it != found.rend(); ++it) {
      if (batches_.empty() || batch_bytes + it->second > kBatch) {
        batches_.emplace_back();
        batch_bytes = 0;
      }
      batch_bytes += it->second;
      batches_.back().insert(batches_.back().end(), it->first.begin(), it->first.end());
    }
  }

  const Graph& graph_;
  const EngineChoice& engine_;
  std::unordered_map<const Value*, const ir::Input*> constants_;
  std::unordered_map<const Node*, Chain> chains_;  // by last node
  size_t result_bytes_ = 0;
  size_t grown_bytes_ = 0;
  std::vector<std::vector<Value*>> batches_;
};

bool is_convolution(const Node& node) {
  return node.op().starts_with("aten.conv1d.") || node.op().starts_with("aten.conv2d.") ||
         node.op().starts_with("aten.conv3d.") || node.op().starts_with("aten.conv_transpose") ||
         node.op() == "aten.convolution.default" || node.op() == "aten._convolution.default";
}

// Takes the bias of a convolution of constants out of it where it is none itself, so that the rest
// is folded: an engine may compute the rest once and add the bias to that at every run, again and
// again.
Status separate_biases(ir::Program& program) {
  std::unordered_set<const Value*> constants;
  for (const auto& [value, input] : constant_inputs(program)) constants.insert(value);
  Replacements replacements;
  for (const auto& node : program.graph->nodes()) {
    bool is_constant = is_pure(*node) && sub_graphs(*node).empty();
    std::set<std::string> symbols;
    for (size_t i = 0; i < node->args().size(); ++i) {
      if (is_convolution(*node) && i == 2) continue;
      collect_symbols(node->arg(i), symbols);
      Graph::for_each_value(node->arg(i), [&](const Value* value) {
        is_constant = is_constant && constants.contains(value);
      });
    }
    if (!is_constant || !symbols.empty()) continue;
    auto* const* bias = is_convolution(*node) ? std::get_if<Value*>(&node->arg(2)) : nullptr;
    if (bias == nullptr || *bias == nullptr || constants.contains(*bias)) {
      constants.insert(node->outputs().begin(), node->outputs().end());
      continue;
    }
    // One number for each channel, whether there is a batch or not.
    std::vector<ir::SymInt> sizes(static_cast<size_t>(node->value(1)->rank()) - 1, 1);
    sizes.front() = (*bias)->sizes().front();
    ir::OpBuilder build(*program.graph, node.get(), node.get());
    std::vector<Argument> args = node->args();
    args[2] = ir::None();
    Value* product = build.call(node->op(), std::move(args), node->output()->type());
    replacements.add(node->output(), build.add(product, build.view(*bias, std::move(sizes))));
    if (!build.status().ok()) return build.status();
  }
  replacements.apply(*program.graph);
  return {};
}

}  // namespace

Status fold_for_engine(ir::Program& program, const Evaluator& evaluate,
                       const EngineChoice& engine) {
  SLIPWAY_RETURN_IF_ERROR(separate_biases(program));
  // Engines recognise weights of 8 bits where what converts them reads the constant itself.
  fold_views(program, [&](const Node& node, const ir::ConstantData& data) {
    return is_byte(data.dtype) && !engine.is_excluded(node);
  });
  const std::vector<std::vector<Value*>> batches = ConstantChains(program, engine).batches();
  for (const std::vector<Value*>& batch : batches) {
    if (compute_ahead(program, batch, evaluate).ok()) continue;
    // What kernels can't compute may still be what the engine can: it stays as it is.
    for (Value* value : batch) static_cast<void>(compute_ahead(program, {value}, evaluate));
  }
  return remove_dead_code(program);
}

}  // namespace slipway::passes
