#include "xnnpack/builder/translator.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/half.h"
#include "base/piece_writer.h"

namespace slipway::xnnpack {
namespace {

namespace xnn = fb_xnnpack;

constexpr size_t kMaxRank = 6;  // XNN_MAX_TENSOR_DIMS
// What rules read of constants: sizes, axes, places, numbers of channels and scales.
constexpr uint64_t kMostBytes = uint64_t{16} << 20;

// Ends a rule; Translator::run() makes it the node's refusal.
struct Refused {
  std::string reason;
};

// Why XNNPACK has no tensor of these sizes.
const char* why_no_tensor(const Dims& sizes, const ir::SymbolRanges& ranges,
                          const std::map<std::string, int64_t>& largest) {
  if (sizes.empty() || sizes.size() > kMaxRank) return "XNNPACK has one to six dimensions";
  for (const ir::SymInt& size : sizes) {
    const ir::Range range = size.bounds(ranges);
    if (range.min.value_or(0) <= 0)
      return "there may be no elements: give what varies a least size, torch.export.Dim(min=1)";
    if (!range.max || *range.max > INT32_MAX) return "its sizes have no bounds";
    // What is declared is what the largest inputs lead to.
    const auto value = size.evaluate(largest);
    if (!value.ok() || *value != *range.max) return "its sizes do not grow with those of inputs";
  }
  return nullptr;
}

bool is_number(DType dtype) { return dtype == DType::kFloat32 || is_half(dtype); }

// What a small constant holds, in its type.
template <class T>
std::optional<std::vector<T>> elements(const onnx::Initializer& initializer) {
  if (initializer.data.size() > kMostBytes) return std::nullopt;
  PieceList pieces;
  pieces.add(initializer.data);
  const auto bytes = write_to_memory(pieces);
  if (!bytes.ok()) return std::nullopt;
  std::vector<T> items(bytes->size() / sizeof(T));
  if (!items.empty()) std::memcpy(items.data(), bytes->data(), items.size() * sizeof(T));
  return items;
}

std::optional<std::vector<float>> floats_of(const onnx::Initializer& initializer) {
  if (initializer.dtype == DType::kFloat32) return elements<float>(initializer);
  const auto halves = elements<uint16_t>(initializer);
  if (!halves) return std::nullopt;
  std::vector<float> floats;
  for (const uint16_t half : *halves) {
    floats.push_back(initializer.dtype == DType::kFloat16 ? from_float16(half)
                                                          : from_bfloat16(half));
  }
  return floats;
}

const Entry* find_entry(const std::string& op_type) {
  for (const auto rules :
       {pointwise_rules(), window_rules(), move_rules(), product_rules(), quantized_rules()}) {
    for (const Entry& entry : rules) {
      if (op_type == entry.op_type) return &entry;
    }
  }
  return nullptr;
}

}  // namespace

bool is_one(const ir::SymInt& size) { return size == ir::SymInt(1); }

bool is_flat(const Dims& sizes) {
  return is_one(sizes[1]) || (is_one(sizes[2]) && (sizes.size() == 3 || is_one(sizes[3])));
}

Dims dims_of(const Sizes& sizes) { return {sizes.begin(), sizes.end()}; }

Translator::Translator(const onnx::Graph& graph, bool allow_reduced_precision)
    : graph_(graph),
      reduced_(allow_reduced_precision),
      types_(onnx::value_types(graph)),
      writer_(graph.inputs.size() + graph.outputs.size()) {
  for (const auto& [symbol, range] : graph.ranges) {
    if (range.max) largest_[symbol] = *range.max;
  }
  for (const onnx::Node& node : graph.nodes) {
    for (const std::string& name : node.inputs) readers_[name].push_back(&node);
  }
  for (const onnx::ValueType& output : graph.outputs) readers_[output.name].push_back(nullptr);
  for (const auto* list : {&graph.values, &graph.outputs}) {
    for (const onnx::ValueType& type : *list) declared_[type.name] = &type.sizes;
  }
  for (const onnx::Initializer& initializer : graph.initializers) {
    initializers_[initializer.name] = &initializer;
    const bool has_elements = std::all_of(initializer.sizes.begin(), initializer.sizes.end(),
                                          [](int64_t size) { return size > 0; });
    if (!is_number(initializer.dtype) || !has_elements) continue;
    Value& value = values_[initializer.name];
    value.sizes = dims_of(initializer.sizes);
    value.constant = View{&initializer, initializer.sizes, contiguous_strides(initializer.sizes)};
    value.constant->dtype = initializer.dtype;
  }
  for (uint32_t i = 0; i < graph.inputs.size(); ++i) {
    const onnx::ValueType& type = graph.inputs[i];
    const char* reason = why_no_tensor(type.sizes, graph.ranges, largest_);
    const auto quantization =
        type.dtype == DType::kInt8 ? quantization_of_input(type.name) : std::nullopt;
    if ((!is_number(type.dtype) && !quantization) || reason != nullptr) {
      reasons_[type.name] = reason;
      continue;
    }
    Value& value = values_[type.name];
    value.sizes = type.sizes;
    value.type = {quantization, quantization ? DType::kFloat32 : type.dtype};
    value.id(Layout::kPlain) = i;
    writer_.input(i, most(type.sizes), value.type);
  }
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    Value& value = values_[graph.outputs[i].name];
    if (value.constant || value.has(Layout::kPlain)) continue;
    places_.emplace(&value, static_cast<uint32_t>(graph.inputs.size() + i));
  }
}

