// The tiles by which products are computed, and which of them are reckoned to be the fastest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/builder/tiled_product.h"

namespace slipway::cuda {

inline constexpr int64_t kProcessors = 132;  // of a GPU

// A block's tile. The times are of a step of `depth` along k in nanoseconds, as measured on an
// H200.
struct Tile {
  int m;
  int n;
  int depth;
  int warp_m;  // of float32: what a thread has
  int warp_n;
  int stages;
  int threads;
  double alone;  // where a processor has one block
  double among;  // and where it has several
  // Whether its lines, which have vectors along k, are swizzled: then groups of four warps have 64
  // rows each where there is Hopper's machine code.
  bool is_swizzled = false;
  // So many blocks share what they load of b (cluster_product.txt); 0 where none does.
  int cluster = 0;
  int residents = 1;  // of such a tile's blocks, in a processor
  int put_width = 0;  // in how many columns at a time their warps put sums
};

// The places that a block has of images and their heights and widths: at the most 128.
struct Box {
  int64_t images = 1;
  int64_t height = 1;
  int64_t width = 1;
  Sizes blocks = {};  // how many there are, along each
};

struct Plan {
  const Tile* tile = nullptr;
  int64_t splits = 1;
  // The blocks of all parts are a cluster, which adds them up: faster than another kernel for
  // convolutions, not for products of matrices.
  bool meets = false;
};

// What a size is taken to be that a call decides.
int64_t known(const ir::SymInt& size);
int64_t blocks(int64_t size, int64_t tile);

// The boxes that are fewest, of these the widest.
Box box_of(const Windows& windows);
// Along k, of 64 channels of a tap each.
int64_t steps_of(const Windows& windows);
// Whether Hopper's machine code alone has it.
bool is_of_hopper(const Plan& plan);

// The fastest by a rough reckoning, best first: the steps of the processor that has most blocks,
// and what more kernels and their memory cost. Where several are asked for, no more than two are of
// one tile: what the reckoning knows least is how tiles compare. One at least is for all images.
std::vector<Plan> plans_of(const Generator& generator, const TiledProduct& product);
std::string text_of(const Plan& plan);

}  // namespace slipway::cuda
