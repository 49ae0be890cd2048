#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/try.h"
#include "ir/program.h"
#include "ir/scan.h"
#include "schema/schema.h"

namespace slipway::ir {

namespace {

using schema::BaseType;

bool holds_scalar(const Argument& argument) {
  if (auto* value = std::get_if<Value*>(&argument)) {
    return *value != nullptr &&
           ((*value)->kind() == ValueKind::kSymFloat || (*value)->kind() == ValueKind::kSymBool ||
            (*value)->kind() == ValueKind::kSymInt);
  }
  return std::holds_alternative<SymInt>(argument) || std::holds_alternative<double>(argument) ||
         std::holds_alternative<bool>(argument) || std::holds_alternative<ComplexNumber>(argument);
}

bool holds_tensor(const Argument& argument) {
  auto* value = std::get_if<Value*>(&argument);
  return value != nullptr && *value != nullptr && (*value)->is_tensor();
}

// An empty list in the archive may be of any type of list.
bool is_empty_list(const Argument& argument) {
  auto empty = [](const auto* items) { return items != nullptr && items->empty(); };
  return empty(std::get_if<std::vector<Value*>>(&argument)) ||
         empty(std::get_if<std::vector<SymInt>>(&argument)) ||
         empty(std::get_if<std::vector<double>>(&argument)) ||
         empty(std::get_if<std::vector<bool>>(&argument)) ||
         empty(std::get_if<std::vector<std::string>>(&argument));
}

template <class Item>
bool holds_items(const Argument& argument) {
  auto* items = std::get_if<std::vector<Item>>(&argument);
  return items != nullptr && std::all_of(items->begin(), items->end(), [](const Item& item) {
           auto* value = std::get_if<Value*>(&item);
           return value == nullptr || holds_scalar(*value);
         });
}

bool fits_list(const Argument& argument, const schema::Type& type) {
  if (is_empty_list(argument)) return true;
  switch (type.base) {
    case BaseType::kTensor: {
      auto* values = std::get_if<std::vector<Value*>>(&argument);
      if (values == nullptr) return false;
      for (const Value* value : *values) {
        if (value == nullptr ? !type.optional_items : !value->is_tensor()) return false;
      }
      return true;
    }
    case BaseType::kInt:
      return std::holds_alternative<std::vector<SymInt>>(argument) ||
             std::holds_alternative<std::vector<std::vector<SymInt>>>(argument);
    case BaseType::kFloat:
      return std::holds_alternative<std::vector<double>>(argument) ||
             std::holds_alternative<std::vector<SymInt>>(argument) ||
             holds_items<FloatItem>(argument);
    case BaseType::kBool:
      return std::holds_alternative<std::vector<bool>>(argument) || holds_items<BoolItem>(argument);
    case BaseType::kScalar:
      return std::holds_alternative<std::vector<SymInt>>(argument) ||
             std::holds_alternative<std::vector<double>>(argument) ||
             std::holds_alternative<std::vector<bool>>(argument) ||
             holds_items<FloatItem>(argument) || holds_items<BoolItem>(argument);
    case BaseType::kString:
      return std::holds_alternative<std::vector<std::string>>(argument);
    default:
      return true;
  }
}

bool fits(const Argument& argument, const schema::Type& type) {
  if (std::holds_alternative<None>(argument)) return type.optional;
  if (type.list) return fits_list(argument, type);
  switch (type.base) {
    case BaseType::kTensor:
      return holds_tensor(argument);
    case BaseType::kInt:
    case BaseType::kFloat:
    case BaseType::kBool:
    case BaseType::kScalar:
      return holds_scalar(argument);
    case BaseType::kString:
      return std::holds_alternative<std::string>(argument);
    case BaseType::kScalarType:
      return std::holds_alternative<DType>(argument);
    case BaseType::kLayout:
      return std::holds_alternative<Layout>(argument);
    case BaseType::kMemoryFormat:
      return std::holds_alternative<MemoryFormat>(argument);
    case BaseType::kDevice:
      return std::holds_alternative<Device>(argument);
    case BaseType::kGenerator:
    case BaseType::kOther:
      return true;
  }
  return true;
}

class GraphVerifier {
 public:
  explicit GraphVerifier(const Graph& graph) : graph_(graph) {}

  Status verify() {
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      const Value* value = graph_.inputs()[i];
      if (value->producer() != nullptr || value->index() != i) {
        return error("input {} is not linked to its graph", value->name());
      }
      SLIPWAY_RETURN_IF_ERROR(define(value));
    }
    for (const auto& node : graph_.nodes()) {
      Status status = verify_node(*node);
      if (!status.ok()) {
        return status.error().with_context(fmt::format("node {} ({})", node->name(), node->op()));
      }
    }
    for (const Argument& output : graph_.outputs()) {
      SLIPWAY_RETURN_IF_ERROR(verify_argument(output, "an output of the graph"));
    }
    return {};
  }

