// Constant weights of 8 or 4 bits. Where a product has few rows they are read as they are, and each
// is computed from its code when it is multiplied.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/matrices.h"
#include "cuda/builder/packed_tiles.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

struct PackedWeights {
  // Makes them: the codes, of [n, k] with k innermost. Those of 4 bits lie two in a byte, the first
  // one lowest.
  std::function<uint32_t(Generator&)> buffer;
  int bits = 8;
  DType type = DType::kInt8;
  bool are_floats = false;
  // The operand, and what else a weight is computed from: scales and zero points with its
  // dimensions, each the same for all the weights that are loaded at once.
  Matrices matrix;
  std::vector<View> shared;
  // A weight, of its code and then of each of those; the code as an integer, or as a float where
  // `are_floats`.
  Expression weight;
  // As tensor cores take them, where a weight is (code - zero point) * scale in a half type.
  std::optional<PackedTiles> tiles;

  // How many codes 16 bytes are: as many are loaded at once.
  int64_t vector() const { return 128 / bits; }
};

// The weights that b has for n columns and sums of k products with rows of a; nothing where it is
// another kind of operand. Codes take 4 bits where all of them do.
std::optional<PackedWeights> packed_weights(Generator& generator, const Matrices& a,
                                            const Matrices& b, const ir::SymInt& n,
                                            const ir::SymInt& k);

// An element of a constant, at the indices of a value that is computed from it.
std::string load(Kernel& kernel, const View& constant, const Indices& at);

}  // namespace slipway::cuda
