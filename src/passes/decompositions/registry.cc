#include "passes/decompositions/registry.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "schema/target_index.h"

namespace slipway::passes::decompositions {
namespace {

using Table = schema::TargetIndex<Entry>;

const Table& table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    for (const auto family :
         {activation_rules(), attention_rules(),      binary_rules(),    bit_rules(),
          complex_rules(),    convolution_rules(),    counting_rules(),  creation_rules(),
          detection_rules(),  difference_rules(),     fourier_rules(),   grouped_product_rules(),
          index_rules(),      linear_algebra_rules(), loop_rules(),      loss_rules(),
          matmul_rules(),     normalization_rules(),  pad_rules(),       pooling_rules(),
          quantized_rules(),  recurrent_rules(),      reduction_rules(), resize_rules(),
          scatter_rules(),    shape_rules(),          sort_rules(),      special_rules(),
          unary_rules()}) {
      table->add(family);
    }
    return table;
  }();
  return *kTable;
}

const Table& complex_table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    table->add(complex_arithmetic_rules());
    table->add(bit_rules());
    return table;
  }();
  return *kTable;
}

const Table& half_table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    table->add(half_rules());
    return table;
  }();
  return *kTable;
}

Rule find(std::string_view target, const Table& table) {
  const Entry* entry = table.find(target);
  return entry ? entry->rule : nullptr;
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
  for (const Table* one : {&table(), &complex_table(), &half_table()}) {
    for (std::string& target : one->targets()) result.push_back(std::move(target));
  }
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
