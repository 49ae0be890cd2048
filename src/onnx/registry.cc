#include "onnx/registry.h"

#include <fmt/core.h>

#include "schema/operator_name.h"
#include "schema/target_index.h"

namespace slipway::onnx {

namespace {

constexpr Exception kExceptions[] = {
    {"aten._adaptive_avg_pool2d_backward aten.avg_pool2d_backward aten.convolution_backward "
     "aten.embedding_dense_backward aten.max_pool2d_with_indices_backward "
     "aten.native_group_norm_backward aten.native_layer_norm_backward",
     "training: Slipway compiles inference"},
    {"aten.rand aten.randn aten.randperm", "their results can't be compared with PyTorch's"},
    {"aten._fft_c2r aten._fft_r2c", "ONNX has no complex tensors"},
    {"aten._pdist_forward", "rare, and no engine has it"},
    {"aten.masked_scatter", "which element goes where depends on data"},
    {"aten.sym_stride.int aten.sym_storage_offset",
     "tensors have no strides after functionalization"},
    {"aten.atan2.out", "functionalization leaves no operator with an out argument"},
};

}  // namespace

const std::vector<Family>& families() {
  static const auto* kFamilies = new std::vector<Family>{
      {"Element by element", elementwise_rules()},
      {"Two operands", binary_rules()},
      {"Activations", activation_rules()},
      {"Matrix products", matmul_rules()},
      {"Convolutions", conv_rules()},
      {"Pooling", pool_rules()},
      {"Resizing", resize_rules()},
      {"Normalization", norm_rules()},
      {"Reductions, sorting and scans", reduce_rules()},
      {"Shapes", shape_rules()},
      {"Padding", pad_rules()},
      {"Reading by index", index_rules()},
      {"Writing by index", scatter_rules()},
      {"Making tensors", create_rules()},
      {"Attention", attention_rules()},
      {"Recurrent networks", recurrent_rules()},
      {"Quantization", quantized_rules()},
      {"Symbolic numbers and control flow", symbolic_rules()},
  };
  return *kFamilies;
}

std::span<const Exception> exceptions() { return kExceptions; }

std::vector<std::string> targets(const Entry& entry) {
  return schema::split_targets(entry.targets);
}

const Entry* find_entry(std::string_view target) {
  static const auto* const kEntries = [] {
    auto* entries = new schema::TargetIndex<Entry>;
    for (const Family& family : families()) entries->add(family.entries);
    return entries;
  }();
  return kEntries->find(target);
}

std::string document_operators() {
  std::string text =
      "# Operators lowered to ONNX\n\n"
      "The registry of `src/onnx/`, as a page. Operators of the training and of the core IR alike; "
      "in-place ones\ncome here as their functional forms. Types are those of ONNX: no complex "
      "numbers.\n";
  for (const Family& family : families()) {
    text += fmt::format("\n## {}\n\n| operators | not covered |\n| --- | --- |\n", family.name);
    for (const Entry& entry : family.entries) {
      text += fmt::format("| {} | {} |\n", schema::quote_targets(entry.targets), entry.note);
    }
  }
  text += "\n## Left out of PyTorch's core operators\n\n| operators | why |\n| --- | --- |\n";
  for (const Exception& exception : exceptions()) {
    text +=
        fmt::format("| {} | {} |\n", schema::quote_targets(exception.targets), exception.reason);
  }
  return text;
}

}  // namespace slipway::onnx
