#include "runtime/signature.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "pte/format/program_generated.h"
#include "runtime/element_types.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

Value literal_of(const fb::EValue& value) {
  switch (value.val_type()) {
    case fb::KernelTypes::Int:
      return value.val_as_Int()->int_val();
    case fb::KernelTypes::Bool:
      return value.val_as_Bool()->bool_val();
    case fb::KernelTypes::Double:
      return value.val_as_Double()->double_val();
    case fb::KernelTypes::String:
      return value.val_as_String()->string_val()->str();
    default:
      return std::monostate();
  }
}

Result<ValueInfo> describe(const pte::File& file, const fb::ExecutionPlan& plan, int32_t index,
                           const std::string& name) {
  const fb::EValue& value = *plan.values()->Get(static_cast<uint32_t>(index));
  if (value.val_type() != fb::KernelTypes::Tensor) {
    return ValueInfo{name, LiteralInfo{literal_of(value)}};
  }
  const fb::Tensor& tensor = *value.val_as_Tensor();
  auto dtype = from_executorch(static_cast<executorch::aten::ScalarType>(tensor.scalar_type()));
  if (!dtype) {
    return unsupported("{}: {} has element type {}, which Slipway does not run", file.name(), name,
                       fb::EnumNameScalarType(tensor.scalar_type()));
  }
  TensorInfo info;
  info.dtype = *dtype;
  const bool is_static = tensor.shape_dynamism() == fb::TensorShapeDynamism::STATIC;
  const size_t rank = tensor.sizes() == nullptr ? 0 : tensor.sizes()->size();
  for (uint32_t i = 0; i < rank; ++i) {
    const int32_t size = tensor.sizes()->Get(i);
    info.sizes.push_back({is_static ? std::to_string(size) : "?", is_static ? size : 0, size});
  }
  return ValueInfo{name, std::move(info)};
}

Tree flat_tree(size_t leaves) {
  Tree tree;
  tree.kind = Tree::Kind::kTuple;
  tree.children.resize(leaves);
  return tree;
}

// What the manifest knows better than the plan: the name, symbols and bounds.
Status refine(ValueInfo& info, const engine::ManifestValue& known, const std::string& where) {
  info.name = known.name;
  // A literal may be named "bool", which is also an element type.
  if (const auto* literal = std::get_if<LiteralInfo>(&info.type)) {
    if (known.sizes.empty()) return {};
    const auto* value = std::get_if<int64_t>(&literal->value);
    if (known.type != "int" || known.sizes.size() != 1 || known.min_sizes.size() != 1 ||
        known.max_sizes.size() != 1 || value == nullptr) {
      return invalid_file("{}: the manifest says it is a tensor, the program that it is not",
                          where);
    }
    info.type = IntegerInfo{{known.sizes[0], known.min_sizes[0], known.max_sizes[0]}, *value};
    return {};
  }
  auto& tensor = std::get<TensorInfo>(info.type);
  tensor.mutated = known.mutated;
  if (dtype_from_name(known.type) != tensor.dtype || known.sizes.size() != tensor.sizes.size()) {
    return invalid_file("{}: the manifest says {} of rank {}, the program {} of rank {}", where,
                        known.type, known.sizes.size(), dtype_name(tensor.dtype),
                        tensor.sizes.size());
  }
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    SizeInfo& size = tensor.sizes[i];
    if (size.text != "?") continue;
    size.text = known.sizes[i];
    if (i < known.min_sizes.size()) size.min = std::max<int64_t>(0, known.min_sizes[i]);
    if (i < known.max_sizes.size()) size.max = std::min(size.max, known.max_sizes[i]);
  }
  return {};
}

Result<std::vector<ValueInfo>> describe_all(const pte::File& file, const fb::ExecutionPlan& plan,
                                            const flatbuffers::Vector<int32_t>* indices,
                                            const std::vector<engine::ManifestValue>* known,
                                            const std::string& kind) {
  std::vector<ValueInfo> infos;
  const size_t count = indices == nullptr ? 0 : indices->size();
  if (known != nullptr && known->size() != count) {
    return invalid_file("{}: the manifest has {} {}s of method {}, the program {}", file.name(),
                        known->size(), kind, plan.name()->str(), count);
  }
  for (uint32_t i = 0; i < count; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(ValueInfo info,
                             describe(file, plan, indices->Get(i), fmt::format("{}{}", kind, i)));
    if (known != nullptr) {
      SLIPWAY_RETURN_IF_ERROR(
          refine(info, (*known)[i],
                 fmt::format("{}: {} {} of {}", file.name(), kind, i, plan.name()->str())));
    }
    infos.push_back(std::move(info));
  }
  return infos;
}

