// Packed weights as tensor cores take them (packed_product.txt): tiles of 16 columns, whose codes a
// warp loads in the order in which it multiplies them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "cuda/builder/generator.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

// Codes of a constant, by row and element of k.
struct CodeMatrix {
  const Value* constant = nullptr;
  std::span<const std::byte> bytes;
  int bits = 8;
  int64_t rows = 0;
  int64_t depth = 0;
  int64_t offset = 0;
  int64_t row_stride = 0;
  int64_t k_stride = 0;

  std::byte at(int64_t row, int64_t k) const {
    return bytes[static_cast<size_t>(offset + row * row_stride + k * k_stride)];
  }
  std::string name() const;
};

// Scales or zero points.
struct GroupNumbers {
  View view;
  size_t row_dimension = 0;
  size_t k_dimension = 0;
};

struct PackedTiles {
  DType type = DType::kBFloat16;  // of the weights
  std::string codes;              // what makes weights of them (packed_product.txt)
  int64_t units = 0;              // of a tile, along k
  int64_t group = 0;              // of elements of k that share factors
  int64_t groups = 0;
  // Make the buffers.
  std::function<uint32_t(Generator&)> code_buffer;
  std::function<uint32_t(Generator&)> factor_buffer;
};

// Of weights (code - zero point) * scale, rounded to `type`, which groups of `shared_by` elements
// share, or all of a row where that is 0. Nothing where that isn't a half type, or a number is not
// one that the kernel has.
std::optional<PackedTiles> packed_tiles(Generator& generator, const CodeMatrix& matrix,
                                        int64_t shared_by, DType type,
                                        const std::optional<GroupNumbers>& zeros,
                                        const std::optional<GroupNumbers>& scales);

}  // namespace slipway::cuda
