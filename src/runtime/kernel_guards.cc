#include "runtime/kernel_guards.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <executorch/runtime/core/exec_aten/exec_aten.h>
#include <executorch/runtime/core/exec_aten/util/scalar_type_util.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/kernel/kernel_runtime_context.h>
#include <executorch/runtime/kernel/operator_registry.h>
#include <executorch/runtime/platform/log.h>

#include "runtime/division_checks.h"
#include "runtime/empty_calls.h"

namespace slipway::runtime {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using Arguments = et::Span<et::EValue*>;

// What is wrong with the arguments of a call; null: nothing. kDone: nothing is left to compute.
using Check = const char* (*)(Arguments);

template <Check kFirst, Check kSecond>
const char* check_both(Arguments args) {
  const char* const wrong = kFirst(args);
  return wrong ? wrong : kSecond(args);
}

struct Extremes {
  int64_t least = 0;
  int64_t greatest = 0;
};

// Of int32 and int64; 0 and 0 of nothing, and of other types, which the kernels refuse.
Extremes extremes(const aten::Tensor& tensor) {
  const auto of = [&]<class T>(const T* data) {
    if (data == nullptr || tensor.numel() == 0) return Extremes();
    const auto [least, greatest] = std::minmax_element(data, data + tensor.numel());
    return Extremes{*least, *greatest};
  };
  if (tensor.scalar_type() == aten::ScalarType::Int) return of(tensor.const_data_ptr<int32_t>());
  if (tensor.scalar_type() == aten::ScalarType::Long) return of(tensor.const_data_ptr<int64_t>());
  return {};
}

bool is_positive(int64_t number) { return number > 0 && number <= INT32_MAX; }

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

// (self, dim, index, src, out): the kernel walks along dimensions that an index of none lacks.
const char* check_scatter_add(Arguments args) {
  if (args[2]->toTensor().dim() == 0 && args[0]->toTensor().dim() > 0) {
    return "its index has no dimensions";
  }
  return scatter_nothing(args);
}

bool overlap(const aten::Tensor& a, const aten::Tensor& b) {
  const auto* const first = static_cast<const std::byte*>(a.const_data_ptr());
  const auto* const second = static_cast<const std::byte*>(b.const_data_ptr());
  return first < second + b.nbytes() && second < first + a.nbytes();
}

bool overlap(const et::EValue& value, const aten::Tensor& tensor) {
  if (value.isTensor()) return overlap(value.toTensor(), tensor);
  if (!value.isListOptionalTensor()) return false;
  const auto items = value.toListOptionalTensor();
  return std::any_of(items.begin(), items.end(),
                     [&](const auto& each) { return each.has_value() && overlap(*each, tensor); });
}

// Where a kernel looks at indices or counts first and uses them afterwards, its result, argument
// kOut, must not lie over them. Arguments before kFirst may lie under it.
template <size_t kOut, size_t kFirst = 0>
const char* check_apart(Arguments args) {
  const aten::Tensor& out = args[kOut]->toTensor();
  for (size_t i = kFirst; i + 1 < args.size(); ++i) {
    if (i != kOut && overlap(*args[i], out)) return "its result lies over what it is made of";
  }
  return nullptr;
}

// index_put.out(self, indices, values, accumulate, out): writes into self where that is its result,
// which is how a buffer is changed under a mask.
const char* check_index_put(Arguments args) {
  const aten::Tensor& self = args[0]->toTensor();
  const aten::Tensor& out = args[4]->toTensor();
  const bool is_in_place =
      self.const_data_ptr() == out.const_data_ptr() && self.nbytes() == out.nbytes();
  return is_in_place ? check_apart<4, 1>(args) : check_apart<4>(args);
}

// (weight, scales, zero_points, qmin, qmax, indices, [dtype], out): a group of numbers for each
// scale of a row. Scales are read as numbers of the result's type, zero points as those of scales.
template <int kNumbersPerByte, int kOut>
const char* check_embedding(Arguments args) {
  const aten::Tensor& weight = args[0]->toTensor();
  const aten::Tensor& scales = args[1]->toTensor();
  const aten::Tensor& indices = args[5]->toTensor();
  const aten::Tensor& out = args[kOut]->toTensor();
  if (weight.dim() != 2 || scales.dim() < 1 || scales.dim() > 2) {
    return "its table and scales have other numbers of dimensions";
  }
  const ssize_t groups = scales.dim() == 2 ? scales.size(1) : 1;
  const ssize_t numbers = weight.size(1) * kNumbersPerByte;
  if (groups == 0 || numbers / groups == 0 || scales.size(0) != weight.size(0)) {
    return "its scales don't fit its table";
  }
  const bool has_dtype = kOut == 7;
  if ((!has_dtype || !args[2]->isNone()) && scales.scalar_type() != out.scalar_type()) {
    return "its scales are of another type than its result";
  }
  if (out.dim() != indices.dim() + 1) return "its result has another number of dimensions";
  const Extremes range = extremes(indices);
  if (indices.numel() > 0 && (range.least < 0 || range.greatest >= weight.size(0))) {
    return "an index lies outside of its table";
  }
  return check_apart<kOut>(args);
}

// (self, dim, normalization, last_dim_size, out)
const char* check_fft_c2r(Arguments args) {
  const aten::Tensor& self = args[0]->toTensor();
  const auto dims = args[1]->toIntList();
  const int64_t last_size = args[3]->toInt();
  if (!et::isComplexType(self.scalar_type())) return "it takes complex numbers";
  uint32_t seen = 0;
  for (const int64_t dim : dims) {
    if (dim < 0 || dim >= self.dim() || (seen >> dim & 1) != 0) {
      return "its dimensions are out of range, or repeated";
    }
    seen |= uint32_t{1} << dim;
  }
  if (dims.empty() || !is_positive(last_size) || self.size(dims.back()) <= last_size / 2) {
    return "its input has fewer frequencies than its result needs";
  }
  return nullptr;
}

// (self, mat2, out)
const char* check_bmm(Arguments args) {
  const aten::Tensor& self = args[0]->toTensor();
  const aten::Tensor& other = args[1]->toTensor();
  if (self.dim() != 3 || other.dim() != 3 || args[2]->toTensor().dim() != 3) {
    return "it multiplies batches of matrices";
  }
  return self.size(2) == other.size(1) ? nullptr : "its matrices don't fit each other";
}

// (self, dim, dtype, out)
const char* check_cumsum(Arguments args) {
  return et::isRealHBBF16Type(args[0]->toTensor().scalar_type()) ? nullptr
                                                                 : "it has no sums of its type";
}

// (self, out)
const char* check_view_as_real(Arguments args) {
  return args[1]->toTensor().dim() == args[0]->toTensor().dim() + 1
             ? nullptr
             : "its result has another number of dimensions";
}

// (tensors, dim, out): a tensor of one dimension without elements stands for none at all. The
// kernel looks at the sizes of those with elements, and not at all of them.
const char* check_cat(Arguments args) {
  const aten::Tensor& out = args[2]->toTensor();
  const int64_t dim = args[1]->toInt();
  const aten::Tensor* first = nullptr;
  for (const aten::Tensor& each : args[0]->toTensorList()) {
    if (each.dim() == 1 && each.numel() == 0) continue;
    if (each.dim() != out.dim()) return "its tensors have different numbers of dimensions";
    if (first == nullptr) first = &each;
    for (ssize_t i = 0; i < each.dim(); ++i) {
      if (i != dim && i != dim + each.dim() && each.size(i) != first->size(i)) {
        return "its tensors have different sizes";
      }
    }
  }
  return nullptr;
}

// (self, size, stride, storage_offset, out)
const char* check_strided(Arguments args) {
  const auto sizes = args[1]->toIntList();
  const auto strides = args[2]->toIntList();
  int64_t last = args[3]->isNone() ? 0 : args[3]->toInt();
  if (sizes.size() != strides.size() || last < 0) return "it lies outside of its memory";
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t extent = 0;
    if (sizes[i] <= 0) return sizes[i] == 0 ? nullptr : "a size is negative";
    if (strides[i] < 0 || __builtin_mul_overflow(sizes[i] - 1, strides[i], &extent) ||
        __builtin_add_overflow(last, extent, &last)) {
      return "it lies outside of its memory";
    }
  }
  return last < args[0]->toTensor().numel() ? nullptr : "it lies outside of its memory";
}