bool same_literal(const Value& given, const Value& exported) {
  if (const auto* integer = std::get_if<int64_t>(&given)) {
    if (const auto* real = std::get_if<double>(&exported)) {
      return static_cast<double>(*integer) == *real;
    }
  }
  if (given.index() != exported.index() || std::holds_alternative<Tensor>(given)) return false;
  return std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, Tensor>) {
          return true;
        } else {
          return held == std::get<T>(exported);
        }
      },
      given);
}

}  // namespace

std::span<const SizeInfo> sizes_of(const ValueInfo& info) {
  if (const auto* integer = std::get_if<IntegerInfo>(&info.type)) return {&integer->range, 1};
  if (const TensorInfo* tensor = info.tensor()) return tensor->sizes;
  return {};
}

Result<Signature> Signature::create(const pte::File& file, const std::string& method) {
  const fb::ExecutionPlan* plan = file.plan(method);
  if (plan == nullptr) return not_found("{} has no method '{}'", file.name(), method);
  const engine::ManifestMethod* known = file.described(method);

  Signature signature;
  SLIPWAY_ASSIGN_OR_RETURN(
      signature.inputs_,
      describe_all(file, *plan, plan->inputs(), known ? &known->inputs : nullptr, "input"));
  SLIPWAY_ASSIGN_OR_RETURN(
      signature.outputs_,
      describe_all(file, *plan, plan->outputs(), known ? &known->outputs : nullptr, "output"));
  signature.input_tree_ = known ? known->input_tree : flat_tree(signature.inputs_.size());
  signature.output_tree_ = known ? known->output_tree : flat_tree(signature.outputs_.size());
  if (signature.input_tree_.leaf_count() != static_cast<int64_t>(signature.inputs_.size())) {
    return invalid_file("{}: the manifest's input tree of {} has {} leaves for {} inputs",
                        file.name(), method, signature.input_tree_.leaf_count(),
                        signature.inputs_.size());
  }
  if (signature.output_tree_.leaf_count() != static_cast<int64_t>(signature.outputs_.size())) {
    return invalid_file("{}: the manifest's output tree of {} has {} leaves for {} outputs",
                        file.name(), method, signature.output_tree_.leaf_count(),
                        signature.outputs_.size());
  }

  for (const ValueInfo& info : signature.inputs_) {
    std::vector<Dimension>& dimensions = signature.dimensions_.emplace_back();
    for (const SizeInfo& size : sizes_of(info)) {
      Dimension dimension;
      dimension.min = size.min;
      dimension.max = size.max;
      auto expression = ShapeExpression::parse(size.text, signature.symbols_);
      if (expression && !expression->constant()) {
        dimension.symbol = expression->symbol();
        if (!dimension.symbol) {
          dimension.expression = std::move(expression);
          signature.has_expressions_ = true;
        }
      }
      dimensions.push_back(std::move(dimension));
    }
  }
  signature.symbol_values_.resize(signature.symbols_.size());
  signature.symbol_inputs_.resize(signature.symbols_.size());
  return signature;
}

std::optional<size_t> Signature::find_input(const std::string& name) const {
  auto found = std::find_if(inputs_.begin(), inputs_.end(),
                            [&](const ValueInfo& info) { return info.name == name; });
  if (found == inputs_.end()) return std::nullopt;
  return static_cast<size_t>(found - inputs_.begin());
}

std::string Signature::expected(size_t index) const {
  const ValueInfo& info = inputs_[index];
  const auto in_bounds = [](const SizeInfo& size) {
    return fmt::format("{} in {}..{}", size.text, size.min, size.max);
  };
  if (const auto* integer = std::get_if<IntegerInfo>(&info.type)) {
    return "int " + in_bounds(integer->range);
  }
  const TensorInfo* tensor = info.tensor();
  if (tensor == nullptr) return info.type_text();
  std::vector<std::string> sizes;
  for (const SizeInfo& size : tensor->sizes) {
    sizes.push_back(size.min == size.max ? std::to_string(size.max) : in_bounds(size));
  }
  return fmt::format("{}[{}]", dtype_name(tensor->dtype), fmt::join(sizes, ", "));
}

