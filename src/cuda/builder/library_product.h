// Products of matrices by NVIDIA's cuBLASLt, as alternatives of tiles.
#pragma once

#include <cstdint>

#include "cuda/builder/kernel.h"
#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

// How many there are for this product, and whether they are reckoned to be faster than tiles.
struct LibraryWays {
  uint32_t count = 0;
  bool are_first = false;
};
LibraryWays library_ways(Kernel& kernel, const TiledProduct& product);

// By the algorithm of this rank. The library gives what the program rounds first, with a bias; a
// kernel behind it computes what follows, if anything does.
void emit_library_product(Kernel& kernel, const TiledProduct& product, uint8_t rank);

}  // namespace slipway::cuda
