#include "openvino/builder/workarounds.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include <fmt/core.h>

#include "base/half.h"
#include "openvino/builder/output_sizes.h"
#include "openvino/builder/rewriter.h"

namespace slipway::openvino {

namespace {

constexpr const char* kNoReport = "no public report found";

bool is(const onnx::Node& node, std::initializer_list<const char*> op_types) {
  return std::any_of(op_types.begin(), op_types.end(),
                     [&](const char* op_type) { return node.op_type == op_type; });
}

void sinking_abs(onnx::Graph& graph) {
  rewrite_nodes(graph, [](const onnx::Node& node, Rewriter& rewriter) {
    if (!is(node, {"Abs"}) || rewriter.rank(node.outputs[0]).value_or(0) > 1) return false;
    const std::string dims = rewriter.ints({0, 1});
    const std::string wide = rewriter.add("Unsqueeze", {node.inputs[0], dims});
    const std::string made = rewriter.add("Abs", {wide});
    rewriter.give("Squeeze", {made, dims});
    return true;
  });
}

void gather_after_slice(onnx::Graph& graph) {
  rewrite_nodes(graph, [](const onnx::Node& node, Rewriter& rewriter) {
    if (!is(node, {"GatherElements"})) return false;
    int64_t axis = 0;
    for (const auto& [name, value] : node.attributes) {
      if (name == "axis") axis = std::get<int64_t>(value);
    }
    const std::string zero = rewriter.ints({0});
    const std::string data = rewriter.add("Unsqueeze", {node.inputs[0], zero});
    const std::string index = rewriter.add("Unsqueeze", {node.inputs[1], zero});
    const std::string made =
        rewriter.add("GatherElements", {data, index}, {{"axis", axis < 0 ? axis : axis + 1}});
    rewriter.give("Squeeze", {made, zero});
    return true;
  });
}

// Of the weight, where the type of the result is not known. Which dimension of an Einsum becomes
// the columns is the plugin's affair.
bool has_one_column(const onnx::Node& node, const Rewriter& rewriter) {
  if (is(node, {"Einsum"})) {
    const auto sizes = rewriter.sizes(node.outputs[0]);
    return !sizes || std::find(sizes->begin(), sizes->end(), 1) != sizes->end();
  }
  if (const auto sizes = rewriter.sizes(node.outputs[0])) {
    return !sizes->empty() && sizes->back() == 1;
  }
  const auto weight = rewriter.sizes(node.inputs[1]);
  return weight && std::find(weight->begin(), weight->end(), 1) != weight->end();
}

// The values that nothing but choices read: nothing is joined to them.
std::set<std::string> only_chosen(const onnx::Graph& graph) {
  std::set<std::string> chosen;
  std::set<std::string> others;
  for (const onnx::ValueType& output : graph.outputs) others.insert(output.name);
  for (const onnx::Node& node : graph.nodes) {
    auto& readings = is(node, {"Where"}) ? chosen : others;
    readings.insert(node.inputs.begin(), node.inputs.end());
    for (const auto& [name, attribute] : node.attributes) {
      const auto* branch = std::get_if<std::shared_ptr<onnx::Graph>>(&attribute);
      if (branch) chosen.merge(only_chosen(**branch));
    }
  }
  std::erase_if(chosen, [&](const std::string& value) { return others.contains(value); });
  return chosen;
}

void product_of_one_column(onnx::Graph& graph) {
  const std::set<std::string> chosen = only_chosen(graph);
  std::set<std::string> behind_choices;
  rewrite_nodes(graph, [&](const onnx::Node& node, Rewriter& rewriter) {
    // Behind a choice, it is the choice that passes the LeakyRelu.
    const bool is_choice =
        is(node, {"Where"}) &&
        std::any_of(node.inputs.begin(), node.inputs.end(),
                    [&](const std::string& input) { return behind_choices.contains(input); });
    if (!is_choice) {
      if (!is(node, {"MatMul", "Gemm", "Einsum"}) || !has_one_column(node, rewriter)) return false;
      if (chosen.contains(node.outputs[0])) {
        behind_choices.insert(node.outputs[0]);
        return false;
      }
    }
    const std::string product = rewriter.add(node.op_type, node.inputs, node.attributes);
    rewriter.give("LeakyRelu", {product}, {{"alpha", 1.0F}});
    return true;
  });
}

// The constants, and what is computed from them alone.
std::set<std::string> constant_values(const onnx::Graph& graph) {
  std::set<std::string> constants;
  for (const onnx::Initializer& constant : graph.initializers) constants.insert(constant.name);
  const auto is_graph = [](const auto& attribute) {
    return std::holds_alternative<std::shared_ptr<onnx::Graph>>(attribute.second);
  };
  for (const onnx::Node& node : graph.nodes) {
    // A branch may read anything.
    const bool is_constant =
        std::none_of(node.attributes.begin(), node.attributes.end(), is_graph) &&
        std::all_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& input) {
          return input.empty() || constants.contains(input);
        });
    if (is_constant) constants.insert(node.outputs.begin(), node.outputs.end());
  }
  return constants;
}

