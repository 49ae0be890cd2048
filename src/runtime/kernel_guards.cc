#include "runtime/kernel_guards.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/log.h>

namespace slipway::runtime {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using Arguments = et::Span<et::EValue*>;

// What is wrong with the arguments of a call; null: nothing. kDone: nothing is left to compute.
using Check = const char* (*)(Arguments);
constexpr const char* kDone = "done";

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

// A number beside a tensor is divided by in the tensor's type, which may have no room for it.
bool is_zero_beside(const et::EValue& value, int64_t number) {
  const int64_t bits =
      value.isTensor() ? 8 * static_cast<int64_t>(value.toTensor().element_size()) : 64;
  return bits < 64 && number % (int64_t{1} << bits) == 0;
}

// (a, b, ...): a divided by b, in integers.
const char* check_division(Arguments args) {
  if (!is_integral(*args[0]) || !is_integral(*args[1])) return nullptr;
  if (holds(*args[1], 0)) return kZero;
  if (args[1]->isInt() && is_zero_beside(*args[0], args[1]->toInt())) return kZero;
  if (holds(*args[1], -1) && holds(*args[0], std::nullopt)) return kOverflow;
  return nullptr;
}

// (self, other, out): PyTorch's quotient is a floating-point number. The kernel takes an integral
// result, too, and divides by zero in the lanes past its end.
const char* check_quotient(Arguments args) {
  return is_integral(args[2]->toTensor().scalar_type()) ? "its result is of an integer type"
                                                        : nullptr;
}

// (self, dim, half_to_float, out): it divides by sizes. Of no elements the result is none.
const char* check_log_softmax(Arguments args) {
  const aten::Tensor& self = args[0]->toTensor();
  if (self.numel() > 0) return nullptr;
  const et::Error error = et::resize_tensor(args[3]->toTensor(), self.sizes());
  return error == et::Error::Ok ? kDone : "its result has no room for its sizes";
}

// (self, size, out): what is left for -1 is found by a division.
const char* check_view(Arguments args) {
  bool is_inferred = false;
  bool is_empty = false;
  for (const int64_t size : args[1]->toIntList()) {
    is_inferred = is_inferred || size == -1;
    is_empty = is_empty || size == 0;
  }
  return is_inferred && is_empty ? "a size can't be inferred beside one of 0" : nullptr;
}

// (weight, scales, zero_points, qmin, qmax, indices, ...): a group of numbers for each scale of a
// row.
template <int kNumbersPerByte>
const char* check_embedding(Arguments args) {
  const aten::Tensor& weight = args[0]->toTensor();
  const aten::Tensor& scales = args[1]->toTensor();
  if (weight.dim() != 2 || scales.dim() < 1 || scales.dim() > 2) {
    return "its table and scales have other numbers of dimensions";
  }
  const ssize_t groups = scales.dim() == 2 ? scales.size(1) : 1;
  const ssize_t numbers = weight.size(1) * kNumbersPerByte;
  if (groups == 0 || numbers / groups == 0 || scales.size(0) != weight.size(0)) {
    return "its scales don't fit its table";
  }
  return nullptr;
}

const char* check_fft_c2r(Arguments args) {
  return et::isComplexType(args[0]->toTensor().scalar_type()) ? nullptr
                                                              : "it takes complex numbers";
}

struct Guard {
  std::string_view kernel;
  Check check;
};

constexpr Guard kGuards[] = {
    {"aten::div.out", check_quotient},
    {"aten::div.out_mode", check_division},
    {"aten::div.Scalar_mode_out", check_division},
    {"aten::floor_divide.out", check_division},
    {"aten::fmod.Tensor_out", check_division},
    {"aten::fmod.Scalar_out", check_division},
    {"aten::remainder.Tensor_out", check_division},
    {"aten::remainder.Scalar_out", check_division},
    {"executorch_prim::floordiv.Scalar", check_division},
    {"executorch_prim::floordiv.int", check_division},
    {"executorch_prim::mod.Scalar", check_division},
    {"executorch_prim::mod.int", check_division},
    {"aten::_log_softmax.out", check_log_softmax},
    {"aten::view_copy.out", check_view},
    {"executorch_prim::et_view.default", check_view},
    {"quantized_decomposed::embedding_byte.out", check_embedding<1>},
    {"quantized_decomposed::embedding_byte.dtype_out", check_embedding<1>},
    {"quantized_decomposed::embedding_4bit.out", check_embedding<2>},
    {"quantized_decomposed::embedding_4bit.dtype_out", check_embedding<2>},
    {"quantized_decomposed::embedding_2bit.out", check_embedding<4>},
    {"quantized_decomposed::embedding_2bit.dtype_out", check_embedding<4>},
    {"aten::_fft_c2r.out", check_fft_c2r},
};

// The kernels that the guards stand before. ExecuTorch knows kernels as plain functions, so each
// guard is one of its own.
std::array<et::OpFunction, std::size(kGuards)> guarded = {};

template <size_t kIndex>
void run_guarded(et::KernelRuntimeContext& context, Arguments args) {
  const char* const wrong = kGuards[kIndex].check(args);
  if (wrong == nullptr) return guarded[kIndex](context, args);
  if (wrong == kDone) return;
  ET_LOG(Error, "%s", wrong);
  context.fail(et::Error::InvalidArgument);
}

template <size_t... kIndices>
constexpr std::array<et::OpFunction, sizeof...(kIndices)> make_guards(
    std::index_sequence<kIndices...>) {
  return {run_guarded<kIndices>...};
}
constexpr auto kFunctions = make_guards(std::make_index_sequence<std::size(kGuards)>());

}  // namespace

void guard_kernels() {
  for (const et::Kernel& kernel : et::get_registered_kernels()) {
    const auto guard = std::find_if(std::begin(kGuards), std::end(kGuards), [&](const Guard& each) {
      return each.kernel == kernel.name_ && kernel.kernel_key_.is_fallback();
    });
    if (guard == std::end(kGuards)) continue;
    const auto index = static_cast<size_t>(guard - std::begin(kGuards));
    if (guarded[index] != nullptr) continue;
    guarded[index] = kernel.op_;
    // The registry is an array of its own, which it shows as constant.
    const_cast<et::Kernel&>(kernel).op_ = kFunctions[index];
  }
}

}  // namespace slipway::runtime
