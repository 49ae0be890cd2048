// A stand-in for cuBLASLt, in the same library as the one for the driver: what it multiplies lies
// in memory of the host, and is done when its stream is waited for.

#include <array>
#include <cstdint>
#include <cstring>
#include <map>

#include "base/half.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "cuda/libraries/cublaslt.h"
#include "cuda/stand_in_queue.h"

extern "C" slipway::cuda::StandInDriver* slipway_stand_in_driver();

namespace {

using slipway::cuda::CublasLtAlgorithm;
using slipway::cuda::CublasLtHeuristic;

constexpr int kInvalid = 7;
constexpr int kBFloat16 = 14;
constexpr int kMostAlgorithms = 3;

struct Matrix {
  int type;
  int64_t rows;
  int64_t columns;
  int64_t stride;
};
struct Product {
  bool is_left_turned = false;
  bool is_right_turned = false;
  int epilogue = 1;
  const uint16_t* bias = nullptr;
};

template <class T>
int take(T& member, const void* value, size_t size) {
  if (size != sizeof(T)) return kInvalid;
  std::memcpy(&member, value, size);
  return 0;
}

bool is_aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

float number(uint16_t bits, int type) {
  return type == kBFloat16 ? slipway::from_bfloat16(bits) : slipway::from_float16(bits);
}

}  // namespace

extern "C" {

size_t cublasLtGetVersion() { return 130100; }
const char* cublasLtGetStatusString(int status) {
  return status == 15 ? "the requested functionality is not supported" : "an invalid value";
}
int cublasLtCreate(void** handle) {
  *handle = new int(0);
  ++slipway_stand_in_driver()->live_libraries;
  return 0;
}
int cublasLtDestroy(void* handle) {
  delete static_cast<int*>(handle);
  --slipway_stand_in_driver()->live_libraries;
  return 0;
}
int cublasLtMatmulDescCreate(void** product, int compute, int scale) {
  if (compute != 68 || scale != 0) return kInvalid;
  *product = new Product();
  return 0;
}
int cublasLtMatmulDescDestroy(void* product) {
  delete static_cast<Product*>(product);
  return 0;
}
int cublasLtMatmulDescSetAttribute(void* product, int attribute, const void* value, size_t size) {
  auto& p = *static_cast<Product*>(product);
  if (attribute == 8) return take(p.bias, value, size);
  int32_t number = 0;
  const int code = take(number, value, size);
  if (attribute == 3) p.is_left_turned = number == 1;
  if (attribute == 4) p.is_right_turned = number == 1;
  if (attribute == 7) p.epilogue = number;
  return code;
}
int cublasLtMatrixLayoutCreate(void** matrix, int type, uint64_t rows, uint64_t columns,
                               int64_t stride) {
  const auto height = static_cast<int64_t>(rows);
  if (height < 1 || columns < 1 || stride < height) return kInvalid;
  *matrix = new Matrix{type, height, static_cast<int64_t>(columns), stride};
  return 0;
}
int cublasLtMatrixLayoutDestroy(void* matrix) {
  delete static_cast<Matrix*>(matrix);
  return 0;
}
int cublasLtMatmulPreferenceCreate(void** preference) {
  *preference = new int(0);
  return 0;
}
int cublasLtMatmulPreferenceDestroy(void* preference) {
  delete static_cast<int*>(preference);
  return 0;
}
int cublasLtMatmulPreferenceSetAttribute(void*, int, const void*, size_t) { return 0; }
int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int most,
                                   CublasLtHeuristic* found, int* count) {
  *count = 0;
  if (slipway_stand_in_driver()->library_error != 0)
    return slipway_stand_in_driver()->library_error;
  for (; *count < most && *count < kMostAlgorithms; ++*count) {
    found[*count].algorithm.data = {uint64_t{0x51}, static_cast<uint64_t>(*count)};
  }
  return 0;
}
// Column by column: d = op(a) op(b), and the bias is of its rows.
int cublasLtMatmul(void*, void* product, const void* alpha, const void* a, void* a_matrix,
                   const void* b, void* b_matrix, const void* beta, const void* c, void*, void* d,
                   void* d_matrix, const CublasLtAlgorithm* algorithm, void* workspace, size_t,
                   void* stream) {
  const Product p = *static_cast<Product*>(product);
  const Matrix left = *static_cast<Matrix*>(a_matrix);
  const Matrix right = *static_cast<Matrix*>(b_matrix);
  const Matrix result = *static_cast<Matrix*>(d_matrix);
  float one = 0;
  float of_c = 2;
  std::memcpy(&one, alpha, sizeof one);
  std::memcpy(&of_c, beta, sizeof of_c);
  const int64_t rows = p.is_left_turned ? left.columns : left.rows;
  const int64_t depth = p.is_left_turned ? left.rows : left.columns;
  const bool is_right = one == 1 && (of_c == 0 || (of_c == 1 && is_aligned(c))) &&
                        algorithm->data[0] == 0x51 && rows == result.rows &&
                        (p.is_right_turned ? right.columns : right.rows) == depth &&
                        (p.is_right_turned ? right.rows : right.columns) == result.columns &&
                        (p.epilogue == 1 || (p.epilogue == 4 && p.bias != nullptr)) &&
                        is_aligned(a) && is_aligned(b) && is_aligned(d) && is_aligned(workspace);
  if (!is_right) return kInvalid;
  ++slipway_stand_in_driver()->library_products;
  slipway_stand_in_driver()->last_algorithm = static_cast<int>(algorithm->data[1]);
  return slipway::cuda::queue_work(stream, [=] {
    const auto* const as = static_cast<const uint16_t*>(a);
    const auto* const bs = static_cast<const uint16_t*>(b);
    const auto* const cs = static_cast<const uint16_t*>(c);
    auto* const ds = static_cast<uint16_t*>(d);
    for (int64_t column = 0; column < result.columns; ++column) {
      for (int64_t row = 0; row < rows; ++row) {
        float sum = 0;
        for (int64_t i = 0; i < depth; ++i) {
          const int64_t at_a = p.is_left_turned ? row * left.stride + i : i * left.stride + row;
          const int64_t at_b =
              p.is_right_turned ? i * right.stride + column : column * right.stride + i;
          sum += number(as[at_a], left.type) * number(bs[at_b], left.type);
        }
        if (p.epilogue == 4) sum += number(p.bias[row], left.type);
        if (of_c == 1) sum += number(cs[column * result.stride + row], left.type);
        ds[column * result.stride + row] =
            left.type == kBFloat16 ? slipway::to_bfloat16(sum) : slipway::to_float16(sum);
      }
    }
    return 0;
  });
}

}  // extern "C"