template <class T, class Visit>
void visit_elements(std::span<const std::byte> bytes, Visit visit) {
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T element;
    std::memcpy(&element, bytes.data() + at, sizeof(T));
    visit(element);
  }
}

// Of a constant of floats that lies in memory.
template <class Visit>
void visit_elements(const onnx::Initializer& constant, Visit visit) {
  const auto* span = constant.data.span();
  if (!span) return;
  switch (constant.dtype) {
    case DType::kFloat16:
      return visit_elements<uint16_t>(span->bytes, [&](uint16_t x) { visit(from_float16(x)); });
    case DType::kBFloat16:
      return visit_elements<uint16_t>(span->bytes, [&](uint16_t x) { visit(from_bfloat16(x)); });
    case DType::kFloat32:
      return visit_elements<float>(span->bytes, visit);
    case DType::kFloat64:
      return visit_elements<double>(span->bytes, visit);
    default:
      return;
  }
}

// Constants by which a product or a quotient needs care.
struct Factors {
  std::set<std::string> large;     // a product with one may overflow
  std::set<std::string> divisors;  // a quotient by one may overflow
  std::set<std::string> nan;       // one number, which is NaN

  explicit Factors(const onnx::Graph& graph) : constants_(constant_values(graph)) {
    constexpr double kLarge = 1e18;
    for (const onnx::Initializer& constant : graph.initializers) {
      size_t count = 0;
      bool is_large = false;
      bool is_divisor = false;
      bool is_nan = false;
      visit_elements(constant, [&](double x) {
        ++count;
        is_large = is_large || !(std::abs(x) < kLarge);
        is_divisor = is_divisor || !(std::abs(x) > 1 / kLarge);
        is_nan = is_nan || std::isnan(x);
      });
      if (is_large) large.insert(constant.name);
      if (is_divisor) divisors.insert(constant.name);
      if (is_nan && count == 1) nan.insert(constant.name);
    }
  }
  bool empty() const { return large.empty() && divisors.empty(); }

  // Of what is computed from constants.
  void learn(const onnx::Node& node) {
    const std::string& output = node.outputs[0];
    const bool keeps = is(node, {"Expand", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "Cast"});
    if (!keeps && !constants_.contains(output)) return;
    // No floats come out of these, or not those that go in.
    if (is(node, {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor",
                  "Not", "IsNaN", "IsInf", "Shape"})) {
      return;
    }
    const bool passes_nan = keeps || is(node, {"Add", "Sub", "Mul", "Div", "Log", "Exp", "Sqrt",
                                               "Neg", "Abs", "Reciprocal"});
    for (const std::string& input : node.inputs) {
      const bool is_large = large.contains(input);
      const bool is_divisor = divisors.contains(input);
      // What is computed from either may be anything.
      if (keeps ? is_large : is_large || is_divisor) large.insert(output);
      if (keeps ? is_divisor : is_large || is_divisor) divisors.insert(output);
      if (passes_nan && nan.contains(input)) nan.insert(output);
    }
  }

