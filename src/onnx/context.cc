#include "onnx/context.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "onnx/registry.h"

namespace slipway::onnx {

namespace {

// Operators for which runtimes lack kernels of small integers.
bool computes_wide(std::string_view op_type) {
  static const std::set<std::string_view> kTypes = {
      "Add",       "Sub",        "Mul",       "Div",    "Mod",    "Neg",       "Abs",
      "Sign",      "Max",        "Min",       "Less",   "Equal",  "Greater",   "LessOrEqual",
      "ReduceSum", "ReduceProd", "ReduceMax", "MatMul", "CumSum", "ReduceMin", "GreaterOrEqual",
      "Pow",       "Clip",       "ArgMax",    "ArgMin", "Trilu",  "Where"};
  return kTypes.contains(op_type);
}

std::optional<DType> wide_type(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
      return DType::kInt32;
    case DType::kUInt32:
      return DType::kInt64;
    default:
      return std::nullopt;
  }
}

// Floating-point operators that the baseline opset has without bfloat16.
bool lacks_bfloat16(std::string_view op_type) {
  static const std::set<std::string_view> kTypes = {
      "Acos", "Acosh",       "Asin",      "Asinh",   "Atan", "Atanh",
      "Celu", "AveragePool", "Compress",  "Conv",    "Cos",  "ConvTranspose",
      "Cosh", "Einsum",      "Elu",       "GRU",     "LSTM", "GlobalAveragePool",
      "Mish", "GridSample",  "HardSwish", "MaxPool", "RNN",  "InstanceNormalization",
      "Selu", "Range",       "Round",     "Sin",     "Sinh", "HardSigmoid",
      "Tan",  "Softplus",    "TopK"};
  return kTypes.contains(op_type);
}

// The type in which an operator is computed instead, if it is.
std::optional<DType> computed_type(std::string_view op_type, DType dtype) {
  if (dtype == DType::kBFloat16 && lacks_bfloat16(op_type)) return DType::kFloat32;
  return computes_wide(op_type) ? wide_type(dtype) : std::nullopt;
}

}  // namespace

Context::Context(const ir::Program& program, const LoweringOptions& options)
    : program_(program), options_(options), is_wide_(options.round_halves) {
  graph_.opset = options.opset;
  graph_.name = "slipway";
}

bool Context::changes_buffer() const {
  const auto* value = std::get_if<ir::Value*>(&arg(0));
  const ir::Input* input = value && *value ? program_.input_of(*value) : nullptr;
  if (!input || input->kind != ir::InputKind::kBuffer) return false;
  const ir::Graph& graph = *program_.graph;
  bool is_result = false;
  size_t reads = 0;
  const auto count = [&](const ir::Argument& argument) {
    ir::Graph::for_each_value(argument,
                              [&](const ir::Value* read) { reads += read == *value ? 1 : 0; });
  };
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    count(graph.outputs()[i]);
    const ir::Output& output = program_.outputs[i];
    if (output.kind != ir::OutputKind::kBufferMutation || output.target != input->target) continue;
    is_result = graph.outputs()[i] == ir::Argument(const_cast<ir::Value*>(this->output()));
  }
  if (!is_result) return false;
  for (const auto& node : graph.nodes()) {
    for (const ir::Argument& argument : node->args()) count(argument);
  }
  return reads == 1;
}

const std::vector<const ir::Node*>& Context::readers(const ir::Value* value) const {
  static const std::vector<const ir::Node*> kNone;
  const auto found = readers_.find(value);
  return found == readers_.end() ? kNone : found->second;
}

void Context::mark_used(const ir::Value* value, const ir::Node* reader) {
  readers_[value].push_back(reader);
}

void Context::fail(std::string reason) {
  if (!reason_) reason_ = std::move(reason);
}

// ---- Results.

bool Context::is_used(size_t i) const {
  return i < node_->outputs().size() && readers_.contains(node_->output(i));
}

void Context::result(const Ref& ref, size_t i) {
  const ir::Value* value = output(i);
  if (!value->is_tensor()) return bind(value, ref);
  const DType dtype = value->dtype();
  bind(value, options_.round_halves ? cast(ref, dtype) : convert(ref, dtype));
}

// ---- Nodes.

