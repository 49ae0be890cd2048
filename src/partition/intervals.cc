#include "partition/intervals.h"

#include <cmath>
#include <variant>
#include <vector>

namespace slipway::partition {

using ir::Argument;
using ir::SymInt;
using ir::Value;

void Intervals::set(const Value* value, const Interval& interval) {
  const auto type = value->is_tensor() ? exact_interval(value->dtype()) : std::nullopt;
  if (type && value->dtype() != DType::kUInt64 && type->contains(interval)) {
    known_.insert_or_assign(value, interval);
  }
}

std::optional<Interval> Intervals::of(const Value* value) const {
  if (value->kind() == ir::ValueKind::kSymInt) return of(value->expression());
  if (value->kind() == ir::ValueKind::kSymBool) return Interval{0, 1};
  if (!value->is_tensor()) return std::nullopt;
  const auto known = known_.find(value);
  return known != known_.end() ? known->second : type_interval(value->dtype());
}

Interval Intervals::of(const SymInt& expression) const {
  const ir::Range range = expression.bounds(symbols_);
  return {range.min.value_or(INT64_MIN), range.max.value_or(INT64_MAX)};
}

std::optional<Interval> Intervals::of(const Argument& argument) const {
  if (const auto* value = std::get_if<Value*>(&argument)) {
    return *value ? of(*value) : std::nullopt;
  }
  if (const auto* expression = std::get_if<SymInt>(&argument)) return of(*expression);
  if (const auto* flag = std::get_if<bool>(&argument)) return Interval{*flag, *flag};
  if (const auto* number = std::get_if<double>(&argument)) {
    constexpr double kExact = 9007199254740992;  // 2^53
    if (!(std::abs(*number) <= kExact)) return std::nullopt;
    return Interval{static_cast<int64_t>(std::floor(*number)),
                    static_cast<int64_t>(std::ceil(*number))};
  }
  if (const auto* values = std::get_if<std::vector<Value*>>(&argument)) {
    std::optional<Interval> result;
    for (const Value* value : *values) {
      const std::optional<Interval> item = value ? of(value) : std::nullopt;
      if (!item) return std::nullopt;
      result = result ? join(*result, *item) : *item;
    }
    return result;
  }
  return std::nullopt;
}

}  // namespace slipway::partition
