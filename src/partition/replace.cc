#include <functional>
#include <queue>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "ir/op_builder.h"
#include "partition/dependencies.h"
#include "partition/partition.h"

namespace slipway::partition {
namespace {

using ir::Graph;
using ir::Node;
using ir::Value;

// The order of a graph whose partitions are one step each: by item, which is a partition or, after
// them, a node outside.
class Order {
 public:
  Order(const Dependencies& dependencies, const Plan& plan)
      : dependencies_(dependencies), item_of_(dependencies.nodes.size(), SIZE_MAX) {
    items_.resize(plan.partitions.size());
    for (size_t p = 0; p < plan.partitions.size(); ++p) {
      for (const Node* node : plan.partitions[p].nodes) {
        const auto position = dependencies.position.find(node);
        if (position != dependencies.position.end()) item_of_[position->second] = p;
      }
    }
    for (size_t i = 0; i < item_of_.size(); ++i) {
      if (item_of_[i] == SIZE_MAX) {
        item_of_[i] = items_.size();
        items_.emplace_back();
      }
      items_[item_of_[i]].push_back(i);
    }
  }

  // The nodes at the positions in `dependencies` that are one item.
  const std::vector<size_t>& item(size_t i) const { return items_[i]; }

  // The place of each item; an error where one needs what it gives. Of several that could be next,
  // the one that came first comes first: values then live as long as they did.
  Result<std::vector<size_t>> places() const {
    std::vector<std::vector<size_t>> users(items_.size());
    std::vector<size_t> waiting(items_.size());
    for (size_t i = 0; i < item_of_.size(); ++i) {
      for (size_t needed : dependencies_.needs[i]) {
        if (item_of_[needed] == item_of_[i]) continue;
        users[item_of_[needed]].push_back(item_of_[i]);
        ++waiting[item_of_[i]];
      }
    }
    using Candidate = std::pair<size_t, size_t>;  // first position, item
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> ready;
    for (size_t i = 0; i < items_.size(); ++i) {
      if (waiting[i] == 0 && !items_[i].empty()) ready.emplace(items_[i].front(), i);
    }
    std::vector<size_t> places(items_.size(), SIZE_MAX);
    size_t next = 0;
    while (!ready.empty()) {
      const size_t item = ready.top().second;
      ready.pop();
      places[item] = next++;
      for (size_t user : users[item]) {
        if (--waiting[user] == 0) ready.emplace(items_[user].front(), user);
      }
    }
    for (size_t i = 0; i < places.size(); ++i) {
      if (places[i] == SIZE_MAX) {
        return internal_error("partition {} is empty, or needs what follows from it", i);
      }
    }
    return places;
  }

 private:
  const Dependencies& dependencies_;
  std::vector<size_t> item_of_;
  std::vector<std::vector<size_t>> items_;
};

}  // namespace

Status replace(ir::Program& program, const Plan& plan, size_t first_engine,
               const std::vector<std::vector<std::string>>& symbols) {
  if (symbols.size() != plan.partitions.size()) {
    return internal_error("{} partitions with the symbols of {}", plan.partitions.size(),
                          symbols.size());
  }
  Graph& graph = *program.graph;
  const Dependencies dependencies(graph);
  const Order order(dependencies, plan);
  SLIPWAY_ASSIGN_OR_RETURN(const std::vector<size_t> places, order.places());

  std::unordered_map<const Node*, size_t> ranks;
  for (size_t item = 0; item < places.size(); ++item) {
    for (size_t i : order.item(item)) ranks.emplace(dependencies.nodes[i], places[item]);
  }
  for (size_t p = 0; p < plan.partitions.size(); ++p) {
    Node* first = dependencies.nodes[order.item(p).front()];
    std::vector<Value*> inputs;
    for (const Value* input : plan.partitions[p].inputs)
      inputs.push_back(const_cast<Value*>(input));
    ir::OpBuilder builder(graph, nullptr, first);
    for (const std::string& symbol : symbols[p]) {
      inputs.push_back(builder.full({1}, ir::SymInt::symbol(symbol), DType::kInt64));
      ranks.emplace(inputs.back()->producer(), places[p]);
    }
    Node* call = graph.add_node(
        ir::kCallEngine, {ir::SymInt(static_cast<int64_t>(first_engine + p)), std::move(inputs)},
        {.before = nullptr, .origin = first, .stack_trace = {}, .name = {}});
    ranks.emplace(call, places[p]);
    for (const Value* output : plan.partitions[p].outputs) {
      graph.move_output(const_cast<Value*>(output), call);
    }
  }
  for (size_t p = 0; p < plan.partitions.size(); ++p) {
    for (size_t i : order.item(p)) graph.erase(dependencies.nodes[i]);
  }
  graph.sort([&ranks](const Node* node) { return ranks.at(node); });
  return {};
}

}  // namespace slipway::partition
