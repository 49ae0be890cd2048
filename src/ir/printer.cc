// Programs as text for people (docs/ir.md).
#include <cmath>

#include <fmt/format.h>

#include "ir/program.h"

namespace slipway::ir {

namespace {

constexpr size_t kMaxListItems = 32;

template <class Items, class Print>
std::string list(const Items& items, Print print_item) {
  std::string result = "[";
  size_t count = 0;
  for (const auto& item : items) {
    if (count > 0) result += ", ";
    if (count == kMaxListItems) {
      result += fmt::format("... {} in all", items.size());
      break;
    }
    result += print_item(item);
    ++count;
  }
  return result + "]";
}

std::string name_of(const Value* value) { return value == nullptr ? "None" : "%" + value->name(); }

std::string number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  // 1.0 and not 1, which is an integer.
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

const char* flag(bool value) { return value ? "True" : "False"; }

std::string memory_format(MemoryFormat format) {
  switch (format.kind) {
    case MemoryFormat::kContiguous:
      return "contiguous_format";
    case MemoryFormat::kChannelsLast:
      return "channels_last";
    case MemoryFormat::kChannelsLast3d:
      return "channels_last_3d";
    case MemoryFormat::kPreserve:
      return "preserve_format";
  }
  return "";
}

struct ArgumentPrinter {
  std::string operator()(None) const { return "None"; }
  std::string operator()(const Value* value) const { return name_of(value); }
  std::string operator()(const std::vector<Value*>& values) const { return list(values, name_of); }
  std::string operator()(const SymInt& value) const { return value.to_string(); }
  std::string operator()(const std::vector<SymInt>& values) const {
    return list(values, [](const SymInt& value) { return value.to_string(); });
  }
  std::string operator()(double value) const { return number(value); }
  std::string operator()(const std::vector<double>& values) const { return list(values, number); }
  std::string operator()(bool value) const { return flag(value); }
  std::string operator()(const std::vector<bool>& values) const { return list(values, flag); }
  std::string operator()(const std::string& text) const { return quoted(text); }
  std::string operator()(const LongText& text) const {
    constexpr size_t kShown = 64;
    return fmt::format("{}... ({} bytes)", quoted(std::string(text.view().substr(0, kShown))),
                       text.view().size());
  }
  std::string operator()(const std::vector<std::string>& texts) const {
    return list(texts, quoted);
  }
  std::string operator()(DType dtype) const { return std::string(dtype_name(dtype)); }
  std::string operator()(MemoryFormat format) const { return memory_format(format); }
  std::string operator()(Layout layout) const { return layout.strided ? "strided" : "sparse"; }
  std::string operator()(const Device& device) const {
    return device.index < 0 ? device.type : fmt::format("{}:{}", device.type, device.index);
  }
  std::string operator()(ComplexNumber value) const {
    return fmt::format("({}, {}j)", number(value.real), number(value.imag));
  }
  std::string operator()(const OperatorName& op) const { return op.name; }
  std::string operator()(const std::vector<FloatItem>& items) const { return items_of(items); }
  std::string operator()(const std::vector<BoolItem>& items) const { return items_of(items); }
  std::string operator()(const std::vector<std::vector<SymInt>>& lists) const {
    return lists_of(lists);
  }
  std::string operator()(const std::vector<std::vector<double>>& lists) const {
    return lists_of(lists);
  }
  std::string operator()(const std::vector<std::vector<Value*>>& lists) const {
    return lists_of(lists);
  }
  std::string operator()(const Dictionary& dictionary) const {
    std::string text = list(dictionary.entries, [this](const DictionaryEntry& entry) {
      return fmt::format("{}: {}", quoted(entry.key), std::visit(*this, entry.value));
    });
    text.front() = '{';
    text.back() = '}';
    return text;
  }
  std::string operator()(const std::shared_ptr<Graph>&) const { return "graph"; }