 private:
  std::set<std::string> constants_;
};

void large_factor(onnx::Graph& graph) {
  Factors factors(graph);
  if (factors.empty()) return;
  rewrite_nodes(graph, [&](const onnx::Node& node, Rewriter& rewriter) {
    factors.learn(node);
    const bool divides = is(node, {"Div"});
    if (!divides && !is(node, {"Mul"})) return false;
    const auto is_nan = [&](const std::string& input) { return factors.nan.contains(input); };
    if (std::any_of(node.inputs.begin(), node.inputs.end(), is_nan)) {
      rewriter.give("Add", node.inputs);
      return true;
    }
    const bool by_last = (divides ? factors.divisors : factors.large).contains(node.inputs[1]);
    if (!by_last && (divides || !factors.large.contains(node.inputs[0]))) return false;
    std::vector<std::string> inputs = node.inputs;
    std::string& other = inputs[by_last ? 0 : 1];
    other = rewriter.add("LeakyRelu", {other}, {{"alpha", 1.0F}});
    rewriter.give(node.op_type, inputs);
    return true;
  });
}

void rank_of_one_element(onnx::Graph& graph) {
  rewrite_nodes(graph, [](const onnx::Node& node, Rewriter& rewriter) {
    const auto is_one = [](const ir::SymInt& size) { return size == ir::SymInt(1); };
    if (!is(node, {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Mod"})) return false;
    if (node.inputs.size() != 2) return false;
    std::vector<std::string> inputs = node.inputs;
    for (size_t i = 0; i < 2; ++i) {
      const auto sizes = rewriter.sizes(inputs[i]);
      const auto others = rewriter.sizes(inputs[1 - i]);
      if (!sizes || !others || sizes->size() >= others->size()) continue;
      if (!std::all_of(others->begin(), others->end(), is_one)) continue;
      std::vector<int64_t> axes;
      for (size_t d = 0; d < others->size() - sizes->size(); ++d) {
        axes.push_back(static_cast<int64_t>(d));
      }
      inputs[i] = rewriter.add("Unsqueeze", {inputs[i], rewriter.ints(axes)});
      rewriter.give(node.op_type, inputs, node.attributes);
      return true;
    }
    return false;
  });
}

// Values that a constant with an element for each channel may be joined to: the operator that takes
// both reads them, or what follows from them alone.
std::set<std::string> joined_to_channels(const onnx::Graph& graph) {
  const std::set<std::string> constants = constant_values(graph);
  std::set<std::string> channels;
  for (const onnx::Initializer& constant : graph.initializers) {
    const bool is_one = std::all_of(constant.sizes.begin(), constant.sizes.end(),
                                    [](int64_t size) { return size == 1; });
    if (!is_one && is_floating_point(constant.dtype)) channels.insert(constant.name);
  }
  const auto is_constant = [&](const std::string& value) {
    return value.empty() || constants.contains(value);
  };
  for (const onnx::Node& node : graph.nodes) {
    if (is_constant(node.outputs[0])) channels.insert(node.outputs[0]);
  }
  std::set<std::string> joined;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    std::set<std::string> computed;
    bool joins = std::any_of(node->outputs.begin(), node->outputs.end(),
                             [&](const std::string& output) { return joined.contains(output); });
    bool takes_channels = false;
    for (const std::string& input : node->inputs) {
      takes_channels = takes_channels || channels.contains(input);
      if (!is_constant(input)) computed.insert(input);
    }
    if (takes_channels || (joins && computed.size() == 1)) joined.merge(computed);
  }
  return joined;
}

void reduction_of_three(onnx::Graph& graph) {
  const std::set<std::string> joined = joined_to_channels(graph);
  rewrite_nodes(graph, [&](const onnx::Node& node, Rewriter& rewriter) {
    const bool reduces = node.op_type.starts_with("Reduce") || is(node, {"GlobalAveragePool"});
    if (!reduces || !joined.contains(node.outputs[0])) return false;
    if (rewriter.rank(node.inputs[0]).value_or(3) != 3) return false;
    const std::string made = rewriter.add(node.op_type, node.inputs, node.attributes);
    rewriter.give("Max", {made, made});
    return true;
  });
}

// Whether no output has elements where this size is 0, so that OpenVINO is not asked then.
bool vanish_with(const onnx::Graph& graph, const ir::SymInt& size) {
  const auto has_size = [&](const ir::SymInt& each) {
    return ir::SymInt::floordiv(each, size) * size == each;
  };
  return !output_sizes(graph).empty() &&
         std::all_of(graph.outputs.begin(), graph.outputs.end(), [&](const auto& output) {
           return std::any_of(output.sizes.begin(), output.sizes.end(), has_size);
         });
}

bool may_be_empty(const onnx::Graph& graph, const ir::SymInt& size) {
  return size.bounds(graph.ranges).min.value_or(0) <= 0 && !vanish_with(graph, size);
}

bool reflects(const onnx::Node& node) {
  return is(node, {"Pad"}) &&
         std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
           const auto* mode = std::get_if<std::string>(&attribute.second);
           return mode && *mode == "reflect";
         });
}

