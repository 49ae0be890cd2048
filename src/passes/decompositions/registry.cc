#include "passes/decompositions/registry.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "schema/operator_name.h"

namespace slipway::passes::decompositions {
namespace {

using Table = std::map<std::string, Rule, std::less<>>;

void add(std::span<const Entry> family, Table& table) {
  for (const Entry& entry : family) {
    for (std::string& target : schema::split_targets(entry.targets)) {
      table.emplace(std::move(target), entry.rule);
    }
  }
}

const Table& table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    for (const auto family :
         {activation_rules(),  attention_rules(), binary_rules(),     complex_rules(),
          convolution_rules(), creation_rules(),  difference_rules(), index_rules(),
          loop_rules(),        loss_rules(),      matmul_rules(),     normalization_rules(),
          pad_rules(),         pooling_rules(),   quantized_rules(),  recurrent_rules(),
          reduction_rules(),   resize_rules(),    scatter_rules(),    shape_rules(),
          sort_rules(),        special_rules(),   unary_rules()}) {
      add(family, *table);
    }
    return table;
  }();
  return *kTable;
}

const Table& complex_table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    add(complex_arithmetic_rules(), *table);
    return table;
  }();
  return *kTable;
}

const Table& half_table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    add(half_rules(), *table);
    return table;
  }();
  return *kTable;
}

Rule find(std::string_view target, const Table& table) {
  const auto it = table.find(target);
  return it == table.end() ? nullptr : it->second;
}

}  // namespace

Values apply(Rule rule, Context& context) {
  try {
    return rule(context);
  } catch (const std::logic_error&) {  // out of range, or a length that is negative
    return context.unsupported(
        "a tensor has fewer dimensions, or a list fewer items, than the operator needs");
  }
}

Rule find(std::string_view target) { return find(target, table()); }

Rule find_complex(std::string_view target) { return find(target, complex_table()); }

Rule find_half(std::string_view target) { return find(target, half_table()); }

std::vector<std::string> targets() {
  std::vector<std::string> result;
  for (const auto& [target, rule] : table()) result.push_back(target);
  for (const auto& [target, rule] : complex_table()) result.push_back(target);
  for (const auto& [target, rule] : half_table()) result.push_back(target);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

bool is_symbolic(std::string_view target) {
  return target.starts_with("_operator.") || target.starts_with("sym_") ||
         target.starts_with("torch.sym_") || target.starts_with("math.") ||
         target.starts_with("torch._sym_") || target.starts_with("torch.ops.aten.sym_") ||
         target == "aten.sym_size.int" || target == "aten.sym_numel.default" ||
         target == "aten._local_scalar_dense.default";
}

}  // namespace slipway::passes::decompositions
