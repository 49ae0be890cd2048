#include "c_api/tensors.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "c_api/error.h"

namespace slipway::c_api {
namespace {

constexpr uint32_t kVersion = 1;

struct NamedType {
  DLDataTypeCode code;
  uint8_t bits;
  DType dtype;
};
// ComplexFloat16 is of two halves.
constexpr NamedType kTypes[] = {
    {kDLUInt, 8, DType::kUInt8},
    {kDLInt, 8, DType::kInt8},
    {kDLInt, 16, DType::kInt16},
    {kDLInt, 32, DType::kInt32},
    {kDLInt, 64, DType::kInt64},
    {kDLFloat, 16, DType::kFloat16},
    {kDLFloat, 32, DType::kFloat32},
    {kDLFloat, 64, DType::kFloat64},
    {kDLComplex, 32, DType::kComplex32},
    {kDLComplex, 64, DType::kComplex64},
    {kDLComplex, 128, DType::kComplex128},
    {kDLBool, 8, DType::kBool},
    {kDLBfloat, 16, DType::kBFloat16},
    {kDLFloat8_e4m3fn, 8, DType::kFloat8E4M3FN},
    {kDLFloat8_e5m2, 8, DType::kFloat8E5M2},
    {kDLFloat8_e4m3fnuz, 8, DType::kFloat8E4M3FNUZ},
    {kDLFloat8_e5m2fnuz, 8, DType::kFloat8E5M2FNUZ},
    {kDLFloat8_e8m0fnu, 8, DType::kFloat8E8M0},
    {kDLUInt, 16, DType::kUInt16},
    {kDLUInt, 32, DType::kUInt32},
    {kDLUInt, 64, DType::kUInt64},
};
static_assert(std::size(kTypes) == kDTypeCount);

std::optional<DType> dtype_of(const DLDataType& type) {
  if (type.lanes != 1) return std::nullopt;
  for (const NamedType& entry : kTypes) {
    if (entry.code == type.code && entry.bits == type.bits) return entry.dtype;
  }
  return std::nullopt;
}

std::optional<Device> device_of(const DLDevice& device) {
  switch (device.device_type) {
    case kDLCPU:
    case kDLCUDAHost:
      return Device();
    case kDLCUDA:
      return Device{Device::Type::kCuda, device.device_id};
    default:
      return std::nullopt;
  }
}

// Strides of sizes of 1, and of what has no elements, don't matter.
bool is_contiguous(const DLTensor& tensor, const std::vector<int64_t>& sizes) {
  if (tensor.strides == nullptr || std::count(sizes.begin(), sizes.end(), 0) > 0) return true;
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] != 1 && tensor.strides[i] != stride) return false;
    stride *= sizes[i];
  }
  return true;
}

struct Manager {
  Tensor tensor;
  std::vector<int64_t> sizes;
  std::shared_ptr<const void> owner;
  DLManagedTensorVersioned managed;
};

void free_manager(DLManagedTensorVersioned* self) {
  delete static_cast<Manager*>(self->manager_ctx);
}

}  // namespace

Result<Tensor> from_dlpack(const DLManagedTensorVersioned& given) {
  if (given.version.major != kVersion) {
    return invalid_argument("the tensor is of version {} of DLPack, and must be of version {}",
                            given.version.major, kVersion);
  }
  const DLTensor& tensor = given.dl_tensor;
  const auto device = device_of(tensor.device);
  if (!device) {
    return invalid_argument(
        "the tensor is in memory of another device (DLPack's type {}): copy it to the host",
        static_cast<int>(tensor.device.device_type));
  }
  const auto dtype = dtype_of(tensor.dtype);
  if (!dtype) {
    return invalid_argument("the tensor's type (DLPack's code {}, {} bits, {} lanes) is none here",
                            tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes);
  }
  if (tensor.ndim < 0 || (tensor.ndim > 0 && tensor.shape == nullptr)) {
    return invalid_argument("the tensor has {} dimensions and no sizes", tensor.ndim);
  }
  std::vector<int64_t> sizes(tensor.shape, tensor.shape + tensor.ndim);
  SLIPWAY_ASSIGN_OR_RETURN(const size_t nbytes, contiguous_nbytes(*dtype, sizes));
  if (!is_contiguous(tensor, sizes)) {
    return invalid_argument("the tensor {} is not contiguous: copy it into one that is",
                            format_type(*dtype, sizes));
  }
  if (nbytes > 0 && tensor.data == nullptr) {
    return invalid_argument("the tensor {} has no memory", format_type(*dtype, sizes));
  }
  auto* const data = static_cast<std::byte*>(tensor.data);
  return Tensor::borrow(data == nullptr ? nullptr : data + tensor.byte_offset, nbytes, *dtype,
                        std::move(sizes), *device);
}

DLManagedTensorVersioned* to_dlpack(const Tensor& tensor, std::shared_ptr<const void> owner) {
  auto manager = std::make_unique<Manager>(Manager{tensor, tensor.sizes(), std::move(owner), {}});
  DLManagedTensorVersioned& managed = manager->managed;
  managed.version = {kVersion, 0};
  managed.manager_ctx = manager.get();
  managed.deleter = free_manager;
  DLTensor& to = managed.dl_tensor;
  to.data = manager->tensor.data();
  to.device = to_dlpack(tensor.device());
  to.ndim = static_cast<int32_t>(manager->sizes.size());
  for (const NamedType& entry : kTypes) {
    if (entry.dtype == tensor.dtype()) {
      to.dtype = {static_cast<uint8_t>(entry.code), entry.bits, 1};
    }
  }
  to.shape = manager->sizes.data();
  return &manager.release()->managed;
}