Error Signature::mismatch(size_t index, const std::string& got) const {
  return invalid_argument("input {} '{}': expected {}, got {}", index, inputs_[index].name,
                          expected(index), got);
}

Status Signature::check_size(size_t index, const Dimension& dimension, int64_t size,
                             const std::function<std::string()>& got) {
  if (size < dimension.min || size > dimension.max) return mismatch(index, got());
  if (!dimension.symbol) return {};
  const size_t symbol = static_cast<size_t>(*dimension.symbol);
  if (!symbol_values_[symbol]) {
    symbol_values_[symbol] = size;
    symbol_inputs_[symbol] = index;
  } else if (*symbol_values_[symbol] != size) {
    const size_t first = symbol_inputs_[symbol];
    return mismatch(index, fmt::format("{}, but {} is {} in input {} '{}'", got(),
                                       symbols_.name(*dimension.symbol), *symbol_values_[symbol],
                                       first, inputs_[first].name));
  }
  return {};
}

// One that is left out has the value in the file.
int64_t Signature::chosen_integer(size_t index, const Value& value) const {
  const auto* given = std::get_if<int64_t>(&value);
  return given ? *given : std::get<IntegerInfo>(inputs_[index].type).value;
}

Status Signature::check_number(size_t index, const Value& value) {
  const auto* literal = std::get_if<LiteralInfo>(&inputs_[index].type);
  if (literal == nullptr) {
    const auto got = [&] { return format_value_type(value); };
    if (!std::holds_alternative<int64_t>(value) && !std::holds_alternative<std::monostate>(value)) {
      return mismatch(index, got());
    }
    return check_size(index, dimensions_[index][0], chosen_integer(index, value), got);
  }
  if (std::holds_alternative<std::monostate>(value) || same_literal(value, literal->value)) {
    return {};
  }
  return mismatch(index,
                  format_value_type(value) + "; the program was exported for this one value of it");
}

Status Signature::check_tensor(size_t index, DType dtype, const Tensor& tensor) {
  const std::vector<Dimension>& dimensions = dimensions_[index];
  const auto got = [&] { return format_type(tensor.dtype(), tensor.sizes()); };
  if (tensor.dtype() != dtype || tensor.sizes().size() != dimensions.size()) {
    return mismatch(index, got());
  }
  for (size_t i = 0; i < dimensions.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(check_size(index, dimensions[i], tensor.sizes()[i], got));
  }
  const std::vector<int64_t>& sizes = tensor.sizes();
  if (tensor.nbytes() == 0 && std::find(sizes.begin(), sizes.end(), 0) == sizes.end()) {
    return mismatch(index, "a tensor without data, as Tensor() is");
  }
  if (tensor.nbytes() > 0) {
    const size_t alignment = std::min<size_t>(dtype_size(dtype), 8);
    const auto address = reinterpret_cast<uintptr_t>(tensor.data());
    if (address == 0 || address % alignment != 0) {
      return mismatch(index, fmt::format("{} at address {}, which is not a multiple of {}", got(),
                                         tensor.data(), alignment));
    }
  }
  return {};
}

Status Signature::check(std::span<const Value> inputs) {
  if (inputs.size() != inputs_.size()) {
    return invalid_argument("{} inputs are given for {}", inputs.size(), inputs_.size());
  }
  std::fill(symbol_values_.begin(), symbol_values_.end(), std::nullopt);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = inputs[i];
    const TensorInfo* expected = inputs_[i].tensor();
    if (expected == nullptr) {
      SLIPWAY_RETURN_IF_ERROR(check_number(i, value));
      continue;
    }
    const auto* tensor = std::get_if<Tensor>(&value);
    if (tensor == nullptr) return mismatch(i, format_value_type(value));
    if (auto status = check_tensor(i, expected->dtype, *tensor); !status.ok()) return status;
  }
  if (!has_expressions_) return {};

  for (const bool solving : {true, false}) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      for (size_t j = 0; j < dimensions_[i].size(); ++j) {
        const auto& expression = dimensions_[i][j].expression;
        if (!expression) continue;
        const auto* tensor = std::get_if<Tensor>(&inputs[i]);
        const int64_t size = tensor ? tensor->sizes()[j] : chosen_integer(i, inputs[i]);
        bool fits = true;
        if (solving) {
          fits = expression->solve(size, symbol_values_);
        } else if (auto value = expression->evaluate(symbol_values_)) {
          fits = *value == size;
        }
        if (!fits) {
          return mismatch(
              i, fmt::format("{}, whose size {} is not {} here", format_value_type(inputs[i]), size,
                             sizes_of(inputs_[i])[j].text));
        }
      }
    }
  }
  return {};
}

