#include "cuda/builder/generator.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/half.h"
#include "cuda/builder/device_code.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/rule.h"
#include "cuda/format/blob.h"
#include "cuda/format/choices.h"
#include "cuda/format/plans.h"
#include "pte/format/scalar_types.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// Integers of initializers up to this many may be sizes.
constexpr int64_t kMostIntegers = 64;
// From so many on a thread computes a run of eight, whose memory is read and written in vectors.
constexpr int64_t kManyElements = int64_t{1} << 20;
constexpr int64_t kRun = 8;
// Of launches whose choice is not known before all of its alternatives are.
constexpr uint32_t kOpenChoice = UINT32_MAX;

template <class T>
T first(std::span<const std::byte> bytes) {
  T value = {};
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string literal_of(DType dtype, std::span<const std::byte> bytes) {
  switch (dtype) {
    case DType::kFloat32:
      return real_literal(first<float>(bytes), dtype);
    case DType::kFloat64:
      return real_literal(first<double>(bytes), dtype);
    case DType::kFloat16:
      return real_literal(from_float16(first<uint16_t>(bytes)), dtype);
    case DType::kBFloat16:
      return real_literal(from_bfloat16(first<uint16_t>(bytes)), dtype);
    case DType::kInt64:
    case DType::kUInt64:
      return integer_literal(first<int64_t>(bytes), dtype);
    case DType::kInt32:
      return integer_literal(first<int32_t>(bytes), dtype);
    case DType::kUInt32:
      return integer_literal(first<uint32_t>(bytes), dtype);
    case DType::kInt16:
      return integer_literal(first<int16_t>(bytes), dtype);
    case DType::kUInt16:
      return integer_literal(first<uint16_t>(bytes), dtype);
    case DType::kInt8:
      return integer_literal(first<int8_t>(bytes), dtype);
    default:
      return integer_literal(first<uint8_t>(bytes), dtype);
  }
}

// Of numbers that indices of 32 bits can compute.
template <class T>
std::optional<Generator::Progression> progression_of(std::span<const std::byte> bytes) {
  const size_t count = bytes.size() / sizeof(T);
  if (count < 2) return std::nullopt;
  const auto at = [&](size_t i) { return first<T>(bytes.subspan(i * sizeof(T))); };
  for (const size_t i : {size_t{0}, size_t{1}, count - 1}) {
    if (at(i) <= -kShortEnd || at(i) >= kShortEnd) return std::nullopt;
  }
  const Generator::Progression made = {at(0), int64_t{at(1)} - int64_t{at(0)}};
  for (size_t i = 2; i < count; ++i) {
    if (at(i) != made.first + static_cast<int64_t>(i) * made.step) return std::nullopt;
  }
  return made;
}

// What is in memory is read there: the value is so once it is written.
std::string computed(Kernel& kernel, Value& value, const Indices& at) {
  const auto buffer = std::exchange(value.buffer, std::nullopt);
  std::string element = kernel.read(value, at);
  value.buffer = buffer;
  return element;
}

}  // namespace

Generator::Generator(const onnx::Graph& graph, const engine_build::Constants& constants, Ways ways)
    : graph_(graph),
      constants_(constants),
      types_(onnx::value_types(graph)),
      ways_(ways),
      numbers_(graph) {
  for (const auto* list : {&graph.values, &graph.outputs}) {
    for (const onnx::ValueType& type : *list) declared_[type.name] = &type.sizes;
  }
  for (const onnx::Initializer& initializer : graph.initializers) {
    Value& made = value(initializer.name);
    made.dtype = initializer.dtype;
    made.sizes.assign(initializer.sizes.begin(), initializer.sizes.end());
    made.initializer = &initializer;
    const auto count = cuda::numel(made.sizes).constant().value_or(0);
    if (made.dtype != DType::kInt64 || made.sizes.size() > 1 || count > kMostIntegers) continue;
    const auto data = bytes(initializer);
    made.ints.emplace();
    for (int64_t i = 0; i < count; ++i) {
      made.ints->push_back(first<int64_t>(data.subspan(static_cast<size_t>(i) * 8)));
    }
  }
  add_inputs();
  for (uint32_t i = 0; i < graph.outputs.size(); ++i) value(graph.outputs[i].name).output = i;
  count_readers();
}

