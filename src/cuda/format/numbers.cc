#include "cuda/format/numbers.h"

#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "base/error.h"

namespace slipway::cuda {
namespace {

using Value = std::optional<int64_t>;

// To minus infinity.
Value floor_divide(int64_t a, int64_t b) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return std::nullopt;
  const int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

// With the sign of b.
Value modulo(int64_t a, int64_t b) {
  if (b == 0) return std::nullopt;
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value power(int64_t base, int64_t exponent) {
  if (exponent < 0) return std::nullopt;
  Value result = 1;
  Value square = base;
  for (; exponent > 0; exponent /= 2) {
    if (!square) return std::nullopt;
    if (exponent % 2 != 0) result = checked_mul_signed(*result, *square);
    if (!result) return std::nullopt;
    square = checked_mul_signed(*square, *square);
  }
  return result;
}

Value compute(const table::NumberT& number, const CallSizes& sizes,
              const std::vector<int64_t>& earlier) {
  const auto a = [&] { return earlier[number.a]; };
  const auto b = [&] { return earlier[number.b]; };
  switch (number.kind) {
    case table::NumberKind::Constant:
      return number.value;
    case table::NumberKind::Dimension:
      return sizes.inputs[number.a][number.b];
    case table::NumberKind::Element:
      return sizes.elements[number.a];
    case table::NumberKind::Add:
      return checked_add_signed(a(), b());
    case table::NumberKind::Multiply:
      return checked_mul_signed(a(), b());
    case table::NumberKind::FloorDivide:
      return floor_divide(a(), b());
    case table::NumberKind::Modulo:
      return modulo(a(), b());
    case table::NumberKind::Minimum:
      return std::min(a(), b());
    case table::NumberKind::Maximum:
      return std::max(a(), b());
    case table::NumberKind::Power:
      return power(a(), b());
    case table::NumberKind::Scale:
      return checked_scale(a(), number.factor);
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<int64_t>> evaluate(const table::EngineT& engine, const CallSizes& sizes) {
  std::vector<int64_t> values;
  values.reserve(engine.numbers.size());
  for (const auto& number : engine.numbers) {
    const Value value = compute(*number, sizes, values);
    if (!value) {
      return invalid_argument(
          "the sizes of the inputs are too large, or divide by zero: the number {} ({}) has no "
          "value",
          values.size(), table::EnumNameNumberKind(number->kind));
    }
    values.push_back(*value);
  }
  return values;
}

}  // namespace slipway::cuda
