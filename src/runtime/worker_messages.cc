#include "runtime/worker_messages.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"

namespace slipway::runtime {
namespace {

Error damaged() { return invalid_file("a message of another process is damaged"); }

Result<Value> read_tensor(MessageReader& message, const std::shared_ptr<SharedMemory>& memory) {
  const auto dtype = message.number<uint8_t>();
  const auto rank = message.number<uint32_t>();
  constexpr uint32_t kMostRank = 64;
  if (dtype >= kDTypeCount || rank > kMostRank) return damaged();
  std::vector<int64_t> sizes(rank);
  for (int64_t& size : sizes) size = message.number<int64_t>();
  const auto offset = message.number<uint64_t>();
  SLIPWAY_ASSIGN_OR_RETURN(const size_t nbytes,
                           contiguous_nbytes(static_cast<DType>(dtype), sizes));
  if (!message.ok() || memory == nullptr || !range_fits(offset, nbytes, memory->bytes().size())) {
    return damaged();
  }
  SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor,
                           Tensor::share(memory, memory->bytes().data() + offset, nbytes,
                                         static_cast<DType>(dtype), std::move(sizes)));
  return Value(std::move(tensor));
}

Result<Value> read_value(MessageReader& message, const std::shared_ptr<SharedMemory>& memory) {
  switch (message.number<uint8_t>()) {
    case 0:
      return Value();
    case 1:
      return read_tensor(message, memory);
    case 2:
      return Value(message.number<int64_t>());
    case 3:
      return Value(message.number<double>());
    case 4:
      return Value(message.number<uint8_t>() != 0);
    case 5:
      return Value(std::string(message.text()));
    default:
      return damaged();
  }
}

}  // namespace

void write_budgets(MessageWriter& message, const LoadOptions& options) {
  for (const auto& budget : {options.weight_streaming_budget, options.weight_streaming_total}) {
    message.number<uint8_t>(budget.has_value());
    message.number<uint64_t>(budget.value_or(0));
  }
}

void read_budgets(MessageReader& message, LoadOptions& options) {
  for (auto* budget : {&options.weight_streaming_budget, &options.weight_streaming_total}) {
    const bool is_given = message.number<uint8_t>() != 0;
    const auto bytes = message.number<uint64_t>();
    if (is_given) *budget = bytes;
  }
}

Result<uint64_t> shared_size(std::span<const Value> values) {
  uint64_t end = 0;
  for (const Value& value : values) {
    const auto* tensor = std::get_if<Tensor>(&value);
    if (tensor == nullptr) continue;
    const auto size = checked_align(tensor->nbytes(), kTensorAlignment);
    const auto sum = size ? checked_add(end, *size) : std::nullopt;
    if (!sum) return resource_exhausted("the tensors are too large for one call");
    end = *sum;
  }
  return std::max(end, kTensorAlignment);
}

void write_values(MessageWriter& message, std::span<const Value> values,
                  std::span<std::byte> memory) {
  uint64_t offset = 0;
  message.number<uint64_t>(values.size());
  for (const Value& value : values) {
    message.number(static_cast<uint8_t>(value.index()));
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      message.number(static_cast<uint8_t>(tensor->dtype()));
      message.number(static_cast<uint32_t>(tensor->sizes().size()));
      for (const int64_t size : tensor->sizes()) message.number(size);
      message.number(offset);
      if (tensor->nbytes() == 0) continue;
      std::memmove(memory.data() + offset, tensor->data(), tensor->nbytes());
      offset += *checked_align(tensor->nbytes(), kTensorAlignment);
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
      message.number(*integer);
    } else if (const auto* real = std::get_if<double>(&value)) {
      message.number(*real);
    } else if (const auto* boolean = std::get_if<bool>(&value)) {
      message.number(static_cast<uint8_t>(*boolean));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      message.text(*text);
    }
  }
}

Result<std::vector<Value>> read_values(MessageReader& message,
                                       const std::shared_ptr<SharedMemory>& memory) {
  const auto count = message.number<uint64_t>();
  std::vector<Value> values;
  for (uint64_t i = 0; i < count && message.ok(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(values.emplace_back(), read_value(message, memory));
  }
  if (!message.ok()) return damaged();
  return values;
}

}  // namespace slipway::runtime