void Generator::add_inputs() {
  const size_t tensors = graph_.inputs.size() - graph_.symbol_inputs.size();
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const onnx::ValueType& type = graph_.inputs[i];
    Value& input = value(type.name);
    input.dtype = type.dtype;
    input.sizes = type.sizes;
    if (i >= tensors) {
      input.ints = {SymInt::symbol(graph_.symbol_inputs[i - tensors])};
      continue;
    }
    const SymInt bytes = cuda::numel(type.sizes) * static_cast<int64_t>(dtype_size(type.dtype));
    if (numbers_.of(bytes)) {
      input.buffer = add_buffer(table::Home::Input, static_cast<uint32_t>(i), 0, bytes);
    }
  }
}

void Generator::count_readers() {
  for (const onnx::Node& node : graph_.nodes) {
    if (node.op_type == "Shape" || node.op_type == "Size") continue;
    const std::set<std::string> inputs(node.inputs.begin(), node.inputs.end());
    for (const std::string& input : inputs) {
      if (input.empty()) continue;
      ++value(input).readers;
      readers_[input].push_back(&node);
    }
  }
}

std::span<const onnx::Node* const> Generator::readers(const std::string& name) const {
  const auto found = readers_.find(name);
  if (found == readers_.end()) return {};
  return found->second;
}

bool Generator::rejoins(const Value& value) const {
  constexpr size_t kMostNodes = 16;
  const auto first = readers(value.name);
  if (value.output || first.size() < 2) return false;
  std::set<std::string_view> between = {value.name};
  std::set<const onnx::Node*> open(first.begin(), first.end());  // in the graph's order
  for (size_t i = 0; i < kMostNodes; ++i) {
    const onnx::Node& node = **open.begin();
    open.erase(open.begin());
    if (!is_pointwise(node.op_type)) return false;
    for (const std::string& name : node.inputs) {
      if (name.empty() || between.contains(name)) continue;
      const Value* const other = find(name);
      const bool is_there = other && !other->root &&
                            (other->buffer || other->initializer || other->ints || other->define);
      if (!is_there || broadcast(value.sizes, other->sizes) != value.sizes) return false;
    }
    if (open.empty()) return true;
    const std::string& result = node.outputs.front();
    if (find(result) && find(result)->output) return false;
    between.insert(result);
    const auto next = readers(result);
    open.insert(next.begin(), next.end());
  }
  return false;
}

std::vector<engine_build::Refusal> Generator::run() {
  std::vector<engine_build::Refusal> refusals;
  for (const onnx::Node& node : graph_.nodes) {
    node_ = &node;
    reason_.reset();
    bool is_refused = false;
    for (const std::string& input : node.inputs) {
      is_refused = is_refused || (!input.empty() && value(input).is_refused);
    }
    if (!is_refused) {
      lower(node);
      if (reason_) refusals.push_back({node.origin, *reason_});
    }
    if (!is_refused && !reason_) continue;
    for (const std::string& output : node.outputs) value(output).is_refused = true;
  }
  node_ = nullptr;
  for (const onnx::ValueType& output : graph_.outputs) {
    reason_.reset();
    for (const SymInt& size : output.sizes) static_cast<void>(number(size));
    if (!reason_) continue;
    const auto makes = [&](const onnx::Node& node) {
      return std::find(node.outputs.begin(), node.outputs.end(), output.name) != node.outputs.end();
    };
    const auto maker = std::find_if(graph_.nodes.begin(), graph_.nodes.end(), makes);
    refusals.push_back({maker == graph_.nodes.end() ? "" : maker->origin, *reason_});
  }
  return refusals;
}