 private:
  // The reader's graphs come from files, but whatever it accepts must hold here: a finding is a
  // defect of the reader or of a pass.
  template <class... Args>
  static Error error(fmt::format_string<Args...> format, Args&&... args) {
    return internal_error(format, std::forward<Args>(args)...);
  }

  Status define(const Value* value) {
    if (!defined_.insert(value).second) return error("{} is defined twice", value->name());
    if (!names_.insert(value->name()).second) {
      return error("the name {} is taken twice", value->name());
    }
    if (value->kind() == ValueKind::kSymInt && value->expression().overflowed()) {
      return error("{} does not fit in 64 bits", value->name());
    }
    if (!value->is_tensor()) return {};
    const TensorType& type = value->type();
    if (!type.strides.empty() && type.strides.size() != type.sizes.size()) {
      return error("{} has {} sizes and {} strides", value->name(), type.sizes.size(),
                   type.strides.size());
    }
    for (const SymInt& size : type.sizes) {
      if (size.overflowed() || (size.is_constant() && *size.constant() < 0)) {
        return error("{} has the size {}", value->name(), size.to_string());
      }
    }
    if (type.is_static() &&
        (type.numel() * static_cast<int64_t>(dtype_size(type.dtype))).overflowed()) {
      return error("the bytes of {} do not fit in 64 bits: {}", value->name(), print(type));
    }
    return {};
  }

  Status verify_argument(const Argument& argument, const char* what) {
    Status status;
    Graph::for_each_value(argument, [&](Value* value) {
      if (status.ok() && !defined_.contains(value)) {
        status = error("{} uses {} before it is defined", what, value->name());
      }
      if (status.ok() && value->kind() == ValueKind::kAbsent) {
        status = error("{} uses {}, which holds nothing", what, value->name());
      }
    });
    if (!status.ok()) return status;
    if (auto* value = std::get_if<SymInt>(&argument); value != nullptr && value->overflowed()) {
      return error("{} holds an integer that does not fit in 64 bits", what);
    }
    if (auto* values = std::get_if<std::vector<SymInt>>(&argument)) {
      for (const SymInt& value : *values) SLIPWAY_RETURN_IF_ERROR(verify_argument(value, what));
    }
    if (auto* lists = std::get_if<std::vector<std::vector<SymInt>>>(&argument)) {
      for (const auto& list : *lists) SLIPWAY_RETURN_IF_ERROR(verify_argument(list, what));
    }
    if (auto* dictionary = std::get_if<Dictionary>(&argument)) {
      for (const DictionaryEntry& entry : dictionary->entries) {
        SLIPWAY_RETURN_IF_ERROR(verify_argument(entry.value, what));
      }
    }
    if (auto* graph = std::get_if<std::shared_ptr<Graph>>(&argument)) {
      if (*graph == nullptr) return error("{} holds no graph", what);
      return GraphVerifier(**graph).verify();
    }
    return {};
  }

  Status verify_node(const Node& node) {
    for (const Argument& argument : node.args()) {
      SLIPWAY_RETURN_IF_ERROR(verify_argument(argument, "an argument"));
    }
    if (const schema::Schema* schema = schema::find_operator(node.op())) {
      SLIPWAY_RETURN_IF_ERROR(verify_against(node, *schema));
    }
    if (node.op() == kCallEngine) SLIPWAY_RETURN_IF_ERROR(verify_call(node));
    if (node.op() == kScan) SLIPWAY_RETURN_IF_ERROR(scan_of(node));
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      const Value* value = node.outputs()[i];
      if (value->producer() != &node || value->index() != i) {
        return error("result {} is not linked to its node", value->name());
      }
      SLIPWAY_RETURN_IF_ERROR(define(value));
    }
    return {};
  }

  Status verify_against(const Node& node, const schema::Schema& schema) {
    if (node.args().size() != schema.parameters.size()) {
      return error("it has {} arguments, and the operator takes {}", node.args().size(),
                   schema.parameters.size());
    }
    for (size_t i = 0; i < node.args().size(); ++i) {
      const schema::Parameter& parameter = schema.parameters[i];
      if (!fits(node.arg(i), parameter.type)) {
        return error("argument {} is {}, which is not of type {}{}{}", parameter.name,
                     print(node.arg(i)), parameter.type.name, parameter.type.list ? "[]" : "",
                     parameter.type.optional ? "?" : "");
      }
    }
    bool list = std::any_of(schema.returns.begin(), schema.returns.end(),
                            [](const schema::Type& type) { return type.list; });
    if (!list && node.outputs().size() != schema.returns.size()) {
      return error("it has {} results, and the operator gives {}", node.outputs().size(),
                   schema.returns.size());
    }
    return {};
  }