void Context::emit(const char* op_type, const Refs& inputs, Attributes attributes,
                   const Refs& outputs) {
  Node node;
  node.op_type = op_type;
  node.name = fmt::format("{}/{}", outputs.front().name, op_type);
  for (const Ref& input : inputs) node.inputs.push_back(input.name);
  while (!node.inputs.empty() && node.inputs.back().empty()) node.inputs.pop_back();
  for (const Ref& output : outputs) node.outputs.push_back(output.name);
  node.attributes = std::move(attributes);
  if (node_) {
    node.origin = node_->origin().empty() ? node_->name() : node_->origin();
    node.target = node_->op();
    node.stack_trace = node_->stack_trace();
  }
  note_halves(node, inputs, outputs);
  nodes_->push_back(std::move(node));
}

Ref Context::op(const char* op_type, Refs inputs, Attributes attributes,
                std::optional<DType> dtype) {
  const DType from = inputs.empty() ? DType::kFloat32 : inputs.front().dtype;
  if (const auto wide = computed_type(op_type, from)) {
    for (Ref& input : inputs) {
      if (input.present() && input.dtype == from) input = cast(input, *wide);
    }
    Ref result = op(op_type, std::move(inputs), std::move(attributes), dtype.value_or(*wide));
    return cast(result, dtype.value_or(from));
  }
  Ref result{fresh(node_ ? node_->name() : "value"), dtype.value_or(from)};
  emit(op_type, inputs, std::move(attributes), {result});
  return result;
}

Refs Context::ops(const char* op_type, const Refs& inputs, Attributes attributes,
                  const std::vector<DType>& dtypes) {
  const DType from = inputs.front().dtype;
  const auto wide = from == DType::kBFloat16 ? computed_type(op_type, from) : std::nullopt;
  Refs operands = inputs;
  for (Ref& operand : operands) {
    if (wide && operand.present() && operand.dtype == from) operand = cast(operand, *wide);
  }
  Refs results;
  for (DType dtype : dtypes) {
    results.push_back({fresh(node_->name()), wide && dtype == from ? *wide : dtype});
  }
  emit(op_type, operands, std::move(attributes), results);
  for (size_t i = 0; wide && i < results.size(); ++i) results[i] = cast(results[i], dtypes[i]);
  return results;
}

Ref Context::cast(const Ref& x, DType dtype) {
  if (!x.present() || !is_computed_wide(dtype)) return convert(x, dtype);
  return rounded(convert(x, DType::kFloat32), dtype);
}

Ref Context::convert(const Ref& x, DType dtype) {
  if (x.dtype == dtype || !x.present()) return x;
  if (onnx_type(dtype) == 0 || onnx_type(x.dtype) == 0 || is_complex(dtype) ||
      is_complex(x.dtype)) {
    fail(fmt::format("ONNX has no conversion from {} to {}", dtype_name(x.dtype),
                     dtype_name(dtype)));
    return {x.name, dtype};
  }
  // What is not zero is true, NaN and the least integer too: conversions of engines differ there.
  if (dtype == DType::kBool &&
      (is_floating_point(x.dtype) || x.dtype == DType::kInt32 || x.dtype == DType::kInt64)) {
    return logical_not(compare("Equal", x, 0.0));
  }
  Ref result{fresh(node_ ? node_->name() : "value"), dtype};
  emit("Cast", {x}, {{"to", static_cast<int64_t>(onnx_type(dtype))}}, {result});
  return result;
}

Ref Context::where(const Ref& condition, const Ref& a, const Ref& b) {
  // Few runtimes have a Where of bools.
  if (a.dtype == DType::kBool) {
    return op("Or", {op("And", {condition, a}), op("And", {logical_not(condition), b})});
  }
  if (auto wide = wide_type(a.dtype)) {
    return cast(where(condition, cast(a, *wide), cast(b, *wide)), a.dtype);
  }
  const bool is_integer = a.dtype == DType::kInt32 || a.dtype == DType::kInt64;
  if (is_integer && options_.choices_as_products && !program_.ranges.empty()) {
    // Exact even where the difference wraps.
    return add(b, mul(sub(a, b), cast(condition, a.dtype)));
  }
  return op("Where", {condition, a, b}, {}, a.dtype);
}

