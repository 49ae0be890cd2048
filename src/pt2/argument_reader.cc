#include "pt2/argument_reader.h"

#include <limits>

#include <fmt/core.h>

namespace slipway::pt2 {
namespace {

template <class T, class Read>
std::vector<T> read_list(JsonValue list, const Read& read) {
  std::vector<T> items;
  items.reserve(list.size());
  for (JsonValue item : list.items()) items.push_back(read(item));
  return items;
}

// {"as_name": ...} or {"as_int": ...}
ir::SymInt read_sym_int(JsonValue argument, Scope& scope) {
  const auto [tag, value] = argument.to_union();
  if (tag == "as_name") return scope.sym_int(value.to_string_view(), value);
  return value.to_int();
}

// as_sym_floats or as_sym_bools: values, and literals that `read` reads; a plain list where all are
// literals.
template <class T, class Read>
ir::Argument read_symbolic_list(JsonValue list, Scope& scope, const Read& read) {
  std::vector<std::variant<ir::Value*, T>> items;
  std::vector<T> literals;
  items.reserve(list.size());
  for (JsonValue item : list.items()) {
    const auto [tag, value] = item.to_union();
    if (tag == "as_name") {
      items.emplace_back(scope.value(value.to_string_view(), value));
    } else {
      literals.push_back(read(value));
      items.emplace_back(static_cast<T>(literals.back()));
    }
  }
  if (literals.size() == items.size()) return literals;
  return items;
}

ir::MemoryFormat read_memory_format(JsonValue value) {
  switch (value.to_int()) {
    case 1:
      return {ir::MemoryFormat::kContiguous};
    case 2:
      return {ir::MemoryFormat::kChannelsLast};
    case 3:
      return {ir::MemoryFormat::kChannelsLast3d};
    case 4:
      return {ir::MemoryFormat::kPreserve};
    default:
      value.fail("is no memory format");
      return {};
  }
}

ir::Device read_device(JsonValue value) {
  ir::Device device{.type = value["type"].to_string()};
  const JsonValue index = value.find("index");
  if (!index.is_none()) device.index = index.to_int();
  return device;
}

// An item of as_tensors; symbolic integers that a higher-order operator captures stand there too.
ir::Value* read_tensor(JsonValue argument, Scope& scope) {
  const JsonValue name = argument["name"];
  return scope.value(name.to_string_view(), name);
}

ir::Value* read_optional_tensor(JsonValue argument, Scope& scope) {
  const auto [tag, value] = argument.to_union();
  return tag == "as_none" ? nullptr : read_tensor(value, scope);
}

}  // namespace

Scope::Scope(JsonValue graph, ExpressionReader& expressions) : expressions_(expressions) {
  const JsonValue tensors = graph["tensor_values"];
  tensor_metas_.reserve(tensors.size());
  for (auto [name, meta] : tensors.members()) tensor_metas_.insert_or_assign(name, meta);
  const JsonValue sym_ints = graph.find("sym_int_values");
  for (auto [name, value] : sym_ints.members()) sym_ints_.insert_or_assign(name, value);
}

ir::TensorType Scope::tensor_type(std::string_view name, JsonValue at) {
  const auto found = tensor_metas_.find(name);
  if (found != tensor_metas_.end()) return expressions_.read_tensor_type(found->second);
  at.fail(fmt::format("names a tensor \"{}\" that has no entry in tensor_values", name));
  return {};
}

ir::SymInt Scope::sym_int(std::string_view name, JsonValue at) {
  const auto found = sym_ints_.find(name);
  if (found != sym_ints_.end()) return expressions_.read(found->second);
  at.fail(fmt::format("names an integer \"{}\" that has no entry in sym_int_values", name));
  return 0;
}

void Scope::define(std::string_view name, ir::Value* value, JsonValue at) {
  if (!values_.try_emplace(name, value).second) {
    at.fail(fmt::format("defines \"{}\" a second time", name));
  }
}

ir::Value* Scope::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : found->second;
}

ir::Value* Scope::value(std::string_view name, JsonValue at) const {
  ir::Value* found = find(name);
  if (found == nullptr) at.fail(fmt::format("names \"{}\", which nothing before it defines", name));
  return found;
}

std::string operator_name(std::string_view target) {
  constexpr std::string_view kPrefix = "torch.ops.";
  if (target.starts_with(kPrefix)) target.remove_prefix(kPrefix.size());
  return std::string(target);
}

