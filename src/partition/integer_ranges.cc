#include "partition/integer_ranges.h"

#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/queries.h"
#include "partition/interval_rules.h"
#include "schema/traits.h"

namespace slipway::partition {
namespace {

using ir::Argument;
using ir::Graph;
using ir::Node;
using ir::Value;

// Larger constants are not read: those are weights, and whatever indexes is small.
constexpr size_t kMostElements = size_t{16} << 20;

template <class Element>
void extend(std::span<const std::byte> bytes, std::optional<Interval>& interval) {
  for (size_t offset = 0; offset + sizeof(Element) <= bytes.size(); offset += sizeof(Element)) {
    Element element;
    std::memcpy(&element, bytes.data() + offset, sizeof element);
    const Interval found{element, element};
    interval = interval ? join(*interval, found) : found;
  }
}

void extend(DType dtype, std::span<const std::byte> bytes, std::optional<Interval>& interval) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUInt8:
      return extend<uint8_t>(bytes, interval);
    case DType::kInt8:
      return extend<int8_t>(bytes, interval);
    case DType::kUInt16:
      return extend<uint16_t>(bytes, interval);
    case DType::kInt16:
      return extend<int16_t>(bytes, interval);
    case DType::kUInt32:
      return extend<uint32_t>(bytes, interval);
    case DType::kInt32:
      return extend<int32_t>(bytes, interval);
    case DType::kInt64:
      return extend<int64_t>(bytes, interval);
    default:
      return;
  }
}

std::optional<Interval> elements_of(const ir::ConstantData& data) {
  if (!type_interval(data.dtype) || data.nbytes() / dtype_size(data.dtype) > kMostElements) {
    return std::nullopt;
  }
  std::optional<Interval> interval;
  const Status status = data.source().write([&](std::span<const std::byte> bytes) -> Status {
    extend(data.dtype, bytes, interval);
    return {};
  });
  return status.ok() ? interval : std::nullopt;
}

bool is_wide_integer(const Value* value) {
  return value->is_tensor() && (value->dtype() == DType::kInt32 || value->dtype() == DType::kInt64);
}

// Whether the results are elements of the first argument: moved, or in another type that holds any
// index.
bool keeps_elements(const Node& node) {
  if (schema::only_moves(node.op())) return true;
  const bool converts = schema::trait_of(node.op()) == schema::Trait::kConverted;
  const auto* from = converts && !node.args().empty() ? std::get_if<Value*>(&node.arg(0)) : nullptr;
  return from && *from && is_wide_integer(*from) && node.outputs().size() == 1 &&
         is_wide_integer(node.output());
}

std::unordered_set<const Value*> find_indices(const Graph& graph) {
  std::unordered_set<const Value*> indices;  // with a use as an index
  std::unordered_set<const Value*> others;   // with another use
  const auto use = [](std::unordered_set<const Value*>& uses, const Argument& argument) {
    Graph::for_each_value(argument, [&uses](const Value* value) { uses.insert(value); });
  };
  for (const Argument& output : graph.outputs()) use(others, output);
  // From the last node to the first: what becomes of a node's results is known before the node.
  for (auto it = graph.nodes().rbegin(); it != graph.nodes().rend(); ++it) {
    const Node& node = **it;
    const bool keeps = keeps_elements(node);
    for (size_t i = 0; i < node.args().size(); ++i) {
      if (keeps && i == 0) {
        for (const Value* output : node.outputs()) {
          if (indices.contains(output)) use(indices, node.arg(i));
          if (others.contains(output)) use(others, node.arg(i));
        }
      } else {
        use(schema::is_index_argument(node.op(), i) ? indices : others, node.arg(i));
      }
    }
  }
  std::erase_if(indices, [&](const Value* value) {
    return others.contains(value) || !is_wide_integer(value);
  });
  return indices;
}

}  // namespace

IntegerRanges::IntegerRanges(const ir::Program& program)
    : intervals_(program.ranges), indices_(find_indices(*program.graph)) {
  for (const auto& [value, input] : ir::constant_inputs(program)) {
    if (const auto interval = elements_of(*input->data)) intervals_.set(value, *interval);
  }
  for (const auto& node : program.graph->nodes()) add(*node);
}

void IntegerRanges::add(const Node& node) {
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    if (const auto interval = result_interval(node, i, intervals_)) {
      intervals_.set(node.output(i), *interval);
    }
  }
}

ir::Range IntegerRanges::of(const Value* value) const {
  const bool floats = value->is_tensor() && !type_interval(value->dtype());
  const auto interval = floats ? std::nullopt : intervals_.of(value);
  if (!interval) return {};
  ir::Range range;
  if (interval->min > INT64_MIN) range.min = static_cast<int64_t>(interval->min);
  if (interval->max < INT64_MAX) range.max = static_cast<int64_t>(interval->max);
  return range;
}

}  // namespace slipway::partition