bool is_row_major(const aten::Tensor& tensor) {
  size_t expected = 0;
  return std::all_of(tensor.dim_order().begin(), tensor.dim_order().end(),
                     [&](auto each) { return each == expected++; });
}

// (self, offset, dim1, dim2, out)
const char* check_diagonal(Arguments args) {
  const int64_t offset = args[1]->toInt();
  return offset >= -INT32_MAX && offset <= INT32_MAX ? nullptr : "its offset is out of range";
}

// (self, non_blocking, dim_order, out): complex numbers are copied as they are.
const char* check_complex_copy(Arguments args) {
  const auto type = args[0]->toTensor().scalar_type();
  const auto out_type = args[3]->toTensor().scalar_type();
  const bool is_complex = et::isComplexType(type) || et::isComplexType(out_type);
  return !is_complex || type == out_type ? nullptr : "its complex types differ";
}

// (self, k, dim, largest, sorted, values, indices)
const char* check_topk(Arguments args) {
  const bool fits = is_row_major(args[0]->toTensor()) && is_row_major(args[5]->toTensor()) &&
                    is_row_major(args[6]->toTensor());
  return fits ? nullptr : "its dimensions are in another order in memory";
}

// (input, ...): pixels are taken from the picture.
const char* check_picture(Arguments args) {
  const aten::Tensor& input = args[0]->toTensor();
  if (input.dim() != 4) return "it takes a batch of pictures";
  return input.size(2) > 0 && input.size(3) > 0 ? nullptr : "its picture has no pixels";
}

