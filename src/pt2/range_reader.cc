#include "pt2/range_reader.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include <fmt/core.h>

#include "base/identifier.h"

namespace slipway::pt2 {
namespace {

// Bounds at or past this are PyTorch's ways to say "none".
constexpr int64_t kUnbounded = int64_t{1} << 62;

std::optional<int64_t> read_bound(JsonValue bound) {
  if (bound.is_none()) return std::nullopt;
  // Numbers past 64 bits have been read as floats.
  if (bound.kind() == JsonValue::Kind::kFloat) return std::nullopt;
  const int64_t value = bound.to_int();
  if (value >= kUnbounded || value <= -kUnbounded) return std::nullopt;
  return value;
}

int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

void tighten(ir::Range& range, const ir::Range& with) {
  if (with.min && (!range.min || *range.min < *with.min)) range.min = with.min;
  if (with.max && (!range.max || *range.max > *with.max)) range.max = with.max;
}

}  // namespace

ir::SymbolRanges read_ranges(JsonValue constraints) {
  ir::SymbolRanges ranges;
  for (auto [key, constraint] : constraints.members()) {
    ir::Range range{read_bound(constraint.find("min_val")), read_bound(constraint.find("max_val"))};
    std::string_view symbol = key;
    const size_t star = key.find('*');
    if (star != std::string_view::npos) {
      int64_t factor = 0;
      const auto [end, problem] = std::from_chars(key.data(), key.data() + star, factor);
      if (problem != std::errc() || end != key.data() + star || factor <= 0) continue;
      symbol = key.substr(star + 1);
      if (range.min) range.min = -floor_divide(-*range.min, factor);
      if (range.max) range.max = floor_divide(*range.max, factor);
    }
    if (!is_identifier(symbol)) continue;
    tighten(ranges[std::string(symbol)], range);
  }
  for (const auto& [symbol, range] : ranges) {
    if (range.min && range.max && *range.min > *range.max) {
      constraints.fail(fmt::format("leave no value for {}", symbol));
    }
  }
  return ranges;
}

}  // namespace slipway::pt2
