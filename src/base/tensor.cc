#include "slipway/tensor.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"

namespace slipway {
namespace {

enum class Kind : uint8_t { kFloat, kComplex, kInteger, kBool };

struct DTypeRow {
  DType dtype;
  std::string_view name;
  uint8_t size;
  Kind kind;
};

// In the order of the enumeration.
constexpr std::array<DTypeRow, kDTypeCount> kRows = {{
    {DType::kUInt8, "uint8", 1, Kind::kInteger},
    {DType::kInt8, "int8", 1, Kind::kInteger},
    {DType::kInt16, "int16", 2, Kind::kInteger},
    {DType::kInt32, "int32", 4, Kind::kInteger},
    {DType::kInt64, "int64", 8, Kind::kInteger},
    {DType::kFloat16, "float16", 2, Kind::kFloat},
    {DType::kFloat32, "float32", 4, Kind::kFloat},
    {DType::kFloat64, "float64", 8, Kind::kFloat},
    {DType::kComplex32, "complex32", 4, Kind::kComplex},
    {DType::kComplex64, "complex64", 8, Kind::kComplex},
    {DType::kComplex128, "complex128", 16, Kind::kComplex},
    {DType::kBool, "bool", 1, Kind::kBool},
    {DType::kBFloat16, "bfloat16", 2, Kind::kFloat},
    {DType::kFloat8E4M3FN, "float8_e4m3fn", 1, Kind::kFloat},
    {DType::kFloat8E5M2, "float8_e5m2", 1, Kind::kFloat},
    {DType::kFloat8E4M3FNUZ, "float8_e4m3fnuz", 1, Kind::kFloat},
    {DType::kFloat8E5M2FNUZ, "float8_e5m2fnuz", 1, Kind::kFloat},
    {DType::kFloat8E8M0, "float8_e8m0fnu", 1, Kind::kFloat},
    {DType::kUInt16, "uint16", 2, Kind::kInteger},
    {DType::kUInt32, "uint32", 4, Kind::kInteger},
    {DType::kUInt64, "uint64", 8, Kind::kInteger},
}};

constexpr bool rows_are_in_order() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<size_t>(kRows[i].dtype) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

const DTypeRow& row(DType dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

std::string_view dtype_name(DType dtype) { return row(dtype).name; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeRow& candidate : kRows) {
    if (candidate.name == name) return candidate.dtype;
  }
  return std::nullopt;
}

size_t dtype_size(DType dtype) { return row(dtype).size; }
bool is_floating_point(DType dtype) { return row(dtype).kind == Kind::kFloat; }
bool is_complex(DType dtype) { return row(dtype).kind == Kind::kComplex; }
bool is_integral(DType dtype) { return row(dtype).kind == Kind::kInteger; }

Result<size_t> contiguous_nbytes(DType dtype, std::span<const int64_t> sizes) {
  // The product without its zeros must fit too: strides are products of sizes.
  int64_t product = static_cast<int64_t>(dtype_size(dtype));
  bool empty = false;
  for (int64_t size : sizes) {
    if (size < 0) {
      return invalid_argument("{} has a negative size", format_type(dtype, sizes));
    }
    empty = empty || size == 0;
    auto next = checked_mul_signed(product, std::max<int64_t>(size, 1));
    if (!next) {
      return invalid_argument("{} has more bytes than 63 bits count", format_type(dtype, sizes));
    }
    product = *next;
  }
  return empty ? size_t{0} : static_cast<size_t>(product);
}

std::string format_type(DType dtype, std::span<const int64_t> sizes) {
  return fmt::format("{}[{}]", dtype_name(dtype), fmt::join(sizes, ", "));
}

Result<Tensor> Tensor::zeros(DType dtype, std::vector<int64_t> sizes) {
  constexpr size_t kAlignment = 64;
  SLIPWAY_ASSIGN_OR_RETURN(size_t nbytes, contiguous_nbytes(dtype, sizes));
  auto allocated = checked_align(std::max<size_t>(nbytes, 1), kAlignment);
  void* data = allocated ? std::aligned_alloc(kAlignment, *allocated) : nullptr;
  if (data == nullptr) {
    return resource_exhausted("no memory for {}, which takes {} bytes", format_type(dtype, sizes),
                              nbytes);
  }
  std::memset(data, 0, nbytes);
  return share(std::shared_ptr<void>(data, std::free), data, nbytes, dtype, std::move(sizes));
}

std::string format_device(const Device& device) {
  return device.is_cpu() ? "cpu" : fmt::format("cuda:{}", device.index);
}

Result<Tensor> Tensor::borrow(void* data, size_t nbytes, DType dtype, std::vector<int64_t> sizes,
                              Device device) {
  return share(nullptr, data, nbytes, dtype, std::move(sizes), device);
}

Result<Tensor> Tensor::share(std::shared_ptr<const void> owner, void* data, size_t nbytes,
                             DType dtype, std::vector<int64_t> sizes, Device device) {
  SLIPWAY_ASSIGN_OR_RETURN(size_t expected, contiguous_nbytes(dtype, sizes));
  if (nbytes != expected) {
    return invalid_argument("{} takes {} bytes, but {} are given", format_type(dtype, sizes),
                            expected, nbytes);
  }
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.sizes_ = std::move(sizes);
  tensor.data_ = data;
  tensor.nbytes_ = nbytes;
  tensor.device_ = device;
  tensor.owner_ = std::move(owner);
  return tensor;
}

int64_t Tensor::numel() const { return static_cast<int64_t>(nbytes_ / dtype_size(dtype_)); }

std::string format_value_type(const Value& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "None";
        } else if constexpr (std::is_same_v<T, Tensor>) {
          const std::string type = format_type(held.dtype(), held.sizes());
          return held.device().is_cpu() ? type : type + " on " + format_device(held.device());
        } else if constexpr (std::is_same_v<T, int64_t>) {
          return fmt::format("int {}", held);
        } else if constexpr (std::is_same_v<T, double>) {
          return fmt::format("float {}", held);
        } else if constexpr (std::is_same_v<T, bool>) {
          return fmt::format("bool {}", held);
        } else {
          return fmt::format("str \"{}\"", held);
        }
      },
      value);
}

}  // namespace slipway