DLDevice to_dlpack(const Device& device) {
  return {device.is_cpu() ? kDLCPU : kDLCUDA, device.index};
}

slipway_kind kind_of(const Value& value) {
  constexpr slipway_kind kKinds[] = {SLIPWAY_NONE,   SLIPWAY_TENSOR,  SLIPWAY_INTEGER,
                                     SLIPWAY_NUMBER, SLIPWAY_BOOLEAN, SLIPWAY_TEXT};
  static_assert(std::size(kKinds) == std::variant_size_v<Value>);
  return kKinds[value.index()];
}

Result<std::vector<Value>> from_c(std::span<const slipway_value> values) {
  std::vector<Value> result;
  for (size_t i = 0; i < values.size(); ++i) {
    const slipway_value& value = values[i];
    // Any number may be there.
    int kind = 0;
    static_assert(sizeof kind == sizeof value.kind);
    std::memcpy(&kind, &value.kind, sizeof kind);
    switch (kind) {
      case SLIPWAY_NONE:
        result.emplace_back();
        continue;
      case SLIPWAY_TENSOR: {
        if (value.as.tensor == nullptr) return invalid_argument("value {}: its tensor is NULL", i);
        auto tensor = from_dlpack(*value.as.tensor);
        if (!tensor.ok()) return tensor.error().with_context("value " + std::to_string(i));
        result.emplace_back(*std::move(tensor));
        continue;
      }
      case SLIPWAY_INTEGER:
        result.emplace_back(value.as.integer);
        continue;
      case SLIPWAY_NUMBER:
        result.emplace_back(value.as.number);
        continue;
      case SLIPWAY_BOOLEAN:
        result.emplace_back(value.as.boolean);
        continue;
      case SLIPWAY_TEXT:
        if (value.as.text == nullptr) return invalid_argument("value {}: its text is NULL", i);
        result.emplace_back(std::string(value.as.text));
        continue;
      default:
        return invalid_argument("value {} is of kind {}, which there is not", i, kind);
    }
  }
  return result;
}

void to_c(const std::vector<Value>& values, const std::shared_ptr<const void>& owner,
          slipway_value* to) {
  std::vector<slipway_value> made(values.size());
  const std::unique_ptr<std::vector<slipway_value>, void (*)(std::vector<slipway_value>*)> freed(
      &made, [](auto* rest) { slipway_values_free(rest->data(), rest->size()); });
  for (size_t i = 0; i < values.size(); ++i) {
    slipway_value& value = made[i];
    if (const auto* tensor = std::get_if<Tensor>(&values[i])) {
      value.as.tensor = to_dlpack(*tensor, owner);
    } else if (const auto* integer = std::get_if<int64_t>(&values[i])) {
      value.as.integer = *integer;
    } else if (const auto* number = std::get_if<double>(&values[i])) {
      value.as.number = *number;
    } else if (const auto* boolean = std::get_if<bool>(&values[i])) {
      value.as.boolean = *boolean;
    } else if (const auto* text = std::get_if<std::string>(&values[i])) {
      value.as.text = copy_text(*text);
    }
    value.kind = kind_of(values[i]);
  }
  std::swap_ranges(made.begin(), made.end(), to);
  made.clear();
}

}  // namespace slipway::c_api

using namespace slipway;  // NOLINT(google-build-using-namespace)

slipway_error* slipway_tensor_borrow(const char* type, const int64_t* sizes, int32_t rank,
                                     void* data, DLManagedTensorVersioned** tensor) {
  return c_api::guard([&]() -> Status {
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(type, "type"));
    SLIPWAY_RETURN_IF_ERROR(c_api::check_given(tensor, "tensor"));
    const auto dtype = dtype_from_name(type);
    if (!dtype) return invalid_argument("there is no type '{}': such as float32, int64", type);
    if (rank < 0) return invalid_argument("rank is {}", rank);
    if (rank > 0) SLIPWAY_RETURN_IF_ERROR(c_api::check_given(sizes, "sizes"));
    std::vector<int64_t> list(sizes, sizes + rank);
    SLIPWAY_ASSIGN_OR_RETURN(const size_t nbytes, contiguous_nbytes(*dtype, list));
    if (nbytes > 0) SLIPWAY_RETURN_IF_ERROR(c_api::check_given(data, "data"));
    SLIPWAY_ASSIGN_OR_RETURN(const Tensor borrowed,
                             Tensor::borrow(data, nbytes, *dtype, std::move(list)));
    *tensor = c_api::to_dlpack(borrowed, nullptr);
    return {};
  });
}

void slipway_tensor_free(DLManagedTensorVersioned* tensor) {
  if (tensor != nullptr && tensor->deleter != nullptr) tensor->deleter(tensor);
}

void slipway_values_free(slipway_value* values, size_t count) {
  for (size_t i = 0; values != nullptr && i < count; ++i) {
    if (values[i].kind == SLIPWAY_TENSOR) slipway_tensor_free(values[i].as.tensor);
    if (values[i].kind == SLIPWAY_TEXT) slipway_text_free(const_cast<char*>(values[i].as.text));
    values[i].kind = SLIPWAY_NONE;
  }
}