// (self, factor, out)
const char* check_pixel_factor(Arguments args) {
  return is_positive(args[1]->toInt()) ? nullptr : "its factor is not positive";
}

// Lists [kFirst, kFirst + kCount) of steps and sizes that are counted from 1.
template <size_t kFirst, size_t kCount>
const char* check_positive(Arguments args) {
  for (size_t i = kFirst; i < kFirst + kCount; ++i) {
    const auto numbers = args[i]->toIntList();
    if (!std::all_of(numbers.begin(), numbers.end(), is_positive)) {
      return "a size or a step of its window is not positive";
    }
  }
  return nullptr;
}

// (self, kernel_size, stride, padding, ...)
const char* check_average_pool(Arguments args) { return check_positive<1, 2>(args); }

// (self, kernel_size, stride, padding, dilation, ...)
const char* check_max_pool(Arguments args) {
  const char* const wrong = check_positive<1, 2>(args);
  return wrong ? wrong : check_positive<4, 1>(args);
}

// (grad_output, self, kernel_size, stride, padding, dilation, ceil_mode, indices, grad_input):
// gradients are added where the indices say.
const char* check_max_pool_backward(Arguments args) {
  if (const char* const wrong = check_positive<2, 2>(args)) return wrong;
  if (const char* const wrong = check_positive<5, 1>(args)) return wrong;
  const aten::Tensor& self = args[1]->toTensor();
  const aten::Tensor& indices = args[7]->toTensor();
  if (self.dim() < 2 || !indices.sizes().equals(args[0]->toTensor().sizes())) {
    return "its indices don't fit its gradients";
  }
  const int64_t pixels = int64_t{self.size(self.dim() - 2)} * self.size(self.dim() - 1);
  const Extremes range = extremes(indices);
  if (indices.numel() > 0 && (range.least < -1 || range.greatest >= pixels)) {
    return "an index lies outside of its picture";
  }
  return check_apart<8>(args);
}

