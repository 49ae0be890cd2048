// Code of kernels, from the files of these names: in CUDA C++, which the host's compiler takes too.
#pragma once

#include <string_view>

namespace slipway::cuda::builder {

extern const std::string_view kAttention;       // uses kProductTiles
extern const std::string_view kClusterProduct;  // uses kSwizzledTiles
extern const std::string_view kGroupAttention;  // uses kSwizzledTiles, kAttention
extern const std::string_view kPackedProduct;   // uses kProductTiles and kThinProduct
extern const std::string_view kPrelude;
extern const std::string_view kProductTiles;
extern const std::string_view kSwizzledTiles;  // uses kProductTiles
extern const std::string_view kThinProduct;

}  // namespace slipway::cuda::builder
