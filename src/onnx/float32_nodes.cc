#include "onnx/float32_nodes.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "base/half.h"
#include "schema/operator_name.h"

namespace slipway::onnx {

namespace {

using Names = std::set<std::string_view>;

const Names& kept_operators() {
  static const Names kNames = {
      // Softmax, norms, reductions, means.
      "BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization",
      "LogSoftmax", "RMSNormalization", "Softmax", "AveragePool", "CumSum", "GlobalAveragePool",
      "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
      "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
      // Whose results or slopes leave the range of half types, or lose most of their digits.
      "Acos", "Acosh", "Asin", "Asinh", "Atanh", "Cosh", "Exp", "Log", "Mish", "Pow", "Reciprocal",
      "Sinh", "Softplus", "Sqrt", "Tan",
      // Scales of quantized values are far from 1.
      "DequantizeLinear", "QuantizeLinear",
      // What it takes and gives are the graph's own input and output, in one memory.
      "TensorScatter",
      // ONNX has these for float32 alone, or they hold graphs.
      "Celu", "If", "Range"};
  return kNames;
}

// By ATen operator: all of its nodes.
const Names& kept_targets() {
  static const Names kNames = {"aten._native_batch_norm_legit",
                               "aten._native_batch_norm_legit_no_training",
                               "aten.batch_norm",
                               "aten.group_norm",
                               "aten.instance_norm",
                               "aten.layer_norm",
                               "aten.native_batch_norm",
                               "aten.native_group_norm",
                               "aten.native_layer_norm",
                               "aten.rms_norm",
                               "aten._log_softmax",
                               "aten._safe_softmax",
                               "aten._softmax",
                               "aten.log_softmax",
                               "aten.softmax",
                               "aten._cdist_forward",
                               "aten.cdist",
                               "aten.cumsum",
                               "aten.hypot",
                               "aten.linalg_vector_norm",
                               "aten.logsumexp",
                               "aten.mean",
                               "aten.norm",
                               "aten.prod",
                               "aten.std",
                               "aten.std_mean",
                               "aten.sum",
                               "aten.var",
                               "aten.var_mean",
                               "aten.acos",
                               "aten.acosh",
                               "aten.arccos",
                               "aten.arcsin",
                               "aten.asin",
                               "aten.asinh",
                               "aten.atanh",
                               "aten.cosh",
                               "aten.exp",
                               "aten.grid_sampler",
                               "aten.grid_sampler_2d",
                               "aten.grid_sampler_3d",
                               "aten.exp2",
                               "aten.expm1",
                               "aten.log",
                               "aten.log10",
                               "aten.log1p",
                               "aten.log2",
                               "aten.log_sigmoid",
                               "aten.log_sigmoid_forward",
                               "aten.mish",
                               "aten.pow",
                               "aten.reciprocal",
                               "aten.rsqrt",
                               "aten.sinh",
                               "aten.softplus",
                               "aten.special_exp2",
                               "aten.special_expm1",
                               "aten.special_log1p",
                               "aten.sqrt",
                               "aten.square",
                               "aten.tan"};
  return kNames;
}

// What the time goes into: never in float32 for the sake of its neighbours.
bool is_contraction(const Node& node) {
  static const Names kNames = {"Attention", "Conv", "ConvTranspose", "Einsum", "Gemm",
                               "GRU",       "LSTM", "MatMul",        "RNN"};
  return kNames.contains(node.op_type);
}

bool moves_data(const Node& node) {
  static const Names kNames = {"Expand",  "Identity",  "Reshape",  "Slice",
                               "Squeeze", "Transpose", "Unsqueeze"};
  return kNames.contains(node.op_type);
}

// Or product, or largest value.
bool is_scattered_sum(const Node& node) {
  if (node.op_type != "ScatterElements" && node.op_type != "ScatterND") return false;
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
    return attribute.first == "reduction" && attribute.second != Attribute(std::string("none"));
  });
}

