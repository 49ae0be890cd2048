#include "pt2/argument_writer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"
#include "ir/program.h"
#include "pt2/tensor_meta.h"

namespace slipway::pt2 {
namespace {

// Words that no variable of Python may be named.
constexpr std::array<std::string_view, 35> kKeywords = {
    "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
    "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
    "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
    "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::string identifier(std::string_view text) {
  std::string name;
  for (const char c : text) name += is_letter(c) || (c >= '0' && c <= '9') ? c : '_';
  if (name.empty() || !is_letter(name[0])) name.insert(0, "_");
  if (std::find(kKeywords.begin(), kKeywords.end(), name) != kKeywords.end()) name += '_';
  return name;
}

// Functions that torch.export calls by their names in Python.
constexpr std::string_view kPythonPrefixes[] = {"_operator.", "math.", "builtins.", "torch.", "#"};

int64_t memory_format_number(const ir::MemoryFormat& format) {
  switch (format.kind) {
    case ir::MemoryFormat::kContiguous:
      return 1;
    case ir::MemoryFormat::kChannelsLast:
      return 2;
    case ir::MemoryFormat::kChannelsLast3d:
      return 3;
    case ir::MemoryFormat::kPreserve:
      break;
  }
  return 4;
}

void write_float(double number, JsonWriter& json) {
  if (std::isnan(number)) {
    json.value("NaN");
  } else if (std::isinf(number)) {
    json.value(number > 0 ? "Infinity" : "-Infinity");
  } else {
    json.value(number);
  }
}

void write_literal(double number, JsonWriter& json) { write_float(number, json); }
void write_literal(bool flag, JsonWriter& json) { json.value(flag); }
void write_literal(const std::string& text, JsonWriter& json) { json.value(text); }

template <class List>
void write_literals(const List& items, JsonWriter& json) {
  json.begin_array();
  for (const auto& item : items) write_literal(item, json);
  json.end_array();
}

}  // namespace

NameTable::NameTable(const ir::Graph& graph) {
  const auto name = [this](const ir::Value* value) {
    if (value->kind() != ir::ValueKind::kAbsent) names_[value] = add(value->name());
  };
  std::for_each(graph.inputs().begin(), graph.inputs().end(), name);
  for (const auto& node : graph.nodes()) {
    std::for_each(node->outputs().begin(), node->outputs().end(), name);
  }
}

std::string NameTable::add(std::string_view name) {
  const std::string base = identifier(name);
  std::string unique = base;
  for (int i = 1; !taken_.insert(unique).second; ++i) unique = fmt::format("{}_{}", base, i);
  return unique;
}

std::string target_of(const std::string& op) {
  for (const std::string_view prefix : kPythonPrefixes) {
    if (op.starts_with(prefix)) return op;
  }
  return "torch.ops." + op;
}

void ArgumentWriter::write_tensor(const ir::Value* value, JsonWriter& json) const {
  json.begin_object().key("name").value(names_[value]).end_object();
}

void ArgumentWriter::write_object(const ir::Value* value, JsonWriter& json) const {
  const auto known = object_types_.find(value);
  json.begin_object().key("name").value(names_[value]).key("class_fqn");
  json.value(known == object_types_.end() ? source_.object_type(value->name()) : known->second);
  json.end_object();
}

void ArgumentWriter::write(const ir::Value* value, JsonWriter& json) const {
  const auto by_name = [&](const char* tag) {
    json.key(tag).begin_object().key("as_name").value(names_[value]).end_object();
  };
  json.begin_object();
  switch (value->kind()) {
    case ir::ValueKind::kTensor:
      json.key("as_tensor");
      write_tensor(value, json);
      break;
    case ir::ValueKind::kCustomObject:
      json.key("as_custom_obj");
      write_object(value, json);
      break;
    case ir::ValueKind::kSymInt:
      by_name("as_sym_int");
      break;
    case ir::ValueKind::kSymFloat:
      by_name("as_sym_float");
      break;
    case ir::ValueKind::kSymBool:
      by_name("as_sym_bool");
      break;
    case ir::ValueKind::kAbsent:
      json.key("as_none").value(true);
      break;
  }
  json.end_object();
}

Status ArgumentWriter::write_sym_int(const ir::SymInt& integer, JsonWriter& json) const {
  if (const auto number = integer.constant()) {
    json.begin_object().key("as_int").value(*number).end_object();
    return {};
  }
  const auto value = sizes_.find(integer);
  if (value == sizes_.end()) {
    return internal_error("no value of the graph holds {}", integer.to_string());
  }
  json.begin_object().key("as_name").value(names_[value->second]).end_object();
  return {};
}

Status ArgumentWriter::write_sym_ints(const std::vector<ir::SymInt>& integers,
                                      JsonWriter& json) const {
  const bool all_known = std::all_of(integers.begin(), integers.end(),
                                     [](const ir::SymInt& item) { return item.is_constant(); });
  json.key(all_known ? "as_ints" : "as_sym_ints").begin_array();
  for (const ir::SymInt& item : integers) {
    if (all_known) {
      json.value(*item.constant());
    } else {
      SLIPWAY_RETURN_IF_ERROR(write_sym_int(item, json));
    }
  }
  json.end_array();
  return {};
}

Status ArgumentWriter::write_int_lists(const std::vector<std::vector<ir::SymInt>>& lists,
                                       JsonWriter& json) const {
  json.key("as_int_lists").begin_array();
  for (const auto& list : lists) {
    json.begin_array();
    for (const ir::SymInt& item : list) {
      if (!item.is_constant()) {
        return unsupported("archives have no lists of lists with a symbolic integer, such as {}",
                           item.to_string());
      }
      json.value(*item.constant());
    }
    json.end_array();
  }
  json.end_array();
  return {};
}

void ArgumentWriter::write_tensors(const std::vector<ir::Value*>& values, bool optional,
                                   JsonWriter& json) const {
  json.key(optional ? "as_optional_tensors" : "as_tensors").begin_array();
  for (const ir::Value* value : values) {
    if (!optional) {
      write_tensor(value, json);
      continue;
    }
    json.begin_object();
    if (value == nullptr) {
      json.key("as_none").value(true);
    } else {
      json.key("as_tensor");
      write_tensor(value, json);
    }
    json.end_object();
  }
  json.end_array();
}

template <class T>
void ArgumentWriter::write_items(const std::vector<std::variant<ir::Value*, T>>& items,
                                 const char* literal, JsonWriter& json) const {
  json.begin_array();
  for (const auto& item : items) {
    json.begin_object();
    if (const auto* value = std::get_if<ir::Value*>(&item)) {
      json.key("as_name").value(names_[*value]);
    } else {
      json.key(literal);
      write_literal(std::get<T>(item), json);
    }
    json.end_object();
  }
  json.end_array();
}

Status ArgumentWriter::write(const ir::Argument& argument, JsonWriter& json) const {
  if (const auto* value = std::get_if<ir::Value*>(&argument)) {
    write(*value, json);
    return {};
  }

  Status status;
  const auto visit = [&]<class T>(const T& held) {
    if constexpr (std::is_same_v<T, ir::None>) {
      json.key("as_none").value(true);
    } else if constexpr (std::is_same_v<T, std::vector<ir::Value*>>) {
      const bool has_none = std::find(held.begin(), held.end(), nullptr) != held.end();
      write_tensors(held, has_none, json);
    } else if constexpr (std::is_same_v<T, ir::SymInt>) {
      if (const auto number = held.constant()) {
        json.key("as_int").value(*number);
      } else {
        json.key("as_sym_int");
        status = write_sym_int(held, json);
      }
    } else if constexpr (std::is_same_v<T, std::vector<ir::SymInt>>) {
      status = write_sym_ints(held, json);
    } else if constexpr (std::is_same_v<T, double>) {
      json.key("as_float");
      write_float(held, json);
    } else if constexpr (std::is_same_v<T, std::vector<double>>) {
      json.key("as_floats");
      write_literals(held, json);
    } else if constexpr (std::is_same_v<T, bool>) {
      json.key("as_bool").value(held);
    } else if constexpr (std::is_same_v<T, std::vector<bool>>) {
      json.key("as_bools");
      write_literals(held, json);
    } else if constexpr (std::is_same_v<T, std::string>) {
      json.key("as_string").value(held);
    } else if constexpr (std::is_same_v<T, ir::LongText>) {
      json.key("as_string").left_where_it_is(held.bytes);
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      json.key("as_strings");
      write_literals(held, json);
    } else if constexpr (std::is_same_v<T, DType>) {
      json.key("as_scalar_type").value(scalar_type_of(held));
    } else if constexpr (std::is_same_v<T, ir::MemoryFormat>) {
      json.key("as_memory_format").value(memory_format_number(held));
    } else if constexpr (std::is_same_v<T, ir::Layout>) {
      json.key("as_layout").value(kStridedLayout);
      if (!held.strided) status = unsupported("a layout that is not strided can't be written");
    } else if constexpr (std::is_same_v<T, ir::Device>) {
      json.key("as_device");
      write_device(held, json);
    } else if constexpr (std::is_same_v<T, ir::ComplexNumber>) {
      json.key("as_complex").begin_object().key("real");
      write_float(held.real, json);
      json.key("imag");
      write_float(held.imag, json);
      json.end_object();
    } else if constexpr (std::is_same_v<T, ir::OperatorName>) {
      json.key("as_operator").value(target_of(held.name));
    } else if constexpr (std::is_same_v<T, std::vector<ir::FloatItem>>) {
      json.key("as_sym_floats");
      write_items(held, "as_float", json);
    } else if constexpr (std::is_same_v<T, std::vector<ir::BoolItem>>) {
      json.key("as_sym_bools");
      write_items(held, "as_bool", json);
    } else if constexpr (std::is_same_v<T, std::vector<std::vector<ir::SymInt>>>) {
      status = write_int_lists(held, json);
    } else if constexpr (std::is_same_v<T, std::vector<std::vector<double>>>) {
      json.key("as_float_lists").begin_array();
      for (const auto& list : held) write_literals(list, json);
      json.end_array();
    } else if constexpr (std::is_same_v<T, std::vector<std::vector<ir::Value*>>>) {
      json.key("as_nested_tensors").begin_array();
      for (const auto& list : held) {
        json.begin_array();
        for (const ir::Value* value : list) write_tensor(value, json);
        json.end_array();
      }
      json.end_array();
    } else if constexpr (std::is_same_v<T, ir::Dictionary>) {
      json.key("as_string_to_argument").begin_object();
      for (const ir::DictionaryEntry& entry : held.entries) {
        json.key(entry.key);
        if (status.ok()) status = write(entry.value, json);
      }
      json.end_object();
    } else if constexpr (std::is_same_v<T, std::shared_ptr<ir::Graph>>) {
      status = internal_error("a graph where none is expected");
    }
  };
  json.begin_object();
  std::visit(visit, static_cast<const ir::AnyArgument&>(argument));
  json.end_object();
  return status;
}

void write_device(const ir::Device& device, JsonWriter& json) {
  json.begin_object().key("type").value(device.type).key("index");
  if (device.index < 0) {
    json.null();
  } else {
    json.value(device.index);
  }
  json.end_object();
}

}  // namespace slipway::pt2
