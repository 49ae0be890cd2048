#include "cuda/format/steps.h"

namespace slipway::cuda {

StepInfo info_of(const table::StepUnion& step) {
  if (const table::LaunchT* const launch = step.AsLaunch()) {
    return {launch->origin,      launch->plan,   launch->choice,
            launch->alternative, launch->target, /*needs_cublaslt=*/false};
  }
  if (const table::ProductT* const product = step.AsProduct()) {
    return {product->origin,        product->plan, product->choice, product->alternative, {},
            /*needs_cublaslt=*/true};
  }
  return {};
}

std::vector<uint32_t> reads_of(const table::StepUnion& step) {
  if (const table::LaunchT* const launch = step.AsLaunch()) return launch->reads;
  if (const table::CopyT* const copy = step.AsCopy()) return {copy->from};
  std::vector<uint32_t> read;
  if (const table::ProductT* const product = step.AsProduct()) {
    read = {product->a, product->b};
    for (const uint32_t added : {product->bias, product->c}) {
      if (added != 0) read.push_back(added - 1);
    }
  }
  return read;
}

std::vector<uint32_t> writes_of(const table::StepUnion& step) {
  if (const table::LaunchT* const launch = step.AsLaunch()) return launch->writes;
  if (const table::CopyT* const copy = step.AsCopy()) return {copy->to};
  const table::ProductT* const product = step.AsProduct();
  return product == nullptr ? std::vector<uint32_t>()
                            : std::vector<uint32_t>{product->d, product->workspace};
}

}  // namespace slipway::cuda