void Generator::lower(const onnx::Node& node) {
  const Entry* entry = find_entry(node.op_type);
  if (!entry) return fail(fmt::format("no kernel computes {}", node.op_type));
  for (const auto* names : {&node.inputs, &node.outputs}) {
    for (const std::string& name : *names) {
      const auto type = types_.find(name);
      if (type != types_.end() && !has_type(type->second)) {
        return fail(fmt::format("it has no kernels of {}", dtype_name(type->second)));
      }
    }
  }
  for (const std::string& name : node.inputs) {
    const Value* input = name.empty() ? nullptr : find(name);
    if (!input || input->ints || input->buffer || input->initializer || input->define) continue;
    return fail(fmt::format("the sizes of {} are known only from data", name));
  }
  for (const std::string& name : node.outputs) value(name).maker = &node;
  Rule rule(*this, node);
  try {
    entry->rule(rule);
  } catch (const std::exception&) {  // out of range, an attribute of another type
    fail(fmt::format("its {} has another form than is known here", node.op_type));
  }
}

void Generator::fail(std::string reason) {
  if (!reason_) reason_ = std::move(reason);
}

Value& Generator::value(const std::string& name) {
  std::unique_ptr<Value>& made = values_[name];
  if (!made) {
    made = std::make_unique<Value>();
    made->name = name;
  }
  return *made;
}

const Value* Generator::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : found->second.get();
}

const Sizes* Generator::declared_sizes(const std::string& name) const {
  const auto found = declared_.find(name);
  return found == declared_.end() ? nullptr : found->second;
}

uint32_t Generator::number(const SymInt& number) {
  const auto found = numbers_.of(number);
  if (!found) {
    fail(fmt::format("the size {} is known only from data", number.to_string()));
    return numbers_.of(int64_t{0});
  }
  return *found;
}

std::pair<uint32_t, uint32_t> Generator::flag(const std::string& text) {
  auto found = std::find(engine_.flags.begin(), engine_.flags.end(), text);
  const auto place = static_cast<uint32_t>(found - engine_.flags.begin());
  if (found == engine_.flags.end()) engine_.flags.push_back(text);
  if (!flags_) flags_ = add_buffer(table::Home::Flags, 0, 0, 0);
  return {*flags_, place};
}

std::optional<std::string> Generator::literal(const Value& value) const {
  if (cuda::numel(value.sizes) != SymInt(1)) return std::nullopt;
  return literal_of(value.dtype, bytes(*value.initializer));
}

std::optional<float> Generator::real(const Value& value) const {
  const bool is_one = value.initializer != nullptr && value.dtype == DType::kFloat32 &&
                      cuda::numel(value.sizes) == SymInt(1);
  if (!is_one) return std::nullopt;
  float number = 0;
  std::memcpy(&number, bytes(*value.initializer).data(), sizeof number);
  return number;
}

std::optional<Generator::Progression> Generator::progression(const Value& value) {
  const auto [it, is_new] = progressions_.try_emplace(value.initializer);
  if (!is_new) return it->second;
  const auto data = bytes(*value.initializer);
  if (value.dtype == DType::kInt64) it->second = progression_of<int64_t>(data);
  if (value.dtype == DType::kInt32) it->second = progression_of<int32_t>(data);
  return it->second;
}

uint32_t Generator::constant(const Value& value) {
  const auto [it, is_new] = constant_buffers_.try_emplace({value.initializer, ""}, 0);
  if (is_new) it->second = add_constant(bytes(*value.initializer), nullptr);
  return it->second;
}

uint32_t Generator::constant(const Value& value, const std::string& form,
                             const std::function<std::vector<std::byte>()>& make) {
  const auto [it, is_new] = constant_buffers_.try_emplace({value.initializer, form}, 0);
  if (is_new) {
    const auto made = std::make_shared<const std::vector<std::byte>>(make());
    it->second = add_constant(*made, made);
  }
  return it->second;
}

uint32_t Generator::add_constant(std::span<const std::byte> data,
                                 std::shared_ptr<const void> owner) {
  const uint64_t offset = engine_.constant_bytes;
  constant_list_.push_back({data, std::move(owner), offset});
  engine_.constant_bytes += (data.size() + kAlignment - 1) / kAlignment * kAlignment;
  return add_buffer(table::Home::Constant, 0, offset, static_cast<int64_t>(data.size()));
}

uint32_t Generator::add_buffer(table::Home home, uint32_t position, uint64_t offset,
                               const SymInt& bytes) {
  auto buffer = std::make_unique<table::BufferT>();
  buffer->home = home;
  buffer->position = position;
  buffer->offset = offset;
  buffer->bytes = number(bytes);
  engine_.buffers.push_back(std::move(buffer));
  buffer_bytes_.push_back(bytes);
  return static_cast<uint32_t>(engine_.buffers.size() - 1);
}

