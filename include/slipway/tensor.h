// Tensors and values as they go into and come out of a program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "slipway/export.h"
#include "slipway/result.h"

namespace slipway {

// Element types, named as in PyTorch.
enum class DType : uint8_t {
  kUInt8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kComplex32,
  kComplex64,
  kComplex128,
  kBool,
  kBFloat16,
  kFloat8E4M3FN,
  kFloat8E5M2,
  kFloat8E4M3FNUZ,
  kFloat8E5M2FNUZ,
  kFloat8E8M0,
  kUInt16,
  kUInt32,
  kUInt64,
};
inline constexpr int kDTypeCount = 21;

// PyTorch's name without "torch.", such as "float32" or "float8_e4m3fn".
SLIPWAY_API std::string_view dtype_name(DType dtype);
SLIPWAY_API std::optional<DType> dtype_from_name(std::string_view name);
// Bytes of one element.
SLIPWAY_API size_t dtype_size(DType dtype);
SLIPWAY_API bool is_floating_point(DType dtype);  // Not complex.
SLIPWAY_API bool is_complex(DType dtype);
SLIPWAY_API bool is_integral(DType dtype);  // Without bool.

// The number of bytes of a contiguous tensor; an error when a size is negative or the product does
// not fit in 63 bits.
SLIPWAY_API Result<size_t> contiguous_nbytes(DType dtype, std::span<const int64_t> sizes);

// "float32[2, 3]"
SLIPWAY_API std::string format_type(DType dtype, std::span<const int64_t> sizes);

// Where memory is: the host's, or that of a CUDA device, by its index.
struct Device {
  enum class Type : uint8_t { kCpu, kCuda };
  Type type = Type::kCpu;
  int index = 0;

  bool is_cpu() const { return type == Type::kCpu; }
  bool operator==(const Device&) const = default;
};
// As in PyTorch: "cpu", "cuda:1".
SLIPWAY_API std::string format_device(const Device& device);

// A contiguous (row-major) tensor that it owns or borrows. Copies share the memory. Not
// synchronised: several threads may read one tensor, or one may write it.
class Tensor {
 public:
  Tensor() = default;
  // Owned memory, 64-byte aligned, zeroed.
  SLIPWAY_API static Result<Tensor> zeros(DType dtype, std::vector<int64_t> sizes);
  // The caller keeps `data` valid for as long as the tensor or a copy of it is used. `nbytes` must
  // be the exact size. Where the device is a CUDA one, `data` is an address of its memory
  // (cudaMalloc), which nothing here reads.
  SLIPWAY_API static Result<Tensor> borrow(void* data, size_t nbytes, DType dtype,
                                           std::vector<int64_t> sizes, Device device = {});
  // As borrow, but keeps `owner` alive.
  SLIPWAY_API static Result<Tensor> share(std::shared_ptr<const void> owner, void* data,
                                          size_t nbytes, DType dtype, std::vector<int64_t> sizes,
                                          Device device = {});

  DType dtype() const { return dtype_; }
  const std::vector<int64_t>& sizes() const { return sizes_; }
  SLIPWAY_API int64_t numel() const;
  size_t nbytes() const { return nbytes_; }
  const Device& device() const { return device_; }
  // Of the device's memory, where it is on one.
  void* data() { return data_; }
  const void* data() const { return data_; }
  // None where it is not in the host's memory.
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data_), device_.is_cpu() ? nbytes_ : 0};
  }
  // T must have the element's size.
  template <class T>
  T* data_as() {
    return static_cast<T*>(data_);
  }
  template <class T>
  const T* data_as() const {
    return static_cast<const T*>(data_);
  }

 private:
  DType dtype_ = DType::kFloat32;
  std::vector<int64_t> sizes_;
  void* data_ = nullptr;
  size_t nbytes_ = 0;
  Device device_;
  std::shared_ptr<const void> owner_;
};

// One flattened input or output of a program: None, a tensor or a literal.
using Value = std::variant<std::monostate, Tensor, int64_t, double, bool, std::string>;

// "None", "float32[2, 3]", "float32[2, 3] on cuda:0", "int 3", "str \"a\"".
SLIPWAY_API std::string format_value_type(const Value& value);

}  // namespace slipway