Ref Context::reshape(const Ref& x, const Sizes& from, const Sizes& to) {
  if (from == to) return x;
  const auto may_be_0 = [&](const ir::SymInt& size) {
    return size.bounds(ranges()).min.value_or(0) <= 0;
  };
  // A dimension that stays is 0 and one more is -1, so that the shape is mostly a constant: not
  // where another dimension may be 0, since nothing then says what the -1 stands for.
  std::vector<int64_t> target;
  int64_t inferred = 0;
  bool others_may_be_0 = false;
  for (size_t i = 0; i < to.size(); ++i) {
    const auto known = to[i].constant();
    const bool stays = !known && i < from.size() && from[i] == to[i];
    target.push_back(known ? *known : stays ? 0 : -1);
    if (target.back() == -1) {
      ++inferred;
    } else {
      others_may_be_0 = others_may_be_0 || may_be_0(to[i]);
    }
  }
  const bool has_zero = std::find(to.begin(), to.end(), ir::SymInt(0)) != to.end();
  if (!has_zero && (inferred == 0 || (inferred == 1 && !others_may_be_0))) {
    return op("Reshape", {x, ints(target)});
  }
  if (std::none_of(to.begin(), to.end(), may_be_0)) return op("Reshape", {x, shape(to)});
  if (!options().reshape_sizes_apart) return op("Reshape", {x, shape(to)}, {{"allowzero", 1}});
  Refs parts;
  for (const ir::SymInt& size : to) {
    const Ref part = length(size);
    parts.push_back(size.is_constant() ? part : op("Max", {part, ints({0})}));
  }
  return op("Reshape", {x, concat(parts, 0)}, {{"allowzero", 1}});
}

Ref Context::transpose(const Ref& x, const std::vector<int64_t>& order) {
  if (std::is_sorted(order.begin(), order.end())) return x;
  return op("Transpose", {x}, {{"perm", order}});
}

Ref Context::unsqueeze(const Ref& x, const std::vector<int64_t>& axes) {
  return axes.empty() ? x : op("Unsqueeze", {x, ints(axes)});
}

Ref Context::squeeze(const Ref& x, const std::vector<int64_t>& axes) {
  return axes.empty() ? x : op("Squeeze", {x, ints(axes)});
}

Ref Context::expand(const Ref& x, const Sizes& from, const Sizes& to) {
  if (from == to) return x;
  Sizes target = to;
  if (from.size() > to.size()) {
    fail("a tensor can't be expanded to fewer dimensions");
    return x;
  }
  const size_t shift = to.size() - from.size();
  // Not for sizes that may be 0, of which engines take the larger.
  const auto has_elements = [&](const ir::SymInt& size) {
    return size.bounds(ranges()).min.value_or(0) > 0;
  };
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] == to[i + shift] && has_elements(from[i])) target[i + shift] = 1;
  }
  if (!options().slice_before_expand) return op("Expand", {x, shape(target)});
  std::vector<int64_t> cut;
  for (size_t i = 0; i < to.size(); ++i) {
    const bool is_one = i < shift || from[i - shift] == ir::SymInt(1);
    if (is_one && !has_elements(to[i])) cut.push_back(static_cast<int64_t>(i));
  }
  std::vector<int64_t> leading(shift);
  std::iota(leading.begin(), leading.end(), 0);
  Ref narrow = cut.empty() ? x : unsqueeze(x, leading);
  for (const int64_t axis : cut) narrow = slice(narrow, axis, 0, to[static_cast<size_t>(axis)]);
  return op("Expand", {narrow, shape(target)});
}

Ref Context::concat(const Refs& parts, int64_t axis) {
  return parts.size() == 1 ? parts.front() : op("Concat", parts, {{"axis", axis}});
}

Ref Context::slice(const Ref& x, int64_t axis, const ir::SymInt& start, const ir::SymInt& end,
                   int64_t step) {
  return op("Slice", {x, length(start), length(end), ints({axis}), ints({step})});
}

Ref Context::gather(const Ref& x, const Ref& index, int64_t axis) {
  return op("Gather", {x, index}, {{"axis", axis}});
}

Ref Context::reduce(const char* op_type, const Ref& x, const std::vector<int64_t>& axes,
                    bool keepdims) {
  if (axes.empty()) return x;
  const Ref y = op(op_type, {x, ints(axes)}, {{"keepdims", keepdims ? 1 : 0}});
  const bool is_apart = options_.integer_reductions_apart && !is_floating_point(x.dtype);
  return is_apart ? op("Max", {y, y}) : y;
}

Ref Context::range(const ir::SymInt& count) {
  if (auto known = count.constant(); known && *known <= 1 << 20) {
    std::vector<int64_t> values(static_cast<size_t>(std::max<int64_t>(*known, 0)));
    std::iota(values.begin(), values.end(), 0);
    return ints(values);
  }
  return op("Range", {scalar(int64_t{0}, DType::kInt64), scalar_length(count),
                      scalar(int64_t{1}, DType::kInt64)});
}

// ---- The graph.