void Generator::allocate(Value& value) {
  if (value.output) value.order = Order::kAsGiven;
  const SymInt bytes =
      cuda::numel(value.sizes) * static_cast<int64_t>(dtype_size(memory_dtype(value)));
  value.buffer =
      value.output ? add_buffer(table::Home::Output, *value.output, 0, bytes) : scratch(bytes);
}

void Generator::add_elements(const SymInt& count) {
  most_elements_ = std::max(most_elements_, count.constant().value_or(0));
}

uint32_t Generator::scratch(const SymInt& bytes) {
  return add_buffer(table::Home::Scratch, 0, 0, bytes);
}

bool Generator::is_constant(uint32_t buffer) const {
  return engine_.buffers.at(buffer)->home == table::Home::Constant;
}

bool Generator::is_of_caller(uint32_t buffer) const {
  const table::Home home = engine_.buffers.at(buffer)->home;
  return home == table::Home::Input || home == table::Home::Output;
}

void Generator::materialize(Value& value) {
  if (value.buffer || (value.initializer && !value.output)) return;
  allocate(value);
  // Kernels are of the node that they begin with, whoever wants to have the value.
  const onnx::Node* const wanting = node_;
  const Value& begin = value.root ? *value.root->value : value;
  if (begin.maker != nullptr) node_ = begin.maker;
  const size_t first_step = engine_.steps.size();
  uint32_t alternatives = 1;
  for (uint32_t i = 0; i < alternatives; ++i) {
    Kernel kernel(*this, {.index = i});
    kernel.set_target(value);
    write(value, kernel);
    launch(kernel);
    alternatives = kernel.alternative().count;
  }
  if (alternatives > 1) add_choice(first_step);
  node_ = wanting;
  value.define = nullptr;
  value.root = nullptr;
  value.weight = 0;
}

void Generator::write(Value& value, Kernel& kernel) {
  if (!value.root) return write_elements(value, kernel);
  const std::shared_ptr<Root> root = value.root;
  root->emit(kernel, [&](Kernel& k, const Indices& at, const std::string& expression) {
    k.bind(*root->value, at, expression);
    k.store(value, at, computed(k, value, at));
  });
}

void Generator::write_elements(Value& value, Kernel& kernel) {
  kernel.use_short_indices();
  const SymInt count = cuda::numel(value.sizes);
  const bool has_runs = count.constant().value_or(0) >= kManyElements;
  std::string place;
  if (has_runs) {
    use(builder::kProductTiles);
    const std::string run = kernel.thread_of(SymInt::floordiv(count + (kRun - 1), kRun));
    const std::string first = kernel.let("Index", times(run, std::to_string(kRun)));
    const std::string all = kernel.number(count);
    kernel.line(
        fmt::format("const int count = {0} - {1} < {2} ? {0} - {1} : {2};", all, first, kRun));
    kernel.open_run();
    place = kernel.let("Index", plus(first, "e"));
    kernel.follow(place);
  } else {
    place = kernel.thread_of(count);
  }
  const Indices at = kernel.unravel(place, value);
  kernel.store(value, at, computed(kernel, value, at));
  if (has_runs) kernel.close_run();
}

// What equal kernels compute is chosen together: it is as fast with one as with the other.
void Generator::add_choice(size_t first_step) {
  std::vector<uint32_t*> open;
  bool by_cudnn = false;
  std::vector<std::pair<uint8_t, uint32_t>> kernels;
  for (size_t i = first_step; i < engine_.steps.size(); ++i) {
    table::LaunchT* const launch = engine_.steps[i].AsLaunch();
    table::ProductT* const product = engine_.steps[i].AsProduct();
    table::LibraryGraphT* const graph = engine_.steps[i].AsLibraryGraph();
    uint32_t* const choice = launch    ? &launch->choice
                             : product ? &product->choice
                             : graph   ? &graph->choice
                                       : nullptr;
    if (choice == nullptr || *choice != kOpenChoice) continue;
    by_cudnn = by_cudnn || graph != nullptr;
    open.push_back(choice);
    if (launch != nullptr) kernels.emplace_back(launch->alternative, launch->kernel);
  }
  const auto number = static_cast<uint32_t>(choices_.size() + 1);
  const auto [known, is_new] = choices_.try_emplace(std::move(kernels), number);
  if (is_new) {
    engine_.choices.push_back(0);
    if (by_cudnn) engine_.plans.resize(engine_.plans.size() + kPlanRoom);
  }
  engine_.device.resize(kDeviceRoom);
  for (uint32_t* const choice : open) *choice = known->second;
}

