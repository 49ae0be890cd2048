#include "cuda/delegate/products.h"

#include <utility>

#include <executorch/runtime/platform/log.h>
#include <fmt/format.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "cuda/delegate/engine.h"
#include "cuda/delegate/library_calls.h"
#include "cuda/delegate/refuse.h"

namespace slipway::cuda {

Status check_product(const table::EngineT& engine, const table::ProductT& product,
                     const std::vector<int64_t>& numbers) {
  const int64_t m = numbers[product.m];
  const int64_t n = numbers[product.n];
  const int64_t k = numbers[product.k];
  const auto fits = [&](uint32_t buffer, int64_t lines, int64_t length, int64_t stride) {
    const auto has = static_cast<uint64_t>(numbers[engine.buffers[buffer]->bytes]) / 2;
    if (lines < 0 || length < 0 || stride < length) return false;
    const auto most = checked_mul(static_cast<uint64_t>(lines), static_cast<uint64_t>(stride));
    return most && *most - static_cast<uint64_t>(lines == 0 ? 0 : stride - length) <= has;
  };
  const bool is_right = k > 0 &&
                        fits(product.a, product.a_lies_along_k ? m : k,
                             product.a_lies_along_k ? k : m, numbers[product.a_stride]) &&
                        fits(product.b, product.b_lies_along_k ? n : k,
                             product.b_lies_along_k ? k : n, numbers[product.b_stride]) &&
                        fits(product.d, m, n, n) &&
                        (product.c == 0 || fits(product.c - 1, m, n, n)) &&
                        (product.bias == 0 || fits(product.bias - 1, 1, n, n));
  if (is_right) return {};
  return invalid_argument("a product of [{}, {}] and [{}, {}] does not lie within its buffers", m,
                          k, k, n);
}

void LoadedEngine::open_cublaslt(const char* without) {
  if (products_) return;
  if (auto calls = open_calls<CublasLt, LibraryProducts>(without)) {
    products_.emplace(*std::move(calls));
  }
}

Status LoadedEngine::queue(const table::ProductT& product, const Stream& stream) {
  const std::vector<int64_t>& numbers = known_.front().numbers;
  LibraryOperands operands = {.a = address_of(product.a),
                              .b = address_of(product.b),
                              .d = address_of(product.d),
                              .workspace = address_of(product.workspace)};
  if (product.bias != 0) operands.bias = address_of(product.bias - 1);
  if (product.c != 0) operands.c = address_of(product.c - 1);
  const auto workspace = numbers[engine_.buffers[product.workspace]->bytes];
  const Status queued = products_->multiply(
      {.m = numbers[product.m],
       .n = numbers[product.n],
       .k = numbers[product.k],
       .a_stride = numbers[product.a_stride],
       .b_stride = numbers[product.b_stride],
       .a_lies_along_k = product.a_lies_along_k,
       .b_lies_along_k = product.b_lies_along_k,
       .is_bfloat16 = product.type == static_cast<int8_t>(executorch::aten::ScalarType::BFloat16),
       .has_bias = product.bias != 0,
       .has_c = product.c != 0,
       .rank = product.rank,
       .workspace_bytes = static_cast<uint64_t>(workspace)},
      operands, stream);
  if (queued.ok()) return {};
  return queued.error().with_context(
      fmt::format("{} on {}", printable(product.origin), describe(device_->info())));
}

}  // namespace slipway::cuda