void window_over_nothing(onnx::Graph& graph) {
  rewrite_nodes(graph, [&](const onnx::Node& node, Rewriter& rewriter) {
    const bool pools = is(node, {"MaxPool", "AveragePool"});
    if (!pools && !reflects(node)) return false;
    const auto sizes = rewriter.sizes(node.inputs[0]);
    const auto results = rewriter.sizes(node.outputs[0]);
    if (!pools && (!sizes || !results)) return false;
    // Those that stay as they are: of images, the batch and the channels.
    std::vector<int64_t> dims;
    const size_t count = pools ? 2 : sizes->size();
    for (size_t d = 0; d < count; ++d) {
      const bool stays = pools || (*sizes)[d] == results->at(d);
      if (stays && (!sizes || may_be_empty(graph, sizes->at(d)))) {
        dims.push_back(static_cast<int64_t>(d));
      }
    }
    if (dims.empty()) return false;
    const std::string axes = rewriter.ints(dims);
    const std::string shape = rewriter.add("Shape", {node.inputs[0]});
    const std::string ends = rewriter.add("Gather", {shape, axes});
    std::vector<int64_t> pads(2 * dims.size(), 0);
    std::fill(pads.begin() + static_cast<std::ptrdiff_t>(dims.size()), pads.end(), 1);
    std::vector<std::string> inputs = node.inputs;
    inputs[0] = rewriter.add("Pad", {node.inputs[0], rewriter.ints(pads), "", axes});
    const auto made = rewriter.add_many(node.op_type, inputs, node.attributes, node.outputs.size());
    const std::string starts = rewriter.ints(std::vector<int64_t>(dims.size(), 0));
    for (size_t i = 0; i < made.size(); ++i) {
      rewriter.give("Slice", {made[i], starts, ends, axes}, {}, i);
    }
    return true;
  });
}

void integer_reductions(onnx::LoweringOptions& options) { options.integer_reductions_apart = true; }
void expand_to_nothing(onnx::LoweringOptions& options) { options.slice_before_expand = true; }
void reshape_to_nothing(onnx::LoweringOptions& options) { options.reshape_sizes_apart = true; }
void mean_of_nothing(onnx::LoweringOptions& options) { options.means_as_quotients = true; }
void product_over_nothing(onnx::LoweringOptions& options) { options.empty_products_apart = true; }
void sort_nan(onnx::LoweringOptions& options) { options.sort_nan_by_key = true; }
void integer_choice(onnx::LoweringOptions& options) { options.choices_as_products = true; }

bool scatters_extrema(const ir::Node& node) {
  if (node.op() != "aten.scatter_reduce.two" || !is_floating_point(node.output()->dtype())) {
    return false;
  }
  const auto* reduction = std::get_if<std::string>(&node.arg(4));
  return reduction && (*reduction == "amax" || *reduction == "amin");
}

bool starts_with_any(const ir::Node& node, std::initializer_list<const char*> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const char* prefix) { return node.op().starts_with(prefix); });
}