std::vector<engine_build::Refusal> Translator::run() {
  std::vector<engine_build::Refusal> refusals;
  std::unordered_set<std::string> refused;  // values
  constexpr size_t kMostEnds = 4096;        // that ExecuTorch's delegate takes
  if (graph_.inputs.size() + graph_.outputs.size() > kMostEnds) {
    refusals.push_back({"", fmt::format("XNNPACK takes and gives {} tensors at most", kMostEnds)});
  }
  for (const onnx::Node& node : graph_.nodes) {
    node_ = &node;
    if (joined_.contains(&node)) continue;
    try {
      // What is made of a refused node's results is another question.
      const bool is_open =
          std::any_of(node.inputs.begin(), node.inputs.end(),
                      [&](const std::string& name) { return refused.contains(name); });
      if (is_open) throw Refused{};
      const Entry* entry = find_entry(node.op_type);
      if (entry == nullptr) refuse(fmt::format("XNNPACK has no {}", node.op_type));
      entry->rule(*this);
    } catch (const Refused& refusal) {
      if (!refusal.reason.empty()) refusals.push_back({node.origin, refusal.reason});
      refused.insert(node.outputs.begin(), node.outputs.end());
    }
  }
  for (size_t i = 0; refusals.empty() && i < graph_.outputs.size(); ++i) {
    try {
      give_output(i);
    } catch (const Refused& refusal) {
      refusals.push_back({origin_of(graph_.outputs[i].name), refusal.reason});
    }
  }
  return refusals;
}

void Translator::refuse(std::string reason) { throw Refused{std::move(reason)}; }

Value& Translator::input(size_t i) {
  const auto type = has(i) ? types_.find(node_->inputs[i]) : types_.end();
  if (type != types_.end() && is_half(type->second)) {
    refuse(fmt::format("it computes in float32, and rounds to {}", dtype_name(type->second)));
  }
  return float_input(i);
}

Value& Translator::float_input(size_t i) {
  if (!has(i)) refuse(fmt::format("an input of its {} is left out", node_->op_type));
  const std::string& name = node_->inputs[i];
  const auto type = types_.find(name);
  if (type != types_.end() && !is_number(type->second)) {
    refuse(fmt::format("it computes in float32, and not in {}", dtype_name(type->second)));
  }
  Value* value = find_value(name);
  if (value == nullptr) {
    const auto reason = reasons_.find(name);
    refuse(reason != reasons_.end() ? reason->second : "its operand has no elements");
  }
  return *value;
}

Value* Translator::find_value(const std::string& name) {
  const auto other = aliases_.find(name);
  const auto found = values_.find(other != aliases_.end() ? other->second : name);
  const bool is_there =
      found != values_.end() && (found->second.constant || found->second.has(Layout::kPlain) ||
                                 found->second.has(Layout::kLast));
  return is_there ? &found->second : nullptr;
}

