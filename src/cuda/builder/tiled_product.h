// Products of matrices by tiles in shared memory (product_tiles.txt): of half types by tensor
// cores, of float32 in registers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cuda/builder/kernel.h"
#include "cuda/builder/layout.h"
#include "cuda/builder/value.h"

namespace slipway::cuda {

struct LibraryForm;

// The elements of one operand: of a at [m, k], of b at [n, k].
struct TiledOperand {
  using At = std::function<std::string(Kernel&, const Indices& batch, const std::string& row,
                                       const std::string& k)>;
  bool along_k = true;  // the way in which it is loaded: 16 bytes along k, or along the rows
  At element;
  // Where 16 bytes can be loaded at once: the memory, the place in it, and a condition for what is
  // not 0 there.
  std::optional<uint32_t> buffer;
  At place;
  At inside;                             // null where all of it is
  std::optional<ir::SymInt> row_stride;  // where rows are as far from each other
  ir::SymInt offset;                     // of the first element in the memory
  std::optional<ir::SymInt> k_stride;
};

// Windows of images with their channels innermost, as a convolution reads them: [images, height,
// width, channels].
struct Windows {
  uint32_t buffer = 0;
  ir::SymInt offset;
  Sizes sizes;
  Sizes strides;  // of all but the channels
  Sizes places;   // the result's height and width
  std::vector<int64_t> taps;
  std::vector<int64_t> steps;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;
};

struct TiledProduct {
  Sizes batch;
  ir::SymInt m;
  ir::SymInt n;
  ir::SymInt k;
  DType type = DType::kFloat32;  // of the operands' elements in shared memory
  TiledOperand a;
  TiledOperand b;
  // Takes the sum, in float32, for [m, n].
  std::function<void(Kernel&, const Indices&, const std::string&, const std::string&,
                     const std::string&)>
      store;
  bool is_convolution = false;
  const Value* sums = nullptr;                    // the value that they are, where there is one
  std::optional<Windows> windows = std::nullopt;  // that a's rows are, where they are no matrix
  // As cuDNN computes what is not one matrix times another, if it does; null: it is that.
  std::function<std::optional<LibraryForm>(Kernel&)> by_cudnn = nullptr;
};

// The memory of a view, and whether elements along k, or along rows, can be loaded from it 16 bytes
// at a time. `strides` are those of the batch's dimensions, and `sizes` theirs.
struct TiledView {
  View view;
  Sizes batch_sizes;
  Sizes batch_strides;
  Sizes batch_repeats;  // how many indices of a dimension share an element; empty where none do
  ir::SymInt rows;
  ir::SymInt row_stride;
  ir::SymInt k_stride;
};
void load_by_vectors(Generator& generator, TiledOperand& operand, const TiledView& from,
                     DType type);
// Writes what finds the operand's elements; what calls it to load tiles, and its last arguments.
struct TileLoader {
  std::string function;
  std::string arguments;
};
TileLoader emit_tile_loader(Kernel& kernel, const TiledOperand& operand, DType type,
                            const std::string& name, const Indices& batch);
// The buffer that the view is of.
uint32_t buffer_of(Generator& generator, const View& view);
// A condition: whether vectors of this memory, which `memory` points to, lie at multiples of 16.
std::string is_aligned(Kernel& kernel, uint32_t buffer, const std::string& memory);
// What multiplies elements of this half type by tensor cores.
const char* half_product(DType type);
// How many elements 16 bytes are.
int64_t vector_of(DType type);

// Whether tiles are worth while, or a thread for each sum does as well.
bool is_tiled(const ir::SymInt& m, const ir::SymInt& n, const ir::SymInt& k);
// What the operands' elements are in tiles; nothing where there are none of this type. `dtype`: of
// the sums.
std::optional<DType> tiled_type(const Value& a, const Value& b, DType dtype);

// The whole kernel; and one before it, where sums are split. Tiles and splits are alternatives.
void emit_tiled_product(Kernel& kernel, const TiledProduct& product);

}  // namespace slipway::cuda