double read_float(JsonValue value) {
  if (value.kind() != JsonValue::Kind::kString) return value.to_double();
  const std::string_view text = value.to_string_view();
  if (text == "Infinity" || text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity" || text == "-inf") return -std::numeric_limits<double>::infinity();
  if (text == "NaN" || text == "nan") return std::numeric_limits<double>::quiet_NaN();
  value.fail("is no number");
  return 0;
}

ir::Argument read_argument(JsonValue argument, Scope& scope, const SubgraphReader& subgraph) {
  const auto [tag, value] = argument.to_union();
  const auto to_int = [](JsonValue item) { return ir::SymInt(item.to_int()); };
  const auto to_string = [](JsonValue item) { return item.to_string(); };
  const auto to_bool = [](JsonValue item) { return item.to_bool(); };
  const auto to_tensor = [&](JsonValue item) { return read_tensor(item, scope); };

  if (tag == "as_tensor" || tag == "as_custom_obj") return read_tensor(value, scope);
  if (tag == "as_int") return ir::SymInt(value.to_int());
  if (tag == "as_ints") return read_list<ir::SymInt>(value, to_int);
  if (tag == "as_none") return ir::None();
  if (tag == "as_float") return read_float(value);
  if (tag == "as_bool") return value.to_bool();
  if (tag == "as_tensors") return read_list<ir::Value*>(value, to_tensor);
  if (tag == "as_sym_int") return read_sym_int(value, scope);
  if (tag == "as_sym_ints") {
    return read_list<ir::SymInt>(value, [&](JsonValue item) { return read_sym_int(item, scope); });
  }
  if (tag == "as_string") return value.to_string();
  if (tag == "as_strings") return read_list<std::string>(value, to_string);
  if (tag == "as_scalar_type") return read_dtype(value);
  if (tag == "as_memory_format") return read_memory_format(value);
  if (tag == "as_layout") return ir::Layout{.strided = value.to_int() == 7};
  if (tag == "as_device") return read_device(value);
  if (tag == "as_floats") return read_list<double>(value, read_float);
  if (tag == "as_bools") return read_list<bool>(value, to_bool);
  if (tag == "as_optional_tensor") {
    ir::Value* tensor = read_optional_tensor(value, scope);
    return tensor == nullptr ? ir::Argument(ir::None()) : ir::Argument(tensor);
  }
  if (tag == "as_optional_tensors") {
    return read_list<ir::Value*>(value,
                                 [&](JsonValue item) { return read_optional_tensor(item, scope); });
  }
  if (tag == "as_sym_bool" || tag == "as_sym_float") {
    const auto [kind, item] = value.to_union();
    if (kind == "as_name") return scope.value(item.to_string_view(), item);
    if (tag == "as_sym_bool") return item.to_bool();
    return read_float(item);
  }
  if (tag == "as_sym_bools") return read_symbolic_list<bool>(value, scope, to_bool);
  if (tag == "as_sym_floats") return read_symbolic_list<double>(value, scope, read_float);
  if (tag == "as_complex") {
    return ir::ComplexNumber{read_float(value["real"]), read_float(value["imag"])};
  }
  if (tag == "as_operator") return ir::OperatorName{operator_name(value.to_string_view())};
  if (tag == "as_int_lists") {
    return read_list<std::vector<ir::SymInt>>(
        value, [&](JsonValue item) { return read_list<ir::SymInt>(item, to_int); });
  }
  if (tag == "as_float_lists") {
    return read_list<std::vector<double>>(
        value, [](JsonValue item) { return read_list<double>(item, read_float); });
  }
  if (tag == "as_nested_tensors") {
    return read_list<std::vector<ir::Value*>>(
        value, [&](JsonValue item) { return read_list<ir::Value*>(item, to_tensor); });
  }
  if (tag == "as_string_to_argument") {
    ir::Dictionary dictionary;
    for (auto [key, item] : value.members()) {
      dictionary.entries.push_back({std::string(key), read_argument(item, scope, subgraph)});
    }
    return dictionary;
  }
  if (tag == "as_graph" && subgraph) return subgraph(value["graph"]);
  argument.fail(fmt::format("is an argument of the kind {}, which Slipway does not support", tag),
                ErrorCode::kUnsupported);
  return ir::None();
}

}  // namespace slipway::pt2