void Translator::alias(const onnx::Node& node, const std::string& value) {
  const auto other = aliases_.find(value);
  aliases_[node.outputs.front()] = other != aliases_.end() ? other->second : value;
}

const onnx::Initializer* Translator::constant(const onnx::Node& node, size_t i, DType dtype) const {
  if (i >= node.inputs.size()) return nullptr;
  const auto other = aliases_.find(node.inputs[i]);
  const auto found = initializers_.find(other != aliases_.end() ? other->second : node.inputs[i]);
  if (found == initializers_.end()) return nullptr;
  const DType is = found->second->dtype;
  const bool fits = is == dtype || (dtype == DType::kFloat32 && is_half(is));
  return fits ? found->second : nullptr;
}

std::vector<int64_t> Translator::integers(size_t i) {
  const onnx::Initializer* found = constant(*node_, i, DType::kInt64);
  if (found == nullptr) refuse("its sizes or places are known only when it runs");
  auto items = elements<int64_t>(*found);
  if (!items) refuse("it has too many places");
  return *std::move(items);
}

std::optional<float> Translator::number(size_t i) const { return number(*node_, i); }

std::optional<float> Translator::number(const onnx::Node& node, size_t i) const {
  const onnx::Initializer* found = constant(node, i, DType::kFloat32);
  const auto items = found != nullptr ? floats_of(*found) : std::nullopt;
  return items && items->size() == 1 ? std::optional(items->front()) : std::nullopt;
}

std::vector<float> Translator::numbers(const onnx::Node& node, size_t i) {
  const onnx::Initializer* found = constant(node, i, DType::kFloat32);
  if (found == nullptr) refuse("its numbers are known only when it runs");
  auto items = floats_of(*found);
  if (!items) refuse("it has too many numbers");
  return *std::move(items);
}

std::optional<int> Translator::level(const onnx::Node& node, size_t i) const {
  const onnx::Initializer* found = constant(node, i, DType::kInt8);
  const auto items = found != nullptr ? elements<int8_t>(*found) : std::nullopt;
  return items && items->size() == 1 ? std::optional<int>(items->front()) : std::nullopt;
}

const onnx::Node* Translator::only_reader(std::string_view op_type) const {
  const onnx::Node* reader = only_reader(*node_);
  return reader != nullptr && reader->op_type == op_type ? reader : nullptr;
}

const onnx::Node* Translator::only_reader(const onnx::Node& node) const {
  const auto found = readers_.find(node.outputs.front());
  return found != readers_.end() && found->second.size() == 1 ? found->second.front() : nullptr;
}

bool Translator::is_scalar(size_t i) const {
  const auto found = has(i) ? initializers_.find(node_->inputs[i]) : initializers_.end();
  return found != initializers_.end() && found->second->sizes.empty();
}

size_t Translator::axis(int64_t axis, size_t rank) {
  const auto end = static_cast<int64_t>(rank);
  if (axis < 0) axis += end;
  if (axis < 0 || axis >= end) refuse("its dimension does not exist");
  return static_cast<size_t>(axis);
}

int64_t Translator::known(const ir::SymInt& size) {
  const auto constant = size.constant();
  if (!constant) refuse("XNNPACK has to know the size beforehand");
  return *constant;
}

Sizes Translator::most(const Dims& sizes) const {
  Sizes result;
  for (const ir::SymInt& size : sizes) {
    const auto value = size.evaluate(largest_);
    result.push_back(value.ok() ? *value : 0);
  }
  return result;
}

const Dims* Translator::declared(size_t i) const {
  const auto found = declared_.find(node_->outputs.at(i));
  return found != declared_.end() ? found->second : nullptr;
}

Value& Translator::define(const onnx::Node& node, size_t i, Dims sizes) {
  const char* reason = why_no_tensor(sizes, graph_.ranges, largest_);
  if (reason != nullptr) refuse(reason);
  Value& value = values_[node.outputs.at(i)];
  value.sizes = std::move(sizes);
  return value;
}

Value& Translator::define_moved(const Value& operand, Dims sizes, size_t i) {
  const Type type = operand.type;
  const bool is_rounded = operand.is_rounded;
  Value& value = define(i, std::move(sizes));
  value.type = type;
  value.is_rounded = is_rounded;
  return value;
}

