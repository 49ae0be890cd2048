// How a kernel is started, as CUDA has it (CUlaunchAttribute, CUlaunchConfig).
#pragma once

namespace slipway::cuda {

struct LaunchAttribute {
  int id;
  alignas(8) int value;
  char rest[60];
};
struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned shared_bytes;
  void* stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};
// Whether a kernel may start before the earlier one of its stream has ended, which it then waits
// for itself. From compute capability 9.0 on.
inline constexpr int kOverlapAttribute = 6;
static_assert(sizeof(LaunchAttribute) == 72 && sizeof(LaunchConfig) == 56);

}  // namespace slipway::cuda
