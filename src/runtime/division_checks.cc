#include "runtime/division_checks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "runtime/empty_calls.h"

namespace slipway::runtime {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

constexpr const char* kZero = "integer division by zero";
constexpr const char* kOverflow = "the least integer is divided by -1";

bool is_integral(aten::ScalarType type) { return et::isIntegralType(type, false); }

template <class T, class Predicate>
bool any_of(const aten::Tensor& tensor, Predicate predicate) {
  const T* data = tensor.const_data_ptr<T>();
  return data != nullptr && std::any_of(data, data + tensor.numel(), predicate);
}

// Whether some element is this number; `least` stands for the type's least one.
bool holds(const aten::Tensor& tensor, std::optional<int64_t> number) {
  const auto is = [&]<class T>(T) {
    if (number && !std::in_range<T>(*number)) return false;
    const T wanted = number ? static_cast<T>(*number) : std::numeric_limits<T>::min();
    return any_of<T>(tensor, [&](T each) { return each == wanted; });
  };
  switch (tensor.scalar_type()) {
    case aten::ScalarType::Byte:
      return is(uint8_t());
    case aten::ScalarType::Char:
      return is(int8_t());
    case aten::ScalarType::Short:
      return is(int16_t());
    case aten::ScalarType::Int:
      return is(int32_t());
    case aten::ScalarType::Long:
      return is(int64_t());
    case aten::ScalarType::Bool:
      return number && any_of<bool>(tensor, [&](bool each) { return each == (*number != 0); });
    default:
      return false;
  }
}

// A number or a tensor of them.
bool holds(const et::EValue& value, std::optional<int64_t> number) {
  if (value.isTensor()) return holds(value.toTensor(), number);
  if (value.isInt()) return number ? value.toInt() == *number : value.toInt() == INT64_MIN;
  return value.isBool() && number && value.toBool() == (*number != 0);
}

bool is_integral(const et::EValue& value) {
  if (value.isTensor()) {
    return et::isIntegralType(value.toTensor().scalar_type(), true);
  }
  return value.isInt() || value.isBool();
}

// Whether a number that divides a tensor is `other` in the tensor's type, which may have no room
// for all of it.
bool is_beside(const et::EValue& value, int64_t number, int64_t other) {
  const size_t bits = value.isTensor() ? 8 * value.toTensor().element_size() : 64;
  const uint64_t mask = bits < 64 ? (uint64_t{1} << bits) - 1 : ~uint64_t{0};
  return ((static_cast<uint64_t>(number) ^ static_cast<uint64_t>(other)) & mask) == 0;
}

// Whether the least integer of a's own type may be divided by -1 in that type. Narrower types than
// int32 are divided as int32, which has room for the quotient.
bool may_overflow(const et::EValue& a, const et::EValue& b) {
  if (!a.isTensor()) return a.isInt() && holds(b, -1);
  const auto type = a.toTensor().scalar_type();
  if (type != aten::ScalarType::Int && type != aten::ScalarType::Long) return false;
  if (b.isInt()) return is_beside(a, b.toInt(), -1);
  const bool is_wider = b.isTensor() && b.toTensor().scalar_type() == aten::ScalarType::Long;
  return (type == aten::ScalarType::Long || !is_wider) && holds(b, -1);
}

// Of complex numbers the kernel takes three tensors of one type and shape for granted.
const char* check_complex_quotient(const et::EValue& self, const et::EValue& other,
                                   const et::EValue& out) {
  if (!self.isTensor() || !other.isTensor()) return nullptr;
  const aten::Tensor& a = self.toTensor();
  const aten::Tensor& b = other.toTensor();
  const aten::ScalarType type = out.toTensor().scalar_type();
  if (!et::isComplexType(a.scalar_type()) && !et::isComplexType(b.scalar_type())) return nullptr;
  if (a.scalar_type() != type || b.scalar_type() != type) return "its complex types differ";
  return a.sizes().equals(b.sizes()) ? nullptr : "its complex operands have different shapes";
}

}  // namespace

// (a, b, ...): a divided by b, in integers.
const char* check_division(et::Span<et::EValue*> args) {
  if (!is_integral(*args[0]) || !is_integral(*args[1])) return nullptr;
  const auto has_no_elements = [](const et::EValue& value) {
    return value.isTensor() && value.toTensor().numel() == 0;
  };
  if (args[1]->isInt() && has_no_elements(*args[0])) {
    // The kernels refuse a divisor of 0 even where nothing is divided.
    const aten::Tensor& out = args[args.size() - 1]->toTensor();
    const auto sizes = args[0]->toTensor().sizes();
    return et::resize_tensor(out, sizes) == et::Error::Ok ? kDone
                                                          : "its result has no room for its sizes";
  }
  if (args[1]->isTensor() && (has_no_elements(*args[0]) || has_no_elements(*args[1]))) {
    return nullptr;
  }
  if (holds(*args[1], 0)) return kZero;
  if (args[1]->isInt() && is_beside(*args[0], args[1]->toInt(), 0)) return kZero;
  if (may_overflow(*args[0], *args[1]) && holds(*args[0], std::nullopt)) return kOverflow;
  return nullptr;
}

// (self, other, out): PyTorch's quotient is a floating-point number. The kernel takes an integral
// result, too, and divides by zero in the lanes past its end.
const char* check_quotient(et::Span<et::EValue*> args) {
  if (is_integral(args[2]->toTensor().scalar_type())) return "its result is of an integer type";
  return check_complex_quotient(*args[0], *args[1], *args[2]);
}

// (self, other, rounding_mode, out): without a mode it is div.out.
const char* check_rounded_quotient(et::Span<et::EValue*> args) {
  const char* const wrong = check_division(args);
  return wrong ? wrong : check_complex_quotient(*args[0], *args[1], *args[3]);
}

}  // namespace slipway::runtime