  static Status verify_call(const Node& node) {
    const auto* engine = node.args().size() == 2 ? std::get_if<SymInt>(&node.arg(0)) : nullptr;
    const auto* inputs = engine ? std::get_if<std::vector<Value*>>(&node.arg(1)) : nullptr;
    if (!inputs || !engine->constant() || *engine->constant() < 0) {
      return error("it takes the number of an engine and a list of tensors");
    }
    auto is_tensor = [](const Value* value) { return value != nullptr && value->is_tensor(); };
    if (!std::all_of(inputs->begin(), inputs->end(), is_tensor) ||
        !std::all_of(node.outputs().begin(), node.outputs().end(), is_tensor)) {
      return error("engines take and give tensors only");
    }
    return {};
  }

  const Graph& graph_;
  std::unordered_set<const Value*> defined_;
  std::unordered_set<std::string> names_;
};

bool has_data(InputKind kind) {
  return kind == InputKind::kParameter || kind == InputKind::kBuffer ||
         kind == InputKind::kConstant;
}

Status verify_constant(const Input& input) {
  const ConstantData& data = *input.data;
  SLIPWAY_RETURN_IF_ERROR(data.check());
  const TensorType& type = input.value->type();
  std::vector<SymInt> sizes(data.sizes.begin(), data.sizes.end());
  if (type.dtype != data.dtype || type.sizes != sizes) {
    return internal_error("its value is {}, and its data {}", print(type),
                          format_type(data.dtype, data.sizes));
  }
  return {};
}

Status verify_inputs(const Program& program) {
  size_t next = 0;
  std::unordered_set<std::string> targets;
  for (const Input& input : program.inputs) {
    auto error = [&](const char* what) { return internal_error("input {} {}", input.name, what); };
    if (input.kind == InputKind::kLiteral) {
      if (input.value != nullptr) return error("is a literal with a value");
      continue;
    }
    if (next >= program.graph->inputs().size() || input.value != program.graph->inputs()[next]) {
      return error("does not follow the order of the graph's inputs");
    }
    ++next;
    if (!has_data(input.kind)) continue;
    if (!targets.insert(input.target).second) return error("has a target that is taken already");
    if (!input.data || !input.value->is_tensor()) return error("has no data");
    Status status = verify_constant(input);
    if (!status.ok()) {
      return status.error().with_context(fmt::format("{} (input {})", input.target, input.name));
    }
  }
  if (next != program.graph->inputs().size()) {
    return internal_error("the graph has {} inputs, and the signature {}",
                          program.graph->inputs().size(), next);
  }
  return {};
}

// What mutations may name: user inputs by name, and what has data by target.
struct MutationTargets {
  std::unordered_map<std::string_view, const Value*> user_inputs;
  std::unordered_map<std::string_view, const Value*> state;

  explicit MutationTargets(const Program& program) {
    for (const Input& input : program.inputs) {
      if (input.value == nullptr) continue;
      if (input.kind == InputKind::kUserInput) user_inputs.try_emplace(input.name, input.value);
      if (has_data(input.kind)) state.try_emplace(input.target, input.value);
    }
  }
};

Status verify_mutation(const MutationTargets& targets, const Output& output,
                       const Argument& value) {
  bool user_input = output.kind == OutputKind::kUserInputMutation;
  const auto& candidates = user_input ? targets.user_inputs : targets.state;
  auto found = candidates.find(output.target);
  if (found == candidates.end()) {
    return internal_error("{} is set, but there is no such {}", output.target,
                          user_input ? "input" : "buffer");
  }
  const Value* input = found->second;
  if (!holds_tensor(value) || !input->is_tensor()) {
    return internal_error("what {} is set to is not a tensor", output.target);
  }
  const TensorType& to = std::get<Value*>(value)->type();
  if (to.dtype != input->dtype() || to.sizes != input->sizes()) {
    return internal_error("{} is {}, and is set to {}", output.target, print(input->type()),
                          print(to));
  }
  return {};
}

Status verify_outputs(const Program& program) {
  if (program.outputs.size() != program.graph->outputs().size()) {
    return internal_error("the graph has {} outputs, and the signature {}",
                          program.graph->outputs().size(), program.outputs.size());
  }
  const MutationTargets targets(program);
  bool user_outputs = false;
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    const Output& output = program.outputs[i];
    if (output.kind == OutputKind::kUserOutput) user_outputs = true;
    bool mutation =
        output.kind == OutputKind::kBufferMutation || output.kind == OutputKind::kUserInputMutation;
    if (!mutation) continue;
    if (user_outputs) return internal_error("a mutation comes after the user outputs");
    SLIPWAY_RETURN_IF_ERROR(verify_mutation(targets, output, program.graph->outputs()[i]));
  }
  return {};
}

Status verify_ranges(const Program& program) {
  for (const auto& [symbol, range] : program.ranges) {
    if (range.min && range.max && *range.min > *range.max) {
      return internal_error("the range of symbol {} is empty", symbol);
    }
  }
  return {};
}

}  // namespace

Status verify(const Program& program) {
  for (auto check : {verify_ranges, verify_inputs, verify_outputs}) {
    SLIPWAY_RETURN_IF_ERROR(check(program));
  }
  return GraphVerifier(*program.graph).verify();
}

}  // namespace slipway::ir
