// NVIDIA's library of products of matrices (cuBLASLt), opened at run time.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "cuda/driver/device.h"
#include "slipway/result.h"

namespace slipway::cuda {

// The environment variable that names its file or folder.
inline constexpr const char* kCublasLtVariable = "SLIPWAY_CUBLASLT";

// How its functions have an algorithm, and what they say of one.
struct CublasLtAlgorithm {
  std::array<uint64_t, 8> data = {};
};
struct CublasLtHeuristic {
  CublasLtAlgorithm algorithm;
  size_t workspace = 0;
  int state = 0;
  float waves = 0;
  std::array<int, 4> reserved = {};
};

// FUNCTION(member, symbol, arguments): each gives 0 or an error's number. Handles, descriptions of
// products, of matrices and of preferences are pointers.
#define SLIPWAY_CUBLASLT_FUNCTIONS(FUNCTION)                                                      \
  FUNCTION(create, cublasLtCreate, void** handle)                                                 \
  FUNCTION(destroy, cublasLtDestroy, void* handle)                                                \
  FUNCTION(create_product, cublasLtMatmulDescCreate, void** product, int compute, int scale)      \
  FUNCTION(destroy_product, cublasLtMatmulDescDestroy, void* product)                             \
  FUNCTION(set_product, cublasLtMatmulDescSetAttribute, void* product, int attribute,             \
           const void* value, size_t size)                                                        \
  FUNCTION(create_matrix, cublasLtMatrixLayoutCreate, void** matrix, int type, uint64_t rows,     \
           uint64_t columns, int64_t stride)                                                      \
  FUNCTION(destroy_matrix, cublasLtMatrixLayoutDestroy, void* matrix)                             \
  FUNCTION(create_preference, cublasLtMatmulPreferenceCreate, void** preference)                  \
  FUNCTION(destroy_preference, cublasLtMatmulPreferenceDestroy, void* preference)                 \
  FUNCTION(set_preference, cublasLtMatmulPreferenceSetAttribute, void* preference, int attribute, \
           const void* value, size_t size)                                                        \
  FUNCTION(find_algorithms, cublasLtMatmulAlgoGetHeuristic, void* handle, void* product, void* a, \
           void* b, void* c, void* d, void* preference, int most, CublasLtHeuristic* found,       \
           int* count)                                                                            \
  FUNCTION(multiply, cublasLtMatmul, void* handle, void* product, const void* alpha,              \
           const void* a, void* a_matrix, const void* b, void* b_matrix, const void* beta,        \
           const void* c, void* c_matrix, void* d, void* d_matrix,                                \
           const CublasLtAlgorithm* algorithm, void* workspace, size_t workspace_size,            \
           void* stream)

// Immutable: any thread may use it. It stays open until the process ends.
class CublasLt {
 public:
  // Found as find_library() says; opened once a file.
  static Result<const CublasLt*> open();

  struct Functions {
#define SLIPWAY_CUBLASLT_FUNCTION(member, symbol, ...) int (*member)(__VA_ARGS__) = nullptr;
    SLIPWAY_CUBLASLT_FUNCTIONS(SLIPWAY_CUBLASLT_FUNCTION)
#undef SLIPWAY_CUBLASLT_FUNCTION
    size_t (*version)() = nullptr;
    const char* (*error_text)(int error) = nullptr;
  };
  const Functions& call() const { return functions_; }
  std::string version_text() const;  // "13.1.0"
  const std::string& path() const { return path_; }
  // The error of a call, none for 0. kResourceExhausted without memory, kUnsupported for what it
  // does not compute.
  Status check(int code, std::string_view what) const;

  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

 private:
  CublasLt() = default;
  static Result<const CublasLt*> load(const std::string& file);

  Functions functions_;
  std::string path_;
};

// d = a b + bias + c of half types, with sums in float32: a [m, k], b [k, n], c and d [m, n] row by
// row, the bias of n elements added to each row. Strides are in elements, of lines that lie along k
// or not.
struct LibraryProduct {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  int64_t a_stride = 0;
  int64_t b_stride = 0;
  bool a_lies_along_k = true;
  bool b_lies_along_k = true;
  bool is_bfloat16 = false;
  bool has_bias = false;
  bool has_c = false;
  // Which of the algorithms that the library names, the best first; the last one where there are
  // fewer.
  uint8_t rank = 0;
  uint64_t workspace_bytes = 0;
  auto operator<=>(const LibraryProduct&) const = default;
};

// At multiples of 16 bytes.
struct LibraryOperands {
  Address a = 0;
  Address b = 0;
  Address bias = 0;
  Address c = 0;
  Address d = 0;
  Address workspace = 0;
};

// What the library has found out of products on one device. For one thread at a time, while the
// device is current.
class LibraryProducts {
 public:
  static Result<LibraryProducts> create(const CublasLt& library);
  LibraryProducts(LibraryProducts&&) noexcept;
  LibraryProducts& operator=(LibraryProducts&&) = delete;
  ~LibraryProducts();

  // Queues it. kUnsupported where the library has no algorithm for it.
  Status multiply(const LibraryProduct& product, const LibraryOperands& operands,
                  const Stream& stream);

 private:
  struct Plan;
  using Handle = std::unique_ptr<void, int (*)(void*)>;

  LibraryProducts(const CublasLt& library, void* handle);
  Result<const Plan*> plan_of(const LibraryProduct& product);

  const CublasLt* library_;
  Handle handle_;
  std::map<LibraryProduct, std::unique_ptr<const Plan>> plans_;
};

}  // namespace slipway::cuda