// NaN as a number that is computed with, infinity as one of an activation.
bool takes_odd_number(const ir::Node& node) {
  // These only put the number somewhere.
  if (starts_with_any(node, {"aten.full", "aten.new_full.", "aten.fill.", "aten.scalar_tensor.",
                             "aten.where.", "aten.masked_fill.", "aten.index_fill.",
                             "aten.scatter.value", "aten.constant_pad_nd.", "aten.pad."})) {
    return false;
  }
  const bool is_activation =
      starts_with_any(node, {"aten.elu.", "aten.celu.", "aten.leaky_relu.", "aten.softplus.",
                             "aten.hardshrink.", "aten.softshrink.", "aten.threshold."});
  return std::any_of(node.args().begin(), node.args().end(), [&](const ir::Argument& argument) {
    const auto* number = std::get_if<double>(&argument);
    return number && (std::isnan(*number) || (is_activation && std::isinf(*number)));
  });
}

constexpr Workaround kWorkarounds[] = {
    {"abs-sinking",
     "drops `abs` of one dimension over what is computed from constants or sizes: "
     "`(torch.arange(11) - 3).abs()`, reflect padding in the core dialect",
     "the values get a dimension more before, and lose it after", "openvino 38166", nullptr,
     sinking_abs, nullptr},
    {"gather-after-slice",
     "takes a slice in front of `gather` away and then refuses the sizes: "
     "`x[:, :-1].gather(2, i)`, an index smaller than the data elsewhere",
     "data and indices get a dimension more before, and the result loses it", kNoReport, nullptr,
     gather_after_slice, nullptr},
    {"one-column-product",
     "drops the bias of a product with one column if, behind a movement, another number is added: "
     "`nn.Linear(n, 1)(x).t() + 2.5`; ends the process with a segmentation fault if a product of "
     "one element is made rank 0: `nn.Linear(30, 1)(x).squeeze()`",
     "the product passes a LeakyRelu of slope 1, which changes nothing and becomes a part of it",
     kNoReport, nullptr, product_of_one_column, nullptr},
    {"expand-to-nothing",
     "makes 1 of a size of 0 where what is expanded meets a constant: "
     "`c.expand(x.shape[0], 6) + 1`",
     "what is expanded to a size that may be 0 is cut to at most that size before", kNoReport,
     expand_to_nothing, nullptr, nullptr},
    {"reshape-to-nothing",
     "takes a size of 0 that `reshape` is given for that of another dimension, or refuses it: "
     "`x.unflatten(1, (1, -1))`",
     "sizes that may be 0 pass a maximum with 0", kNoReport, reshape_to_nothing, nullptr, nullptr},
    {"mean-of-nothing", "gives 0, not NaN, for the mean of nothing: `x.mean(0)`",
     "a mean over a size that may be 0 is a sum divided by a count", kNoReport, mean_of_nothing,
     nullptr, nullptr},
    {"product-over-nothing",
     "fails when it runs at a matrix product over a size of 0 that a bias or an activation is "
     "joined to: `F.relu(a @ b)` with an `a` of sizes (2, 0)",
     "a product over a size that may be 0 passes a choice between itself and 0, which nothing is "
     "joined to",
     kNoReport, product_over_nothing, nullptr, nullptr},
    {"integer-choice",
     "chooses between int32 in float32 behind a comparison, where sizes are dynamic: `x.tril()`, "
     "`torch.where(torch.arange(n)[:, None] > 0, x, 0)`",
     "a choice between integers is a product with the condition, which is exact", kNoReport,
     integer_choice, nullptr, nullptr},
    {"large-factor",
     "multiplies what was added before by a factor, too, which overflows or makes NaN: "
     "`(x - 10) * 1e38`, `(x - 2.5) * inf`, `(x - 2.5) / 0.0`; loses a factor NaN: "
     "`x.half() * torch.tensor(nan)`",
     "beside a factor from 1e18 on, or a divisor up to 1e-18, the operand passes a LeakyRelu of "
     "slope 1, which changes nothing; NaN is added",
     kNoReport, nullptr, large_factor, nullptr},
    {"rank-of-one-element",
     "takes the dimensions of a constant of one element for none beside what was squeezed or "
     "chosen, and gives a result of lower rank: `x.exp()[0] - torch.ones(1)`",
     "the other operand gets the dimensions before", kNoReport, nullptr, rank_of_one_element,
     nullptr},
    {"reduction-of-three",
     "joins an operator to a reduction of three dimensions and takes the elements of a constant "
     "for "
     "others, or computes a part of the elements alone where they are integers: "
     "`nn.BatchNorm1d(n)(x.mean(-1))`, `x.sum(-1, keepdim=True) * c[:, None]`, "
     "`(x > 3).sum(-1) * 2`",
     "what is reduced passes a maximum with itself, which nothing is joined to", kNoReport,
     integer_reductions, reduction_of_three, nullptr},
    {"topk-nan",
     "puts NaN, and other elements of a row that has one, anywhere in the order of `topk`, `sort` "
     "and what consists of them: `x.sort(-1)`, `x.quantile(0.3)`, `x.median(-1)`",
     "keys are sorted, in which NaN is the largest number, and the elements gathered by their "
     "places",
     kNoReport, sort_nan, nullptr, nullptr},
    {"window-over-nothing",
     "fails when it runs at pooling, or reflect padding, of no pictures or channels beside what "
     "has "
     "elements: `(F.max_pool2d(x, 2), x.sum())` of a batch of 0",
     "where an engine gives such, there is a picture of zeros more, which is cut off again",
     kNoReport, nullptr, window_over_nothing, nullptr},
    {"scatter-nan", "loses NaN in `scatter_reduce` with `amax` and `amin`",
     "such nodes of float32 stay outside", kNoReport, nullptr, nullptr, scatters_extrema},
    {"odd-numbers",
     "takes NaN for 0 or for no number, and makes NaN of an infinite number of an activation: "
     "`torch.add(x, y, alpha=nan)`, `x.clamp(nan, None)`, `F.elu(x, inf)`",
     "such nodes stay outside", kNoReport, nullptr, nullptr, takes_odd_number},
};

}  // namespace

