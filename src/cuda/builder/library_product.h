// Products of matrices by NVIDIA's cuBLASLt, as alternatives of tiles.
#pragma once

#include <cstdint>
#include <optional>

#include "cuda/builder/kernel.h"
#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

// The memory of a value of this half type, row by row, in the engine's own memory.
std::optional<uint32_t> memory_of(const Generator& generator, const Value& value, DType type);
// Whether it is a matrix from the beginning of a buffer of the engine's own on.
bool is_whole(const Generator& generator, const TiledOperand& operand);

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
