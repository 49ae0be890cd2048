#include "onnx/merge_equal_nodes.h"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "onnx/casts.h"

namespace slipway::onnx {
namespace {

constexpr uint64_t kMostBytes = 4096;  // of initializers that are compared

// Equal for equal initializers; nothing for those that are not compared.
std::optional<std::string> key_of(const Initializer& initializer) {
  const OwnedSpan* const data = initializer.data.span();
  if (data == nullptr || initializer.data.size() > kMostBytes) return std::nullopt;
  const std::string_view bytes(reinterpret_cast<const char*>(data->bytes.data()),
                               data->bytes.size());
  return fmt::format("{} {} {}", static_cast<int>(initializer.dtype), initializer.sizes, bytes);
}

// Its type and its value, to the bit.
std::optional<std::string> key_of(const Attribute& attribute) {
  return std::visit(
      [&](const auto& value) -> std::optional<std::string> {
        using T = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::shared_ptr<Graph>>) {
          return std::nullopt;
        } else if constexpr (std::is_same_v<T, float>) {
          return fmt::format("{} {:a}", attribute.index(), value);
        } else if constexpr (std::is_same_v<T, std::vector<float>>) {
          return fmt::format("{} {:a}", attribute.index(), fmt::join(value, " "));
        } else {
          return fmt::format("{} {}", attribute.index(), value);
        }
      },
      static_cast<const AnyAttribute&>(attribute));
}

class Merger {
 public:
  explicit Merger(Graph graph) : graph_(std::move(graph)) {
    for (const ValueType& output : graph_.outputs) given_.insert(output.name);
    for (const StateAlias& state : graph_.states) given_.insert(state.output);
    for (const Node& node : graph_.nodes) collect_captured(node, given_);
  }

  Graph run() {
    std::unordered_map<std::string, std::string> initializers;
    for (const Initializer& initializer : graph_.initializers) {
      const auto key = key_of(initializer);
      if (!key) continue;
      const auto [first, is_new] = initializers.try_emplace(*key, initializer.name);
      if (!is_new) same_[initializer.name] = first->second;
    }
    std::unordered_map<std::string, std::vector<std::string>> outputs;  // of each key's node
    std::vector<Node> nodes;
    nodes.reserve(graph_.nodes.size());
    for (Node& node : graph_.nodes) {
      const auto key = key_of_node(node);
      if (key) {
        const auto [first, is_new] = outputs.try_emplace(*key, node.outputs);
        if (!is_new && can_be(node.outputs, first->second)) {
          for (size_t i = 0; i < node.outputs.size(); ++i) {
            if (!node.outputs[i].empty()) same_[node.outputs[i]] = first->second[i];
          }
          continue;
        }
      }
      for (std::string& input : node.inputs) input = resolved(input);
      nodes.push_back(std::move(node));
    }
    graph_.nodes = std::move(nodes);
    return std::move(graph_);
  }

 private:
  const std::string& resolved(const std::string& name) const {
    const auto found = same_.find(name);
    return found == same_.end() ? name : found->second;
  }

  // Whether the first names can be left out for the others.
  bool can_be(const std::vector<std::string>& names, const std::vector<std::string>& others) const {
    if (names.size() != others.size()) return false;
    for (size_t i = 0; i < names.size(); ++i) {
      if (given_.contains(names[i]) || (!names[i].empty() && others[i].empty())) return false;
    }
    return true;
  }

  std::optional<std::string> key_of_node(const Node& node) const {
    for (const std::string_view random : {"Random", "Multinomial", "Bernoulli", "Dropout"}) {
      if (node.op_type.starts_with(random)) return std::nullopt;
    }
    std::vector<std::string> inputs;
    inputs.reserve(node.inputs.size());
    for (const std::string& input : node.inputs) inputs.push_back(resolved(input));
    std::map<std::string, std::string> attributes;
    for (const auto& [name, value] : node.attributes) {
      const auto key = key_of(value);
      if (!key) return std::nullopt;
      attributes[name] = *key;
    }
    return fmt::format("{} {} {} {}", node.op_type, node.outputs.size(), inputs, attributes);
  }

  Graph graph_;
  std::set<std::string> given_;  // names that have to stay
  std::unordered_map<std::string, std::string> same_;
};

}  // namespace

Graph merge_equal_nodes(Graph graph) { return Merger(std::move(graph)).run(); }

}  // namespace slipway::onnx