void Generator::launch(const Kernel& kernel) {
  table::StepUnion step;
  const Alternative& alternative = kernel.alternative();
  if (kernel.library_step()) {
    std::visit(
        [&](auto made) {
          made.origin = node_ ? node_->origin : "";
          made.choice = kOpenChoice;
          made.alternative = static_cast<uint8_t>(alternative.index);
          made.plan = alternative.plan;
          step.Set(std::move(made));
        },
        Kernel::LibraryStep(*kernel.library_step()));
    engine_.steps.push_back(std::move(step));
    return;
  }
  const auto [it, is_new] = kernels_.try_emplace({kernel.attributes(), kernel.source()},
                                                 static_cast<uint32_t>(sources_.size()));
  if (is_new) {
    sources_.push_back(&it->first);
    engine_.kernels.push_back(fmt::format("k{}", it->second));
  }
  table::LaunchT launch;
  launch.kernel = it->second;
  for (const SymInt& size : kernel.grid()) launch.grid.push_back(number(size));
  launch.block = {static_cast<uint32_t>(kernel.block()), 1, 1};
  launch.shared_bytes = kernel.shared_bytes();
  for (const Kernel::Argument& argument : kernel.arguments()) {
    launch.arguments.emplace_back(
        argument.is_number ? table::ArgumentKind::Number : table::ArgumentKind::Buffer,
        argument.index);
  }
  launch.reads = kernel.reads();
  launch.writes = kernel.writes();
  launch.origin = node_ ? node_->origin : "";
  if (alternative.count > 1) {
    launch.choice = kOpenChoice;
    launch.alternative = static_cast<uint8_t>(alternative.index);
    launch.plan = alternative.plan;
    launch.target = alternative.target;
  }
  step.Set(std::move(launch));
  engine_.steps.push_back(std::move(step));
}

void Generator::use(std::string_view text) {
  if (std::find(texts_.begin(), texts_.end(), text) == texts_.end()) texts_.push_back(text);
}

std::string Generator::source() const {
  std::string text(builder::kPrelude);
  for (const std::string_view used : texts_) text += used;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const auto& [attributes, source] = *sources_[i];
    text += fmt::format("\nextern \"C\" __global__ void {}k{}{}", attributes, i, source);
  }
  return text;
}

PieceList Generator::constant_pieces(uint64_t bytes) const {
  PieceList pieces;
  for (const Constant& constant : constant_list_) {
    pieces.pad_to(constant.offset);
    pieces.add(OwnedSpan{constant.bytes, constant.owner});
  }
  pieces.pad_to(bytes);
  return pieces;
}

table::PortT Generator::port(const onnx::ValueType& type) {
  table::PortT port;
  port.name = type.name;
  const auto scalar_type = pte::scalar_type_of(type.dtype);
  port.type = scalar_type ? static_cast<int8_t>(*scalar_type) : -1;  // there are no kernels of it
  for (const SymInt& size : type.sizes) port.sizes.push_back(number(size));
  return port;
}

table::EngineT Generator::take_engine() {
  for (const onnx::ValueType& type : graph_.inputs) {
    engine_.inputs.push_back(std::make_unique<table::PortT>(port(type)));
  }
  for (const onnx::ValueType& type : graph_.outputs) {
    engine_.outputs.push_back(std::make_unique<table::PortT>(port(type)));
  }
  engine_.overlaps = true;
  for (const table::NumberT& number : numbers_.take()) {
    engine_.numbers.push_back(std::make_unique<table::NumberT>(number));
  }
  return std::move(engine_);
}

}  // namespace slipway::cuda
