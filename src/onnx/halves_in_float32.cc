#include "onnx/halves_in_float32.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/half.h"
#include "onnx/casts.h"
#include "onnx/value_types.h"

namespace slipway::onnx {

namespace {

// Their results are among the elements of their operands, but for the sign.
bool chooses(const Node& node) {
  constexpr std::string_view kChoosing[] = {
      "Abs",       "Clip",      "Concat",         "Expand",
      "Flatten",   "Gather",    "GatherElements", "GatherND",
      "Identity",  "Max",       "MaxPool",        "Min",
      "Neg",       "Pad",       "ReduceMax",      "ReduceMin",
      "Relu",      "Reshape",   "Slice",          "ScatterElements",
      "ScatterND", "Split",     "Squeeze",        "Tile",
      "TopK",      "Transpose", "Unsqueeze",      "Where"};
  return std::find(std::begin(kChoosing), std::end(kChoosing), node.op_type) != std::end(kChoosing);
}

bool is_product(const Node& node) {
  return node.op_type == "MatMul" || node.op_type == "Gemm" || node.op_type.starts_with("Conv");
}

class Widener {
 public:
  explicit Widener(Graph graph)
      : graph_(std::move(graph)), types_(value_types(graph_)), original_(std::move(graph_.nodes)) {
    graph_.nodes.clear();
    for (const auto& [name, type] : types_) names_.insert(name);
    for (const ValueType& output : graph_.outputs) fixed_.insert(output.name);
    for (const Node& node : original_) {
      collect_captured(node, fixed_);
      for (const std::string& input : node.inputs) users_[input].push_back(&node);
      for (const std::string& output : node.outputs) producers_[output] = &node;
    }
  }

  Graph run() {
    for (const Node& node : original_) {
      if (node.op_type == "Cast") {
        convert_cast(node);
      } else {
        convert(node);
      }
    }
    return std::move(graph_);
  }

 private:
  // A half in float32: exact, or not rounded yet.
  struct Wide {
    std::string name;
    bool is_exact = true;
  };

  bool is_of_half(const std::string& name) const {
    const auto found = types_.find(name);
    return found != types_.end() && is_half(found->second);
  }

  const Wide& wide(const std::string& half, const Node& user) {
    Wide& known = wide_[half];
    if (known.name.empty()) {
      known.name = take_name(half + "_fp32", names_);
      graph_.nodes.push_back(make_cast(half, known.name, DType::kFloat32, user));
    }
    return known;
  }

  // Whether nothing but nodes of its producer's origin read it, Casts aside, which are nothing
  // here. Products have operands of the half type, but for weights of attention.
  bool stays_within(const std::string& name, const Node& producer) const {
    if (fixed_.contains(name) || producer.origin.empty()) return false;
    const auto found = users_.find(name);
    if (found == users_.end()) return true;
    return std::all_of(found->second.begin(), found->second.end(), [&](const Node* user) {
      if (user->op_type == "Cast" && is_floating(user->outputs[0])) {
        return stays_within(user->outputs[0], producer);
      }
      return user->origin == producer.origin &&
             (!is_product(*user) || producer.op_type == "Softmax");
    });
  }

  bool is_floating(const std::string& name) const {
    const auto found = types_.find(name);
    return found != types_.end() && (found->second == DType::kFloat32 || is_half(found->second));
  }

  std::string renamed(const std::string& name) const {
    const auto found = renamed_.find(name);
    return found == renamed_.end() ? name : found->second;
  }

  void convert_cast(const Node& original) {
    Node node = original;
    const std::string& output = original.outputs[0];
    const std::string input = original.inputs[0];
    if (is_of_half(input)) {
      const bool is_to_float32 = types_.at(output) == DType::kFloat32;
      if (is_to_float32 && !fixed_.contains(output)) {
        renamed_[output] = wide(input, original).name;
        return;
      }
      if (const auto known = wide_.find(input); known != wide_.end()) {
        node.inputs[0] = known->second.name;
        if (is_to_float32) node.op_type = "Identity";
        if (is_to_float32) node.attributes.clear();
      }
    } else {
      node.inputs[0] = renamed(input);
      const auto producer = producers_.find(input);
      const bool is_within = is_of_half(output) && producer != producers_.end() &&
                             producer->second->origin == original.origin &&
                             types_.at(input) == DType::kFloat32 &&
                             stays_within(output, *producer->second);
      if (is_within) {
        wide_[output] = {node.inputs[0], false};
        return;
      }
    }
    graph_.nodes.push_back(std::move(node));
  }

  void convert(const Node& original) {
    Node node = original;
    bool is_exact = chooses(original);
    for (std::string& input : node.inputs) {
      if (is_of_half(input)) {
        const Wide known = wide(input, original);
        is_exact = is_exact && known.is_exact;
        input = known.name;
      } else {
        input = renamed(input);
      }
    }
    std::vector<Node> rounds;
    for (std::string& output : node.outputs) {
      if (!is_of_half(output)) continue;
      const std::string half = output;
      output = take_name(half + "_fp32", names_);
      if (!fixed_.contains(half) && (is_exact || stays_within(half, original))) {
        wide_[half] = {output, is_exact};
      } else {
        rounds.push_back(make_cast(output, half, types_.at(half), original));
      }
    }
    graph_.nodes.push_back(std::move(node));
    std::move(rounds.begin(), rounds.end(), std::back_inserter(graph_.nodes));
  }

  Graph graph_;
  const ValueTypes types_;
  const std::vector<Node> original_;
  std::set<std::string> names_;  // taken
  std::set<std::string> fixed_;  // outputs, and what branches refer to
  std::unordered_map<std::string, std::vector<const Node*>> users_;
  std::unordered_map<std::string, const Node*> producers_;
  std::unordered_map<std::string, Wide> wide_;            // by the name of the half
  std::unordered_map<std::string, std::string> renamed_;  // what is float32, by another value
};

}  // namespace

Graph compute_halves_in_float32(Graph graph) { return Widener(std::move(graph)).run(); }

}  // namespace slipway::onnx
