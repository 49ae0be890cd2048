#include "cuda/builder/rule.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/half.h"
#include "cuda/builder/layout.h"

namespace slipway::cuda {

using ir::SymInt;

namespace {

// What has more readers is computed once where an element takes more operations than this.
constexpr int kCheap = 4;
// Expressions do not grow above this many operations.
constexpr int kMostOperations = 120;

template <class T>
std::vector<double> read(std::span<const std::byte> bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  if (!elements.empty()) std::memcpy(elements.data(), bytes.data(), elements.size() * sizeof(T));
  return {elements.begin(), elements.end()};
}

std::vector<double> halves(std::span<const std::byte> bytes, float (*convert)(uint16_t)) {
  std::vector<double> numbers = read<uint16_t>(bytes);
  for (double& number : numbers) number = convert(static_cast<uint16_t>(number));
  return numbers;
}

bool is_in_memory(const Value& value) { return value.buffer || value.initializer || value.ints; }

}  // namespace

Sizes broadcast(const Sizes& a, const Sizes& b) {
  Sizes result = a.size() >= b.size() ? a : b;
  const Sizes& other = a.size() >= b.size() ? b : a;
  const size_t shift = result.size() - other.size();
  for (size_t i = 0; i < other.size(); ++i) {
    SymInt& size = result[i + shift];
    const bool takes_other = size == SymInt(1) || (!size.is_constant() && other[i].is_constant() &&
                                                   other[i] != SymInt(1));
    if (takes_other) size = other[i];
  }
  return result;
}

Indices aligned(const Indices& at, const Value& operand) {
  const size_t shift = at.size() - operand.sizes.size();
  Indices result;
  for (size_t i = 0; i < operand.sizes.size(); ++i) {
    result.push_back(operand.sizes[i] == SymInt(1) ? "0" : at.at(i + shift));
  }
  return result;
}

std::vector<SymInt> Rule::integers(size_t i) {
  const Value& value = input(i);
  if (value.ints) return *value.ints;
  std::vector<SymInt> result;
  const auto numbers =
      value.initializer && !is_floating_point(value.dtype) ? reals(i) : std::nullopt;
  if (!numbers)
    give_up(fmt::format("input {} of its {} is known only from data", i, node_.op_type));
  for (const double number : *numbers) result.emplace_back(static_cast<int64_t>(number));
  return result;
}

std::vector<int64_t> Rule::constants(size_t i) {
  std::vector<int64_t> result;
  for (const SymInt& number : integers(i)) {
    const auto known = number.constant();
    if (!known) give_up(fmt::format("input {} of its {} depends on sizes", i, node_.op_type));
    result.push_back(*known);
  }
  return result;
}

void Rule::give_up(std::string reason) {
  fail(std::move(reason));
  // The generator makes it the node's refusal.
  throw std::out_of_range(node_.op_type);
}

std::optional<std::vector<double>> Rule::reals(const Value& value) const {
  if (value.is_cast && value.dtype == DType::kFloat32) {
    auto numbers = reals(*value.operands.front());
    if (!numbers) return std::nullopt;
    for (double& number : *numbers) number = static_cast<float>(number);
    return numbers;
  }
  if (!value.initializer) return std::nullopt;
  const auto bytes = generator_.bytes(*value.initializer);
  switch (value.dtype) {
    case DType::kFloat32:
      return read<float>(bytes);
    case DType::kFloat64:
      return read<double>(bytes);
    case DType::kFloat16:
      return halves(bytes, from_float16);
    case DType::kBFloat16:
      return halves(bytes, from_bfloat16);
    case DType::kInt64:
      return read<int64_t>(bytes);
    case DType::kInt32:
      return read<int32_t>(bytes);
    case DType::kInt8:
      return read<int8_t>(bytes);
    case DType::kUInt8:
      return read<uint8_t>(bytes);
    default:
      return std::nullopt;
  }
}

size_t Rule::axis(int64_t axis, size_t rank) {
  const auto count = static_cast<int64_t>(rank);
  if (axis < -count || axis >= std::max<int64_t>(count, 1)) fail("it has no such dimension");
  return static_cast<size_t>(axis < 0 ? axis + count : axis);
}

// Whether it is a number that the half type has.
bool Rule::is_narrow_number(size_t i, DType type) {
  const auto numbers = reals(i);
  if (!numbers || numbers->size() != 1) return false;
  const auto number = static_cast<float>(numbers->front());
  return number == round_to_half(number, type);
}

// A half type that has each element of the first result, where that is float32.
std::optional<DType> Rule::narrow() {
  // Their elements are the first operand's.
  static const std::set<std::string_view> kKeep = {
      "Cast",    "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten",
      "Expand",  "Tile",     "Gather",  "Slice",   "Split",     "Transpose",
      "MaxPool", "Relu",     "Neg",     "Abs",     "Trilu",     "Resize"};
  // Each of their elements is one of an operand's.
  static const std::set<std::string_view> kSelect = {"Clip", "Concat", "Max",
                                                     "Min",  "Pad",    "Where"};
  const std::string& op = node_.op_type;
  if (op == "Resize" && attribute("mode", std::string("nearest")) != "nearest") return std::nullopt;
  if (kKeep.contains(op) && has(0)) {
    const Value& x = input(0);
    return op == "Cast" && is_half(x.dtype) ? x.dtype : x.narrow;
  }
  if (!kSelect.contains(op)) return std::nullopt;
  std::vector<size_t> chosen;
  for (size_t i = 0; i < input_count(); ++i) {
    const bool is_place = (op == "Where" && i == 0) || (op == "Pad" && i != 0 && i != 2);
    if (has(i) && !is_place) chosen.push_back(i);
  }
  std::optional<DType> type;
  for (const size_t i : chosen) type = type ? type : input(i).narrow;
  const bool are_narrow = type && std::all_of(chosen.begin(), chosen.end(), [&](size_t i) {
                            return input(i).narrow == type || is_narrow_number(i, *type);
                          });
  return are_narrow ? type : std::nullopt;
}

Sizes Rule::declared(size_t i, Sizes otherwise) const {
  const Sizes* sizes = generator_.declared_sizes(node_.outputs.at(i));
  if (sizes && sizes->size() == otherwise.size()) otherwise = *sizes;
  return otherwise;
}

Value& Rule::result(size_t i, Sizes sizes) {
  Value& value = output(i);
  value.dtype = dtype(i);
  value.sizes = declared(i, std::move(sizes));
  generator_.add_elements(numel(value.sizes));
  if (value.dtype == DType::kFloat32) value.narrow = narrow();
  return value;
}

void settle(Generator& generator, const std::vector<Value*>& operands,
            const std::vector<Value*>& again) {
  for (Value* operand : operands) {
    const bool is_computed_again =
        operand->weight > 1 && std::find(again.begin(), again.end(), operand) != again.end();
    if (is_in_memory(*operand)) continue;
    if (operand->root || (is_computed_again && !view_of(*operand))) {
      generator.materialize(*operand);
    }
  }
}

Value& Rule::define(size_t i, Sizes sizes, std::vector<Value*> operands, Kind kind, int weight,
                    Definition definition) {
  static const std::set<std::string_view> kKeepChannels = {"Concat", "Pad", "Slice", "Split",
                                                           "Tile"};
  Value& value = result(i, std::move(sizes));
  const Value* carrier = nullptr;
  for (Value* operand : operands) {
    const bool has_its_order = kind == Kind::kPointwise ? operand->sizes == value.sizes
                                                        : operand->order == Order::kChannelsLast &&
                                                              kKeepChannels.contains(node_.op_type);
    if (has_its_order && value.order == Order::kAsGiven) value.order = operand->order;
    if (is_in_memory(*operand) || operand == carrier) continue;
    const bool joins = operand->root && kind == Kind::kPointwise &&
                       (!carrier || operand->root == carrier->root) &&
                       (operand->readers == 1 || operand->rejoins) && operand->sizes == value.sizes;
    if (joins) {
      carrier = operand;
      value.root = operand->root;
    } else if (operand->root) {
      generator_.materialize(*operand);
    }
    if (!is_in_memory(*operand)) weight += operand->weight;
  }
  value.weight = weight;
  value.define = std::move(definition);
  value.rejoins = value.root && generator_.rejoins(value);
  const bool is_shared = value.readers > 1 && (value.root ? !value.rejoins : weight > kCheap);
  if (value.output || is_shared || weight > kMostOperations) generator_.materialize(value);
  return value;
}

Value& Rule::define_pointwise(const std::vector<Value*>& operands, int weight,
                              Expression expression) {
  Sizes sizes;
  for (const Value* operand : operands) sizes = broadcast(sizes, operand->sizes);
  Value& value = define(0, sizes, operands, Kind::kPointwise, weight,
                        [operands, expression](Kernel& k, const Indices& at) {
                          std::vector<std::string> elements;
                          for (const Value* operand : operands) {
                            elements.push_back(k.read(*operand, aligned(at, *operand)));
                          }
                          return expression(k, elements);
                        });
  value.operands.assign(operands.begin(), operands.end());
  value.expression = std::move(expression);
  return value;
}

Value& Rule::define_root(size_t i, Sizes sizes, const std::vector<Value*>& operands,
                         const std::vector<Value*>& again,
                         std::function<void(Kernel&, const Store&)> emit) {
  settle(generator_, operands, again);
  Value& value = result(i, std::move(sizes));
  value.root = std::make_shared<Root>(Root{&value, std::move(emit), nullptr, nullptr});
  value.define = [](Kernel&, const Indices&) { return std::string("#error"); };
  value.rejoins = generator_.rejoins(value);
  if (value.output || (value.readers > 1 && !value.rejoins)) generator_.materialize(value);
  return value;
}

Value& Rule::define_memory(size_t i, Sizes sizes, const std::vector<Value*>& operands,
                           const std::vector<Value*>& again) {
  settle(generator_, operands, again);
  Value& value = result(i, std::move(sizes));
  generator_.allocate(value);
  return value;
}

Value& Rule::define_integers(size_t i, Sizes sizes, std::vector<SymInt> elements) {
  Value& value = result(i, std::move(sizes));
  value.ints = std::move(elements);
  if (value.output) generator_.materialize(value);
  return value;
}

void keep_elements(Rule& r) {
  Value* x = &r.input(0);
  if (x->ints) return void(r.define_integers(0, x->sizes, *x->ints));
  Value& y = r.define(0, x->sizes, {x}, Rule::Kind::kPointwise, 0,
                      [=](Kernel& k, const Indices& at) { return k.read(*x, at); });
  keep_view(y, x);
}

bool is_pointwise(const std::string& op_type) {
  // Of conversions, and those that compute with sizes, too.
  static const std::set<std::string_view> kOfOtherRules = {"Cast", "Add", "Sub", "Mul", "Div",
                                                           "Mod",  "Min", "Max", "Pow"};
  const Entry* const entry = find_entry(op_type);
  const auto rules = pointwise_rules();
  return kOfOtherRules.contains(op_type) ||
         std::any_of(rules.begin(), rules.end(), [&](const Entry& rule) { return &rule == entry; });
}

const Entry* find_entry(const std::string& op_type) {
  static const std::map<std::string, const Entry*> kEntries = [] {
    std::map<std::string, const Entry*> entries;
    for (const auto rules :
         {pointwise_rules(), conversion_rules(), size_rules(), move_rules(), index_rules(),
          scatter_rules(), reduction_rules(), row_rules(), sort_rules(), product_rules(),
          window_rules(), resampling_rules(), recurrent_rules()}) {
      for (const Entry& entry : rules) {
        std::istringstream names(entry.op_types);
        for (std::string name; names >> name;) entries[name] = &entry;
      }
    }
    return entries;
  }();
  const auto found = kEntries.find(op_type);
  return found == kEntries.end() ? nullptr : found->second;
}

}  // namespace slipway::cuda