std::span<const Workaround> workarounds() { return kWorkarounds; }

std::vector<std::string> workaround_names() {
  std::vector<std::string> names;
  for (const Workaround& workaround : kWorkarounds) names.emplace_back(workaround.name);
  return names;
}

std::string document_workarounds() {
  std::string text =
      "| rule | what OpenVINO does | what Slipway does | upstream |\n| --- | --- | --- | --- |\n";
  for (const Workaround& each : kWorkarounds) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", each.name, each.wrong, each.rule, each.report);
  }
  return text;
}

void apply_to_lowering(onnx::LoweringOptions& options, const Rules& disabled) {
  for (const Workaround& each : kWorkarounds) {
    if (each.lower && !disabled.contains(each.name)) each.lower(options);
  }
}

onnx::Graph apply_to_graph(onnx::Graph graph, const Rules& disabled) {
  for (const Workaround& each : kWorkarounds) {
    if (each.rewrite && !disabled.contains(each.name)) each.rewrite(graph);
  }
  return graph;
}

onnx::Graph for_openvino_2025(onnx::Graph graph) {
  rewrite_nodes(graph, [](const onnx::Node& node, Rewriter& rewriter) {
    if (!is(node, {"Softmax"})) return false;
    const std::string apart = rewriter.add("LeakyRelu", {node.inputs[0]}, {{"alpha", 1.0F}});
    rewriter.give("Softmax", {apart}, node.attributes);
    return true;
  });
  return graph;
}

std::optional<std::string> why_left_outside(const ir::Node& node, const Rules& disabled) {
  for (const Workaround& each : kWorkarounds) {
    if (each.leaves_outside && !disabled.contains(each.name) && each.leaves_outside(node)) {
      return fmt::format("OpenVINO {}", each.wrong);
    }
  }
  return std::nullopt;
}

}  // namespace slipway::openvino