// What masks go through on their way into a softmax.
bool passes_masks(const Node& node) {
  return moves_data(node) || node.op_type == "Add" || node.op_type == "Where";
}

// Bytes of a constant that is looked through for numbers that a half type lacks.
constexpr size_t kMostLooked = size_t{4} << 20;

class Chooser {
 public:
  Chooser(const Graph& graph, const ValueTypes& types, DType half,
          const std::set<std::string>& keep)
      : graph_(graph), types_(types), half_(half), keep_(keep), stays_(graph.nodes.size()) {
    for (const Initializer& initializer : graph.initializers) {
      initializers_[initializer.name] = &initializer;
      add_sizes(initializer.name, {initializer.sizes.begin(), initializer.sizes.end()});
    }
    for (const ValueType& value : graph.inputs) add_sizes(value.name, value.sizes);
    for (const ValueType& value : graph.values) add_sizes(value.name, value.sizes);
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const std::string& output : graph.nodes[i].outputs) producers_[output] = i;
    }
  }

  std::vector<bool> run() {
    const auto& nodes = graph_.nodes;
    const std::set<std::string> of_halves = origins_of_halves();
    for (size_t i = 0; i < nodes.size(); ++i) {
      stays_[i] = is_kept(nodes[i]) || of_halves.contains(nodes[i].origin);
    }
    for (const Node& node : nodes) {
      if (node.op_type == "Softmax" || node.op_type == "LogSoftmax") {
        keep_sources(node, passes_masks);
      }
    }
    keep_integers();
    keep_tiny();
    keep_between();
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (stays_[i] || has_float_result(nodes[i])) continue;
      const auto inputs = float_inputs(nodes[i]);
      stays_[i] = std::any_of(inputs.begin(), inputs.end(), [&](const std::string* name) {
        const auto producer = producers_.find(*name);
        if (producer == producers_.end()) return !initializers_.contains(*name);
        return static_cast<bool>(stays_[producer->second]);
      });
    }
    return std::move(stays_);
  }

 private:
  using Sizes = std::vector<ir::SymInt>;

  // The nodes of ATen with operands or results of half types, but for conversions: what is float32
  // there is how an engine computes these, and no type of the model's.
  std::set<std::string> origins_of_halves() const {
    std::set<std::string> origins;
    std::set<std::string> computing;
    const auto is_of_half = [&](const std::string& name) {
      const auto found = types_.find(name);
      return found != types_.end() && is_half(found->second);
    };
    for (const Node& node : graph_.nodes) {
      const bool has_one = std::any_of(node.inputs.begin(), node.inputs.end(), is_of_half) ||
                           std::any_of(node.outputs.begin(), node.outputs.end(), is_of_half);
      if (has_one && !node.origin.empty()) origins.insert(node.origin);
      if (node.op_type != "Cast") computing.insert(node.origin);
    }
    std::erase_if(origins, [&](const std::string& name) { return !computing.contains(name); });
    return origins;
  }

  void add_sizes(const std::string& name, const Sizes& sizes) { sizes_[name] = sizes; }

  bool is_float(const std::string& name) const {
    const auto found = types_.find(name);
    return found != types_.end() && found->second == DType::kFloat32;
  }

  std::vector<const std::string*> float_inputs(const Node& node) const {
    std::vector<const std::string*> names;
    for (const std::string& name : node.inputs) {
      if (is_float(name)) names.push_back(&name);
    }
    return names;
  }

  bool has_float_result(const Node& node) const {
    return std::any_of(node.outputs.begin(), node.outputs.end(),
                       [this](const std::string& name) { return is_float(name); });
  }

  bool is_kept(const Node& node) {
    const std::string_view target = schema::without_overload(node.target);
    if (kept_operators().contains(node.op_type) || kept_targets().contains(target)) return true;
    for (const std::string_view name :
         {std::string_view(node.target), target, std::string_view(node.op_type)}) {
      if (keep_.contains(std::string(name))) return true;
    }
    const bool lacks_bfloat16 = node.op_type == "Compress" || node.op_type == "TopK";
    if ((lacks_bfloat16 && half_ == DType::kBFloat16) || is_scattered_sum(node)) return true;
    if (node.op_type != "Cast" && has_float_result(node) && float_inputs(node).empty()) return true;
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& name) {
      const Lost numbers = lost(node, name);
      return numbers.to_zero || numbers.to_infinity;
    });
  }

  // What a number made that the half type would turn into 0, as far as a quotient or a logarithm:
  // without it, these would be infinite or NaN.
  void keep_tiny() {
    static const Names kPassing = {"Add", "Clip", "Max", "Min",  "Mul",
                                   "Pow", "Sqrt", "Sum", "Where"};
    static const Names kUsing = {"Div", "Log", "Pow", "Reciprocal", "Sqrt"};
    std::set<std::string> tiny;   // values that may be as small
    std::set<std::string> large;  // one over them
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!has_float_result(node) || is_contraction(node)) continue;
      const auto has = [&](const std::set<std::string>& values) {
        return std::any_of(node.inputs.begin(), node.inputs.end(),
                           [&](const std::string& name) { return values.contains(name); });
      };
      const bool takes_tiny = has(tiny);
      const bool is_source =
          std::any_of(node.inputs.begin(), node.inputs.end(),
                      [&](const auto& name) { return lost(node, name).to_zero; });
      const bool passes = kPassing.contains(node.op_type) || moves_data(node);
      const bool passes_large = has(large) && moves_data(node);
      if ((takes_tiny && (passes || kUsing.contains(node.op_type))) || has(large)) stays_[i] = true;
      for (const std::string& output : node.outputs) {
        if ((is_source || takes_tiny) && passes) tiny.insert(output);
        if ((takes_tiny && node.op_type == "Reciprocal") || passes_large) large.insert(output);
      }
    }
  }

  // Whether numbers of a constant become 0, or infinite.
  struct Lost {
    bool to_zero = false;
    bool to_infinity = false;
  };

  // A constant of a product or a convolution is weights if it is more than a number.
  Lost lost(const Node& node, const std::string& name) {
    const auto found = initializers_.find(name);
    if (found == initializers_.end() || found->second->dtype != DType::kFloat32) return {};
    const auto* span = found->second->data.span();
    if (!span || span->bytes.size() > kMostLooked) return {};
    if (is_contraction(node) && span->bytes.size() != sizeof(float)) return {};
    const auto [known, is_new] = lost_.try_emplace(name);
    if (is_new) known->second = look(span->bytes);
    return known->second;
  }

  Lost look(std::span<const std::byte> bytes) const {
    const bool is_float16 = half_ == DType::kFloat16;
    Lost lost;
    for (size_t at = 0; at + sizeof(float) <= bytes.size(); at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, bytes.data() + at, sizeof(value));
      if (value == 0 || !std::isfinite(value)) continue;
      const int magnitude = (is_float16 ? to_float16(value) : to_bfloat16(value)) & 0x7fff;
      lost.to_zero = lost.to_zero || magnitude == 0;
      lost.to_infinity = lost.to_infinity || magnitude == (is_float16 ? 0x7c00 : 0x7f80);
    }
    return lost;
  }

  // Keeps what the node's inputs come from, as far as `passes` says.
  template <class Passes>
  void keep_sources(const Node& node, const Passes& passes) {
    std::vector<const Node*> waiting = {&node};
    while (!waiting.empty()) {
      const auto inputs = float_inputs(*waiting.back());
      waiting.pop_back();
      for (const std::string* name : inputs) {
        const auto producer = producers_.find(*name);
        if (producer == producers_.end() || stays_[producer->second]) continue;
        if (!passes(graph_.nodes[producer->second])) continue;
        stays_[producer->second] = true;
        waiting.push_back(&graph_.nodes[producer->second]);
      }
    }
  }

  // Whether the products are not summed: [n, 1] times [1, m].
  bool is_outer_product(const Node& node) const {
    if (node.op_type != "MatMul" || node.inputs.size() != 2) return false;
    const auto is_one = [this](const std::string& name, size_t from_end) {
      const auto found = sizes_.find(name);
      return found != sizes_.end() && found->second.size() >= 2 &&
             found->second[found->second.size() - from_end] == ir::SymInt(1);
    };
    return is_one(node.inputs[0], 1) || is_one(node.inputs[1], 2);
  }

  // What is computed from integers and weights, and how those weights come there.
  void keep_integers() {
    // Of float32 values: made of integers and weights, of weights alone, or of others as well.
    enum class Source { kOther, kWeights, kIntegers };
    std::unordered_map<std::string, Source> sources;
    for (const auto& [name, initializer] : initializers_) sources[name] = Source::kWeights;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      if (!has_float_result(node)) continue;
      const auto inputs = float_inputs(node);
      bool has_integers = false;
      bool has_others = inputs.empty();
      if (node.op_type == "Cast" && inputs.empty()) {
        const auto from = types_.find(node.inputs.at(0));
        has_integers = from != types_.end() && is_integral(from->second);
        has_others = !has_integers;
      }
      for (const std::string* name : inputs) {
        const auto found = sources.find(*name);  // the graph's inputs are not there
        const Source of_input = found == sources.end() ? Source::kOther : found->second;
        has_integers = has_integers || of_input == Source::kIntegers;
        has_others = has_others || of_input == Source::kOther;
      }
      const bool sums = is_contraction(node) && !is_outer_product(node);
      Source source = Source::kOther;
      if (!has_others && has_integers && !sums) source = Source::kIntegers;
      if (!has_others && !has_integers && moves_data(node)) source = Source::kWeights;
      for (const std::string& output : node.outputs) sources[output] = source;
      if (source != Source::kIntegers) continue;
      stays_[i] = true;
      keep_sources(node, moves_data);
    }
  }

  void keep_between() {
    const auto& nodes = graph_.nodes;
    // Made of what stays, and of numbers and weights.
    std::vector<bool> is_after(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (stays_[i] || is_contraction(nodes[i]) || !has_float_result(nodes[i])) continue;
      bool has_source = false;
      bool all_known = true;
      for (const std::string* name : float_inputs(nodes[i])) {
        if (initializers_.contains(*name)) continue;
        const auto producer = producers_.find(*name);
        const bool known = producer != producers_.end() &&
                           (stays_[producer->second] || is_after[producer->second]);
        has_source = has_source || known;
        all_known = all_known && known;
      }
      is_after[i] = has_source && all_known;
    }
    // And used only by what stays.
    std::set<std::string> used_otherwise;
    for (size_t i = nodes.size(); i-- > 0;) {
      const bool joins = is_after[i] && std::none_of(nodes[i].outputs.begin(),
                                                     nodes[i].outputs.end(), [&](const auto& name) {
                                                       return used_otherwise.contains(name);
                                                     });
      if (joins) stays_[i] = true;
      if (stays_[i] || !has_float_result(nodes[i])) continue;
      for (const std::string* name : float_inputs(nodes[i])) used_otherwise.insert(*name);
    }
  }

  const Graph& graph_;
  const ValueTypes& types_;
  const DType half_;
  const std::set<std::string>& keep_;
  std::vector<bool> stays_;
  std::unordered_map<std::string, const Initializer*> initializers_;
  std::unordered_map<std::string, size_t> producers_;
  std::unordered_map<std::string, Sizes> sizes_;
  std::unordered_map<std::string, Lost> lost_;
};

}  // namespace

std::vector<bool> float32_nodes(const Graph& graph, const ValueTypes& types, DType half,
                                const std::set<std::string>& keep) {
  return Chooser(graph, types, half, keep).run();
}

}  // namespace slipway::onnx