Dims Translator::sizes_in(const Dims& sizes, Layout layout) {
  if (layout == Layout::kPlain) return sizes;
  if (sizes.size() == 3) return {sizes[0], 1, sizes[2], sizes[1]};
  return {sizes[0], sizes[2], sizes[3], sizes[1]};
}

size_t Translator::axis_in(size_t axis, size_t rank, Layout layout) {
  if (layout == Layout::kPlain || axis == 0) return axis;
  if (axis == 1) return 3;
  return rank == 3 ? axis : axis - 1;
}

uint32_t Translator::make(Value& value, Layout layout) {
  uint32_t& id = value.id(layout);
  const auto place = places_.find(&value);
  // What is held otherwise may be an output of float32.
  const auto is_held_so = [&](uint32_t at) {
    return value.type.dtype() == graph_.outputs[at - graph_.inputs.size()].dtype;
  };
  if (layout == Layout::kPlain && place != places_.end() && is_held_so(place->second)) {
    id = place->second;
    places_.erase(place);
    writer_.output(id, most(value.sizes), value.type);
  } else {
    id = temporary(sizes_in(value.sizes, layout), value.type);
  }
  return id;
}

void Translator::reshape(uint32_t from, const Dims& sizes, uint32_t to) {
  Sizes shape;
  for (const ir::SymInt& size : sizes) shape.push_back(size.constant().value_or(0));
  if (std::count(shape.begin(), shape.end(), 0) > 1) {
    refuse("XNNPACK reshapes to sizes of which one varies at most");
  }
  writer_.reshape(from, shape, to);
}

uint32_t Translator::rows_of(Value& value) {
  if (value.rows == kNone) {
    value.rows = writer_.rows(most(value.sizes));
    writer_.unary(xnn::XNodeUnion::XNNConvert, unrounded(value), value.rows);
  }
  return value.rows;
}

uint32_t Translator::faults_of(Value& value) {
  if (value.faults == kNone) {
    const int64_t inputs = known(value.sizes.back());
    const View zeros = {nullptr, {1, inputs}, {0, 0}, bytes_of<float>({0})};
    const uint32_t filter = writer_.constant(zeros, zeros.sizes);
    Dims sizes = value.sizes;
    sizes.back() = 1;
    value.faults = temporary(sizes);
    writer_.node(xnn::XNodeUnion::XNNFullyConnected,
                 xnn::CreateXNNFullyConnected(writer_.builder(), unrounded(value), filter, kNone,
                                              value.faults));
  }
  return value.faults;
}

uint32_t Translator::held(Value& value, Layout layout) {
  if (value.is_rounded) {
    refuse("XNNPACK quantizes rows for products with constant weights of 8 or 4 bits alone");
  }
  if (!value.has(layout)) convert(value, layout);
  return value.id(layout);
}

uint32_t Translator::get(Value& value, Layout layout) {
  const uint32_t from = held(value, layout);
  if (value.type == Type()) return from;
  uint32_t& id = value.floats[static_cast<size_t>(layout)];
  if (id != kNone) return id;
  id = temporary(sizes_in(value.sizes, layout));
  writer_.unary(xnn::XNodeUnion::XNNConvert, from, id);
  return id;
}

void Translator::convert(Value& value, Layout to) {
  if (value.constant) {
    View view = *value.constant;
    if (to == Layout::kLast) view = permuted(as_images(std::move(view)), {0, 2, 3, 1});
    value.id(to) = computed(view, view.sizes.empty() ? Sizes{1} : view.sizes);
    return;
  }
  const uint32_t from = value.id(to == Layout::kLast ? Layout::kPlain : Layout::kLast);
  const Dims& sizes = value.sizes;
  const bool is_line = sizes.size() == 3;
  if (is_flat(sizes)) {
    reshape(from, sizes_in(sizes, to), make(value, to));
  } else if (to == Layout::kLast) {
    uint32_t images = from;
    if (is_line) {
      const Dims four = {sizes[0], sizes[1], 1, sizes[2]};
      images = temporary(four, value.type);
      reshape(from, four, images);
    }
    writer_.transpose(images, {0, 2, 3, 1}, make(value, to));
  } else if (is_line) {
    const uint32_t images = temporary({sizes[0], sizes[1], 1, sizes[2]}, value.type);
    writer_.transpose(from, {0, 3, 1, 2}, images);
    reshape(images, sizes, make(value, to));
  } else {
    writer_.transpose(from, {0, 3, 1, 2}, make(value, to));
  }
}