 private:
  template <class Items>
  std::string items_of(const Items& items) const {
    return list(items, [this](const auto& item) { return std::visit(*this, item); });
  }
  template <class Lists>
  std::string lists_of(const Lists& lists) const {
    return list(lists, *this);
  }
};

std::string type_of(const Value* value) {
  switch (value->kind()) {
    case ValueKind::kTensor:
      return print(value->type());
    case ValueKind::kSymInt:
      return "int = " + value->expression().to_string();
    case ValueKind::kSymFloat:
      return "float";
    case ValueKind::kSymBool:
      return "bool";
    case ValueKind::kCustomObject:
      return "object";
    case ValueKind::kAbsent:
      return "None";
  }
  return "";
}

std::string typed(const Value* value) { return name_of(value) + ": " + type_of(value); }

template <class Items, class Print>
std::string joined(const Items& items, Print print_item) {
  std::string result;
  for (const auto& item : items) {
    if (!result.empty()) result += ", ";
    result += print_item(item);
  }
  return result;
}

std::string input_kind(const Input& input) {
  switch (input.kind) {
    case InputKind::kParameter:
      return "parameter";
    case InputKind::kBuffer:
      return input.persistent ? "buffer" : "buffer (not persistent)";
    case InputKind::kConstant:
      return "constant";
    case InputKind::kCustomObject:
      return "object";
    case InputKind::kToken:
      return "token";
    case InputKind::kUserInput:
      return "input";
    case InputKind::kLiteral:
      return "literal";
  }
  return "";
}

std::string print_input(const Input& input) {
  std::string line = "  " + input_kind(input) + " ";
  if (input.value == nullptr) return line + input.name + " = " + print(input.literal) + "\n";
  line += typed(input.value);
  if (input.data && !input.data->is_contiguous()) {
    line += fmt::format(" strides [{}]", fmt::join(input.data->strides, ", "));
  }
  if (!input.target.empty() && input.target != input.value->name()) line += "  # " + input.target;
  if (!input.object_type.empty()) line += "  # " + input.object_type;
  return line + "\n";
}

std::string print_output(const Output& output, const Argument& value) {
  switch (output.kind) {
    case OutputKind::kUserOutput:
      return "  output " + print(value) + "\n";
    case OutputKind::kBufferMutation:
      return "  buffer " + output.target + " <- " + print(value) + "\n";
    case OutputKind::kUserInputMutation:
      return "  input " + output.target + " <- " + print(value) + "\n";
    case OutputKind::kToken:
      return "  token " + print(value) + "\n";
  }
  return "";
}

std::string print_node(const Node& node, int indent) {
  std::string margin(static_cast<size_t>(indent), ' ');
  std::string line = margin + joined(node.outputs(), typed);
  if (!node.outputs().empty()) line += " = ";
  line += fmt::format("{}({})\n", node.op(),
                      joined(node.args(), [](const Argument& a) { return print(a); }));
  for (const Argument& argument : node.args()) {
    Graph::for_each_graph(
        argument, [&](const std::shared_ptr<Graph>& graph) { line += print(*graph, indent + 2); });
  }
  return line;
}

}  // namespace

std::string print(const TensorType& type) {
  std::string text = fmt::format("{}{}", dtype_name(type.dtype), format_sizes(type.sizes));
  if (!type.strides.empty() && type.strides != contiguous_strides(type.sizes)) {
    text += " strides " + format_sizes(type.strides);
  }
  return text;
}

std::string print(const Argument& argument) { return std::visit(ArgumentPrinter(), argument); }

std::string print(const Graph& graph, int indent) {
  std::string margin(static_cast<size_t>(indent), ' ');
  std::string text = fmt::format("{}graph({}):\n", margin, joined(graph.inputs(), typed));
  for (const auto& node : graph.nodes()) text += print_node(*node, indent + 2);
  text += fmt::format("{}  return {}\n", margin,
                      joined(graph.outputs(), [](const Argument& a) { return print(a); }));
  return text;
}

std::string print(const Program& program) {
  std::string text = fmt::format("program {}\n", program.source);
  for (const auto& [symbol, range] : program.ranges) {
    text += fmt::format("  symbol {} in [{}, {}]\n", symbol,
                        range.min ? std::to_string(*range.min) : "-inf",
                        range.max ? std::to_string(*range.max) : "inf");
  }
  for (const Input& input : program.inputs) text += print_input(input);
  for (const auto& node : program.graph->nodes()) text += print_node(*node, 2);
  for (size_t i = 0; i < program.outputs.size() && i < program.graph->outputs().size(); ++i) {
    text += print_output(program.outputs[i], program.graph->outputs()[i]);
  }
  return text;
}

}  // namespace slipway::ir