// (input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, out)
const char* check_convolution(Arguments args) {
  const aten::Tensor& weight = args[1]->toTensor();
  const int64_t groups = args[8]->toInt();
  if (!is_positive(groups)) return "its number of groups is not positive";
  if (weight.dim() < 2) return "its weight has too few dimensions";
  if (args[2]->isNone()) return nullptr;
  const int64_t channels = args[6]->toBool() ? groups * weight.size(1) : weight.size(0);
  const aten::Tensor& bias = args[2]->toTensor();
  if (bias.scalar_type() != weight.scalar_type()) return "its bias has another type";
  return bias.numel() == channels ? nullptr : "its bias doesn't fit its channels";
}

// (grad_output, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding,
// groups, output_mask, grad_input, grad_weight, grad_bias)
const char* check_convolution_backward(Arguments args) {
  const aten::Tensor& weight = args[2]->toTensor();
  if (!is_positive(args[9]->toInt())) return "its number of groups is not positive";
  const auto mask = args[10]->toBoolList();
  if (mask.size() != 3 || !mask[2] || weight.dim() == 0) return nullptr;
  int64_t channels = args[13]->toTensor().numel();
  if (!args[3]->isNone()) {
    const auto sizes = args[3]->toIntList();
    channels = sizes.size() == 1 ? sizes[0] : -1;
  }
  return channels == weight.size(0) ? nullptr : "its bias doesn't fit its channels";
}

// (input, weight, weight_scales, ...): a group of numbers for each scale of a row.
const char* check_mixed_linear(Arguments args) {
  const aten::Tensor& input = args[0]->toTensor();
  const aten::Tensor& scales = args[2]->toTensor();
  const bool has_numbers = input.dim() == 2 && input.size(1) > 0;
  const bool has_groups = scales.dim() != 2 || scales.size(1) > 0;
  return has_numbers && has_groups ? nullptr : "it has no numbers to add up";
}

// (repeats, output_size, out)
const char* check_repeat_interleave(Arguments args) {
  const aten::Tensor& repeats = args[0]->toTensor();
  const Extremes range = extremes(repeats);
  if (range.least < 0) return "a number of repeats is negative";
  const int64_t count = std::max<int64_t>(1, repeats.numel());
  return range.greatest <= INT32_MAX / count ? check_apart<2>(args) : "it repeats too often";
}

// (self, dim, correction, keepdim, out0, out1): both are written as the first one's type.
const char* check_var_mean(Arguments args) {
  return args[4]->toTensor().scalar_type() == args[5]->toTensor().scalar_type()
             ? nullptr
             : "its results have different types";
}

// NaN has no scale: the kernel gives up on it, on whichever of its threads meets it.
bool has_nan(const aten::Tensor& tensor) {
  if (tensor.scalar_type() != aten::ScalarType::Float) return false;
  const float* data = tensor.const_data_ptr<float>();
  return std::any_of(data, data + tensor.numel(), [](float each) { return each != each; });
}

// (input, quant_min, quant_max, eps, dtype, scale_out, zero_point_out)
const char* check_qparams(Arguments args) {
  const aten::Tensor& input = args[0]->toTensor();
  const int64_t least = args[1]->toInt();
  const int64_t greatest = args[2]->toInt();
  if (input.numel() == 0) return "it has no numbers to find a scale for";
  if (least < INT32_MIN || greatest > INT32_MAX || least >= greatest ||
      greatest - least > INT32_MAX) {
    return "its quantized numbers have no range";
  }
  return has_nan(input) ? "a number is NaN, which has no scale" : nullptr;
}

