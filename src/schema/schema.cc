#include "schema/schema.h"

#include <cstdio>
#include <cstdlib>
#include <unordered_map>

namespace slipway::schema {

// The texts of aten.txt and kernels.txt.
extern const std::string_view kAten;
extern const std::string_view kKernels;

namespace {

std::string kernel_key(std::string_view name, std::string_view overload) {
  std::string key(name);
  key += '.';
  key += overload;
  return key;
}

// A line a schema; empty lines and lines that start with # are skipped.
std::vector<Schema> parse_table(std::string_view text) {
  std::vector<Schema> result;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line[0] == '#') continue;
    auto schema = parse(line);
    if (!schema.ok()) {
      // The table is part of the library, and a test reads all of it.
      std::fprintf(stderr, "slipway: %s\n", schema.error().message().c_str());
      std::abort();
    }
    result.push_back(std::move(*schema));
  }
  return result;
}

struct OperatorTable {
  std::vector<Schema> schemas = parse_table(kAten);
  std::unordered_map<std::string, const Schema*> by_target;

  OperatorTable() {
    for (const Schema& schema : schemas) by_target.emplace(schema.target(), &schema);
  }
};

struct KernelTable {
  std::vector<Schema> schemas = parse_table(kKernels);
  std::unordered_map<std::string, const Schema*> by_key;
  std::unordered_map<std::string, std::vector<const Schema*>> by_name;

  KernelTable() {
    for (const Schema& schema : schemas) {
      by_key.emplace(kernel_key(schema.name, schema.overload), &schema);
      by_name[schema.name].push_back(&schema);
    }
  }
};

const OperatorTable& operator_table() {
  static const OperatorTable* table = new OperatorTable();
  return *table;
}

const KernelTable& kernel_table() {
  static const KernelTable* table = new KernelTable();
  return *table;
}

bool same_type(const Type& a, const Type& b) {
  return a.base == b.base && a.name == b.name && a.list == b.list && a.optional == b.optional &&
         a.optional_items == b.optional_items;
}

// Options of a new tensor, which a kernel reads off its out-argument.
bool is_tensor_option(const Parameter& parameter) {
  return parameter.keyword_only && (parameter.name == "dtype" || parameter.name == "layout" ||
                                    parameter.name == "device" || parameter.name == "pin_memory");
}

bool computes(const Schema& kernel, const Schema& op) {
  size_t k = 0;
  for (const Parameter& parameter : op.parameters) {
    if (parameter.type.is_mutable()) return false;
    bool same = k < kernel.parameters.size() && !kernel.parameters[k].is_out &&
                kernel.parameters[k].name == parameter.name &&
                same_type(kernel.parameters[k].type, parameter.type);
    if (same) {
      ++k;
    } else if (!is_tensor_option(parameter)) {
      return false;
    }
  }
  size_t outs = kernel.parameters.size() - k;
  for (; k < kernel.parameters.size(); ++k) {
    if (!kernel.parameters[k].is_out) return false;
  }
  bool symbolic = outs == 0 && op.returns.size() == 1 && op.returns[0].base != BaseType::kTensor;
  return symbolic || (outs > 0 && outs == op.returns.size());
}

}  // namespace

std::string Schema::target() const {
  std::string result = name;
  size_t separator = result.find("::");
  if (separator != std::string::npos) result.replace(separator, 2, ".");
  return result + "." + (overload.empty() ? "default" : overload);
}

std::optional<size_t> Schema::find(std::string_view parameter) const {
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].name == parameter) return i;
  }
  return std::nullopt;
}

const Schema* find_operator(std::string_view target) {
  const auto& table = operator_table().by_target;
  auto entry = table.find(std::string(target));
  return entry == table.end() ? nullptr : entry->second;
}

const std::vector<Schema>& operators() { return operator_table().schemas; }

const Schema* find_kernel(std::string_view name, std::string_view overload) {
  const auto& table = kernel_table().by_key;
  auto entry = table.find(kernel_key(name, overload));
  return entry == table.end() ? nullptr : entry->second;
}

const Schema* kernel_for(std::string_view target) {
  const Schema* op = find_operator(target);
  if (op == nullptr) return nullptr;
  const auto& by_name = kernel_table().by_name;
  auto kernels = by_name.find(op->name);
  if (kernels == by_name.end()) return nullptr;
  for (const Schema* kernel : kernels->second) {
    if (computes(*kernel, *op)) return kernel;
  }
  return nullptr;
}

const std::vector<Schema>& kernels() { return kernel_table().schemas; }

}  // namespace slipway::schema