std::string Context::fresh(const std::string& name) {
  if (taken_.insert(name).second) return name;
  int& suffix = suffixes_[name];
  for (;;) {
    std::string candidate = fmt::format("{}_{}", name, ++suffix);
    if (taken_.insert(candidate).second) return candidate;
  }
}

void Context::rename(const std::string& from, const std::string& to) {
  for (size_t i = node_start_; i < nodes_->size(); ++i) {
    Node& node = (*nodes_)[i];
    std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    std::replace(node.outputs.begin(), node.outputs.end(), from, to);
  }
  if (auto known = halves_.extract(from)) {
    known.key() = to;
    halves_.insert(std::move(known));
  }
}

void Context::bind(const ir::Value* value, const Ref& ref) {
  Ref bound = ref;
  const bool made_here = std::any_of(nodes_->begin() + static_cast<std::ptrdiff_t>(node_start_),
                                     nodes_->end(), [&](const Node& node) {
                                       return std::find(node.outputs.begin(), node.outputs.end(),
                                                        ref.name) != node.outputs.end();
                                     });
  if (made_here && !pinned_.contains(ref.name)) {
    if (value->name() != ref.name && taken_.insert(value->name()).second) {
      rename(ref.name, value->name());
      bound.name = value->name();
    }
    if (value->is_tensor()) graph_.values.push_back({bound.name, bound.dtype, value->sizes()});
  }
  pinned_.insert(bound.name);
  bound_[value] = bound;
  if (value->is_tensor()) {
    define_symbols(bound, value->sizes(), false);
  } else if (value->kind() == ir::ValueKind::kSymInt && value->expression().is_symbol()) {
    Ref as_length = op("Reshape", {bound, ints({1})});
    pinned_.insert(as_length.name);
    symbols_.try_emplace(value->expression().symbol_name(), SymbolSource{as_length});
  }
}

Ref Context::find(const ir::Value* value) {
  if (auto it = bound_.find(value); it != bound_.end()) return widened(it->second);
  const ir::Input* const constant = program_.input_of(value);
  if (constant == nullptr || !constant->data) {
    fail(fmt::format("its input {} is not a tensor", value->name()));
    return {value->name(), value->is_tensor() ? value->dtype() : DType::kInt64};
  }
  const ir::Input& input = *constant;
  Initializer initializer;
  initializer.name = fresh(input.target.empty() ? value->name() : input.target);
  initializer.dtype = input.data->dtype;
  initializer.sizes = input.data->sizes;
  initializer.data = input.data->source();
  if (onnx_type(initializer.dtype) == 0) {
    fail(fmt::format("ONNX has no {} tensors", dtype_name(initializer.dtype)));
  }
  Ref ref{initializer.name, initializer.dtype};
  pinned_.insert(ref.name);
  graph_.initializers.push_back(std::move(initializer));
  bound_[value] = ref;
  return widened(ref);
}

void Context::add_input(const ir::Value* value, const std::string& name) {
  static const std::map<ir::ValueKind, DType> kNumbers = {
      {ir::ValueKind::kSymInt, DType::kInt64},
      {ir::ValueKind::kSymFloat, DType::kFloat64},
      {ir::ValueKind::kSymBool, DType::kBool}};
  if (!value->is_tensor() && !kNumbers.contains(value->kind())) return;
  ValueType type{fresh(name), value->is_tensor() ? value->dtype() : kNumbers.at(value->kind()), {}};
  if (value->is_tensor()) type.sizes = value->sizes();
  Ref ref{type.name, type.dtype};
  pinned_.insert(ref.name);
  bound_[value] = ref;
  graph_.inputs.push_back(type);
  if (value->is_tensor()) {
    define_symbols(ref, value->sizes(), true);
  } else if (value->kind() == ir::ValueKind::kSymInt && value->expression().is_symbol()) {
    symbols_[value->expression().symbol_name()] = {op("Reshape", {ref, ints({1})})};
  }
}

void Context::add_output(const Ref& ref, const std::string& name, DType dtype, Sizes sizes) {
  Ref output = convert(ref, dtype);
  const auto same = [&](const auto& other) { return other.name == output.name; };
  const bool made_by_node = std::any_of(nodes_->begin(), nodes_->end(), [&](const Node& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), output.name) != node.outputs.end();
  });
  if (!made_by_node || std::any_of(graph_.outputs.begin(), graph_.outputs.end(), same)) {
    Ref copy{fresh(name), dtype};
    emit("Identity", {output}, {}, {copy});
    output = std::move(copy);
  }
  std::erase_if(graph_.values, same);
  graph_.outputs.push_back({output.name, dtype, std::move(sizes)});
}