// "x.0" of a tensor, "n" of an integer.
std::string Signature::place_of(size_t index, size_t dimension) const {
  const std::string& name = inputs_[index].name;
  return is_chosen(index) ? name : fmt::format("{}.{}", name, dimension);
}

Status Signature::choose(const std::map<std::string, int64_t>& given, SymbolValues& values) const {
  for (const auto& [name, size] : given) {
    bool is_known = false;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      for (size_t j = 0; j < dimensions_[i].size(); ++j) {
        const Dimension& dimension = dimensions_[i][j];
        const bool is_symbol = dimension.symbol && symbols_.name(*dimension.symbol) == name;
        if (!is_symbol && place_of(i, j) != name) continue;
        is_known = true;
        if (size < dimension.min || size > dimension.max) {
          return invalid_argument("{} is between {} and {}, and can't be {}", name, dimension.min,
                                  dimension.max, size);
        }
        bool fits = true;
        if (dimension.symbol) {
          auto& value = values[static_cast<size_t>(*dimension.symbol)];
          fits = value.value_or(size) == size;
          value = size;
        } else if (dimension.expression && !dimension.expression->evaluate(values)) {
          fits = dimension.expression->solve(size, values);
        } else if (dimension.expression) {
          fits = dimension.expression->evaluate(values) == size;
        }
        if (!fits) return invalid_argument("{} can't be {} beside the other sizes", name, size);
      }
    }
    if (is_known) continue;
    std::vector<std::string> names;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      for (size_t j = 0; j < dimensions_[i].size(); ++j) {
        const Dimension& dimension = dimensions_[i][j];
        if (dimension.min < dimension.max) names.push_back(place_of(i, j));
      }
    }
    return invalid_argument("no size is called {}; {}", name,
                            names.empty() ? std::string("all sizes are fixed")
                                          : fmt::format("there are {}", fmt::join(names, ", ")));
  }
  return {};
}

Result<std::vector<std::vector<int64_t>>> Signature::example_sizes(
    const std::map<std::string, int64_t>& given) const {
  SymbolValues values(symbols_.size());
  SLIPWAY_RETURN_IF_ERROR(choose(given, values));
  const SymbolValues chosen = values;
  for (const auto& dimensions : dimensions_) {
    for (const Dimension& dimension : dimensions) {
      if (!dimension.symbol || chosen[static_cast<size_t>(*dimension.symbol)]) continue;
      auto& value = values[static_cast<size_t>(*dimension.symbol)];
      value = std::min(std::max(value.value_or(1), dimension.min), dimension.max);
    }
  }
  // A symbol that no size is alone may still have a least value: half of the least 2*s, say.
  constexpr int64_t kAttempts = 64;
  for (const auto& dimensions : dimensions_) {
    for (const Dimension& dimension : dimensions) {
      if (!dimension.expression || dimension.expression->evaluate(values)) continue;
      const int64_t least = std::max<int64_t>(dimension.min, 1);
      for (int64_t size = least; size - least < kAttempts && size <= dimension.max; ++size) {
        SymbolValues attempt = values;
        if (!dimension.expression->solve(size, attempt)) continue;
        values = attempt;
        break;
      }
    }
  }
  for (auto& value : values) value = value.value_or(1);
  std::vector<std::vector<int64_t>> sizes;
  for (const auto& dimensions : dimensions_) {
    auto& input = sizes.emplace_back();
    for (const Dimension& dimension : dimensions) {
      int64_t size = std::min(std::max<int64_t>(dimension.min, 1), dimension.max);
      if (dimension.symbol) size = *values[static_cast<size_t>(*dimension.symbol)];
      if (dimension.expression) size = dimension.expression->evaluate(values).value_or(size);
      input.push_back(size);
    }
  }
  return sizes;
}

}  // namespace slipway::runtime
