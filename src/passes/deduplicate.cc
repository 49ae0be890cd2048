#include <bit>
#include <map>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/try.h"
#include "ir/equal_constants.h"
#include "ir/queries.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::SymInt;
using ir::Value;

// Writes nodes as text, so that equal ones and only they give equal texts.
class KeyWriter {
 public:
  explicit KeyWriter(const Replacements& replacements) : replacements_(replacements) {}

  // Empty for a node that is not to be merged.
  std::string write(const Node& node) {
    if (!sub_graphs(node).empty()) return {};
    text_ = node.op();
    for (const Argument& argument : node.args()) {
      text_ += '|';
      add(argument);
    }
    // A symbol that the node defines is its own, and keeps it apart.
    for (const Value* output : node.outputs()) {
      text_ += '>';
      if (output->is_tensor()) {
        add(output->dtype());
        add(output->sizes());
      } else {
        add(output->expression());
      }
    }
    return text_;
  }

 private:
  template <class T>
  void add(const std::vector<T>& items) {
    text_ += '[';
    for (const auto& item : items) {
      add(static_cast<const T&>(item));
      text_ += ',';
    }
    text_ += ']';
  }
  // Also the items of lists of numbers and values.
  template <class... T>
  void add(const std::variant<T...>& any) {
    text_ += std::to_string(any.index()) + ':';
    std::visit([this](const auto& content) { this->add(content); }, any);
  }
  void add(const ir::Dictionary& dictionary) { add(dictionary.entries); }
  void add(const ir::DictionaryEntry& entry) {
    add(entry.key);
    add(entry.value);
  }
  void add(ir::None) {}
  void add(Value* value) {
    if (value) value = replacements_.resolve(value);
    text_ += std::to_string(reinterpret_cast<uintptr_t>(value));
  }
  void add(const SymInt& expression) { text_ += expression.to_string(); }
  void add(double number) { text_ += std::to_string(std::bit_cast<uint64_t>(number)); }
  void add(bool value) { text_ += value ? '1' : '0'; }
  void add(const std::string& value) { text_ += std::to_string(value.size()) + value; }
  void add(const ir::LongText& text) { add(std::string(text.view())); }
  void add(DType dtype) { text_ += std::to_string(static_cast<int>(dtype)); }
  void add(ir::MemoryFormat format) { text_ += std::to_string(static_cast<int>(format.kind)); }
  void add(ir::Layout layout) { add(layout.strided); }
  void add(const ir::Device& device) {
    add(device.type);
    text_ += std::to_string(device.index);
  }
  void add(ir::ComplexNumber number) {
    add(number.real);
    add(number.imag);
  }
  void add(const ir::OperatorName& name) { add(name.name); }
  void add(const std::shared_ptr<Graph>&) {}

  const Replacements& replacements_;
  std::string text_;
};

void merge_nodes(Graph& graph) {
  Replacements replacements;
  KeyWriter writer(replacements);
  std::unordered_map<std::string, const Node*> seen;
  std::vector<Node*> merged;
  for (const auto& node : graph.nodes()) {
    for (Graph* inner : sub_graphs(*node)) merge_nodes(*inner);
    if (!is_pure(*node) || node->outputs().empty()) continue;
    std::string key = writer.write(*node);
    if (key.empty()) continue;
    auto [first, is_new] = seen.try_emplace(std::move(key), node.get());
    if (is_new) continue;
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      replacements.add(node->output(i), first->second->output(i));
    }
    merged.push_back(node.get());
  }
  replacements.apply(graph);
  for (auto it = merged.rbegin(); it != merged.rend(); ++it) graph.erase(*it);
}

Status merge_constants(ir::Program& program) {
  const std::set<std::string> mutated = mutated_targets(program);
  std::map<std::pair<DType, std::vector<int64_t>>, std::vector<const ir::Input*>> groups;
  for (const ir::Input& input : program.inputs) {
    if (input.value && input.data && !mutated.contains(input.target)) {
      groups[{input.data->dtype, input.data->sizes}].push_back(&input);
    }
  }
  Replacements replacements;
  for (const auto& [type, inputs] : groups) {
    if (inputs.size() < 2) continue;
    ir::EqualConstants constants;
    std::vector<Value*> first;
    for (const ir::Input* input : inputs) {
      SLIPWAY_ASSIGN_OR_RETURN(const size_t number, constants.add(*input->data));
      if (number == first.size()) {
        first.push_back(input->value);
      } else {
        replacements.add(input->value, first[number]);
      }
    }
  }
  if (replacements.empty()) return {};
  replacements.apply(*program.graph);
  program.remove_unused_constants();
  return {};
}

}  // namespace

Status deduplicate(ir::Program& program) {
  SLIPWAY_RETURN_IF_ERROR(merge_constants(program));
  merge_nodes(*program.graph);
  return {};
}

}  // namespace slipway::passes