uint32_t Translator::get_broadcast(Value& value, Layout layout, size_t rank) {
  if (layout == Layout::kPlain || value.rank() == rank) return get(value, layout);
  if (!value.constant) refuse("its operands have different numbers of dimensions");
  Value wide = value;
  wide.ids = {kNone, kNone};
  const size_t more = rank - value.rank();
  wide.sizes.insert(wide.sizes.begin(), more, 1);
  wide.constant->sizes.insert(wide.constant->sizes.begin(), more, 1);
  wide.constant->strides.insert(wide.constant->strides.begin(), more, 0);
  wide.constant->scaled_dim += more;
  wide.constant->grouped_dim += more;
  return get(wide, layout);
}

// What is padded does not depend on what the inputs hold.
uint32_t Translator::zero() {
  if (zero_ != kNone) return zero_;
  const auto input = std::find_if(graph_.inputs.begin(), graph_.inputs.end(),
                                  [&](const auto& type) { return values_.contains(type.name); });
  if (input == graph_.inputs.end()) refuse("XNNPACK computes nothing of constants alone");
  const Sizes ones(input->sizes.size(), 1);
  const uint32_t from = get(values_.at(input->name), Layout::kPlain);
  const uint32_t first = writer_.tensor(ones);
  writer_.slice(from, Sizes(ones.size(), 0), ones, first);
  const uint32_t line = writer_.tensor({1});
  writer_.reshape(first, {1}, line);
  const uint32_t padded = writer_.pad(line, {1}, {0}, 0, writer_.tensor({2}));
  zero_ = writer_.tensor({1});
  writer_.slice(padded, {0}, {1}, zero_);
  return zero_;
}

uint32_t Translator::computed(const View& view, const Sizes& dims) {
  int64_t count = 1;
  for (const int64_t size : dims) count *= size;
  const Sizes line = {count};
  auto found = std::find_if(computed_.begin(), computed_.end(),
                            [&](const auto& item) { return item.first == view; });
  if (found == computed_.end()) {
    const uint32_t from = zero();
    // The product is -0, which added changes nothing.
    const View weight = {nullptr, {count, 1}, {0, 0}, bytes_of<float>({-0.0F})};
    const uint32_t filter = writer_.constant(weight, weight.sizes);
    const uint32_t bias = writer_.constant(view, line);
    const uint32_t made = writer_.tensor(line);
    writer_.node(xnn::XNodeUnion::XNNFullyConnected,
                 xnn::CreateXNNFullyConnected(writer_.builder(), from, filter, bias, made));
    computed_.emplace_back(view, made);
    found = computed_.end() - 1;
  }
  if (dims == line) return found->second;
  const uint32_t shaped = writer_.tensor(dims);
  writer_.reshape(found->second, dims, shaped);
  return shaped;
}

std::string Translator::origin_of(const std::string& name) const {
  for (const onnx::Node& node : graph_.nodes) {
    if (std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end()) {
      return node.origin;
    }
  }
  return graph_.nodes.empty() ? "" : graph_.nodes.back().origin;
}

void Translator::give_output(size_t i) {
  const auto place = static_cast<uint32_t>(graph_.inputs.size() + i);
  const onnx::ValueType& output = graph_.outputs[i];
  Value* found = find_value(output.name);
  if (found == nullptr) refuse("its operand has no elements");
  Value& value = *found;
  const char* reason = why_no_tensor(value.sizes, graph_.ranges, largest_);
  if (reason != nullptr) refuse(reason);
  const uint32_t id = held(value, Layout::kPlain);
  if (id == place) return;
  const bool is_converted = value.type.dtype() != output.dtype;
  // Else an input, a constant, another output, or a value that is another's.
  const auto kind = is_converted ? xnn::XNodeUnion::XNNConvert : xnn::XNodeUnion::XNNCopy;
  writer_.output(place, most(value.sizes),
                 is_converted ? Type{std::nullopt, output.dtype} : value.type);
  writer_.unary(kind, id, place);
}

}  // namespace slipway::xnnpack