void Context::lower(const ir::Node& node) {
  node_ = &node;
  node_start_ = nodes_->size();
  reason_.reset();
  is_wide_ = options_.round_halves || needs_float32();
  const Entry* entry = find_entry(node.op());
  if (!entry) {
    fail("the operator is not supported");
  } else {
    for (const ir::Value* value : node.outputs()) {
      if (value->is_tensor() && onnx_type(value->dtype()) == 0) {
        fail(fmt::format("ONNX has no {} tensors", dtype_name(value->dtype())));
      }
    }
    try {
      if (!reason_) entry->rule(*this);
    } catch (const std::logic_error&) {  // out of range, or a length that is negative
      fail("a tensor has fewer dimensions, or a list fewer items, than the operator needs");
    }
  }
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* value = node.output(i);
    if (bound_.contains(value) || value->kind() == ir::ValueKind::kSymInt) continue;
    if (is_used(i)) fail(fmt::format("its result {} can't be computed", i));
    bound_[value] = {value->name(), value->is_tensor() ? value->dtype() : DType::kFloat64};
  }
  if (reason_) {
    reasons_.push_back(*reason_);
    failures_.push_back(fmt::format("{} (node {}): {}{}{}", node.op(), node.name(), *reason_,
                                    node.stack_trace().empty() ? "" : "; ", node.stack_trace()));
  }
  node_ = nullptr;
  is_wide_ = options_.round_halves;
}

std::shared_ptr<Graph> Context::sub_graph(const ir::Graph& graph, const Refs& inputs) {
  const ir::Node* outer_node = node_;
  const size_t outer_start = node_start_;
  const auto outer_reason = reason_;
  auto* outer_nodes = nodes_;
  // What is computed within a branch is not known outside it.
  auto outer_lengths = lengths_;
  auto outer_symbols = symbols_;
  auto outer_scaled_sizes = scaled_sizes_;
  auto outer_shapes = shapes_;
  auto outer_widened = widened_;

  auto body = std::make_shared<Graph>();
  body->name = fresh(outer_node->name() + "_branch");
  body->opset = graph_.opset;
  nodes_ = &body->nodes;
  size_t i = 0;
  for (const ir::Value* value : graph.inputs()) {
    if (i < inputs.size() && !inputs[i].name.empty()) bound_[value] = inputs[i];
    ++i;
  }
  const auto use = [&](const ir::Argument& argument, const ir::Node* reader) {
    ir::Graph::for_each_value(argument, [&](ir::Value* value) { mark_used(value, reader); });
  };
  for (const auto& node : graph.nodes()) {
    for (const ir::Argument& argument : node->args()) use(argument, node.get());
  }
  for (const ir::Argument& output : graph.outputs()) use(output, nullptr);
  for (const auto& node : graph.nodes()) lower(*node);
  node_ = outer_node;
  node_start_ = 0;
  reason_ = outer_reason;
  for (const ir::Argument& output : graph.outputs()) {
    const auto* value = std::get_if<ir::Value*>(&output);
    if (!value || !*value || !(*value)->is_tensor()) {
      fail("a branch gives something that is not a tensor");
      continue;
    }
    // A branch's outputs have to be made in it.
    const Ref made = find(*value);
    Ref copy{fresh((*value)->name()), made.dtype};
    emit("Identity", {made}, {}, {copy});
    body->outputs.push_back({copy.name, copy.dtype, (*value)->sizes()});
  }

  nodes_ = outer_nodes;
  node_ = outer_node;
  node_start_ = outer_start;
  lengths_ = std::move(outer_lengths);
  symbols_ = std::move(outer_symbols);
  scaled_sizes_ = std::move(outer_scaled_sizes);
  shapes_ = std::move(outer_shapes);
  widened_ = std::move(outer_widened);
  return body;
}

Graph Context::take_graph() {
  const auto keep = [this](const std::string& symbol) {
    auto range = program_.ranges.find(symbol);
    if (range != program_.ranges.end()) graph_.ranges.insert(*range);
  };
  for (const ValueType& input : graph_.inputs) {
    for (const ir::SymInt& size : input.sizes) {
      for (const std::string& symbol : size.symbols()) keep(symbol);
    }
  }
  for (const std::string& symbol : graph_.symbol_inputs) keep(symbol);
  return std::move(graph_);
}

}  // namespace slipway::onnx
