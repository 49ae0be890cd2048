// Convolutions and attention by NVIDIA's cuDNN, as alternatives of kernels.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cuda/builder/kernel.h"
#include "cuda/builder/matrices.h"
#include "cuda/builder/windows.h"
#include "cuda/format/engine_generated.h"

namespace slipway::cuda {

// What the library computes, all but where its result lies.
struct LibraryForm {
  table::LibraryGraphT graph;
  // The value that it is: the first one behind the sums that is of the half type, or a later one.
  Value* result = nullptr;
};

// Two-dimensional, of one group, with constant filters as [results, taps, channels] in memory.
struct LibraryConvolution {
  const Value* x = nullptr;
  uint32_t filters = 0;
  int64_t filter_stride = 0;
  Sizes taps;  // height, width, channels
  Window window;
  const Value* bias = nullptr;  // none: null
  const Value* sums = nullptr;  // with the bias
  DType type = DType::kFloat16;
};
std::optional<LibraryForm> library_form(Kernel& kernel, const LibraryConvolution& convolution);

struct TiledProduct;
// Of one matrix by another.
std::optional<LibraryForm> library_form(Kernel& kernel, const TiledProduct& product);

struct LibraryAttention {
  Matrices query;  // of keys' and values' batch
  Matrices key;
  Matrices value;
  Sizes batch;
  float scale = 1;  // of the products
  const Value* result = nullptr;
  DType type = DType::kFloat16;
};
std::optional<LibraryForm> library_form(Kernel& kernel, const LibraryAttention& attention);

// How many ways there are; none without a form.
uint32_t library_ways(const Generator& generator, const std::optional<LibraryForm>& form);
// With the engine of this rank. A kernel behind it computes what follows, if anything does.
void emit_library_graph(Kernel& kernel, const LibraryForm& form, uint8_t rank);

}  // namespace slipway::cuda
