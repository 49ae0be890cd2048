// Modules of the stand-in for NVIDIA's driver: C++ source, which the host's compiler compiles as
// CUDA's would, with tests/cuda/host_prelude.h before it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::cuda {

// CUDA's numbers of errors.
inline constexpr int kNoBinary = 209;
inline constexpr int kInvalidPtx = 218;
inline constexpr int kLaunchFailed = 719;

// The error of the module, and the compiler's messages. Machine code of a GPU is kNoBinary.
int load_host_module(const char* image, void** module, std::string& log);
void unload_host_module(void* module);
// Null where there is none.
void* find_host_kernel(void* module, const char* name);

struct Shape {
  std::array<unsigned, 3> grid;
  std::array<unsigned, 3> block;
  unsigned shared_bytes;
};
bool allow_shared_bytes(void* kernel, int bytes);
bool can_launch(void* kernel, const Shape& shape);
// Its arguments, of 8 bytes each.
std::vector<uint64_t> arguments_of(void* kernel, void** parameters);
// Runs all of its blocks, one after the other. For one thread at a time in the process.
int launch_host_kernel(void* kernel, const Shape& shape, std::vector<uint64_t> arguments);

}  // namespace slipway::cuda