// (input, dtype, scale_out, zero_point_out)
const char* check_qparams_of_tokens(Arguments args) {
  const aten::Tensor& input = args[0]->toTensor();
  if (input.dim() == 0 || input.size(input.dim() - 1) == 0) {
    return "it has no numbers to find a scale for";
  }
  return has_nan(input) ? "a number is NaN, which has no scale" : nullptr;
}

struct Guard {
  std::string_view kernel;
  Check check;
};

constexpr Guard kGuards[] = {
    {"aten::div.out", check_quotient},
    {"aten::div.out_mode", check_rounded_quotient},
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
    {"aten::_adaptive_avg_pool2d.out", pool_nothing},
    {"aten::constant_pad_nd.out", pad_nothing},
    {"aten::mm.out", multiply_nothing},
    {"aten::linear.out", apply_linear_to_nothing},
    {"aten::view_copy.out", check_view},
    {"executorch_prim::et_view.default", check_view},
    {"quantized_decomposed::embedding_byte.out", check_embedding<1, 6>},
    {"quantized_decomposed::embedding_byte.dtype_out", check_embedding<1, 7>},
    {"quantized_decomposed::embedding_4bit.out", check_embedding<2, 6>},
    {"quantized_decomposed::embedding_4bit.dtype_out", check_embedding<2, 7>},
    {"quantized_decomposed::embedding_2bit.out", check_embedding<4, 6>},
    {"quantized_decomposed::embedding_2bit.dtype_out", check_embedding<4, 7>},
    {"aten::_fft_c2r.out", check_fft_c2r},
    {"aten::as_strided_copy.out", check_strided},
    {"aten::bmm.out", check_both<check_bmm, multiply_nothing>},
    {"aten::cat.out", check_cat},
    {"aten::diagonal_copy.out", check_diagonal},
    {"dim_order_ops::_to_dim_order_copy.out", check_complex_copy},
    {"aten::embedding.out", check_apart<5>},
    {"aten::gather.out", check_both<gather_nothing, check_apart<4>>},
    {"aten::index.Tensor_out", check_apart<2>},
    {"aten::index_put.out", check_index_put},
    {"aten::index_put_", check_apart<0>},
    {"aten::index_select.out", check_both<select_nothing, check_apart<3>>},
    {"aten::masked_scatter.out", check_apart<3>},
    {"aten::masked_select.out", check_apart<2>},
    {"aten::nonzero.out", check_apart<1>},
    {"aten::scatter.src_out", check_both<scatter_nothing, check_apart<4>>},
    {"aten::scatter.value_out", check_both<scatter_nothing, check_apart<4>>},
    {"aten::scatter_add.out", check_both<check_scatter_add, check_apart<4>>},
    {"aten::cumsum.out", check_cumsum},
    {"aten::view_as_real_copy.out", check_view_as_real},
    {"aten::upsample_bilinear2d.vec_out", check_picture},
    {"aten::upsample_nearest2d.vec_out", check_picture},
    {"aten::grid_sampler_2d.out", check_picture},
    {"aten::pixel_shuffle.out", check_pixel_factor},
    {"aten::pixel_unshuffle.out", check_pixel_factor},
    {"aten::avg_pool2d.out", check_average_pool},
    {"aten::max_pool2d_with_indices.out", check_max_pool},
    {"aten::max_pool2d_with_indices_backward.grad_input", check_max_pool_backward},
    {"aten::convolution.out", check_convolution},
    {"aten::convolution_backward.out", check_convolution_backward},
    {"aten::repeat_interleave.Tensor_out", check_repeat_interleave},
    {"aten::topk.values", check_topk},
    {"aten::var_mean.correction_out", check_var_mean},
    {"quantized_decomposed::mixed_linear.out", check_mixed_linear},
    {"quantized_decomposed::choose_qparams.Tensor_out", check_qparams},
    {"quantized_decomposed::choose_qparams_per_token_asymmetric.out", check_qparams_of_tokens},
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
