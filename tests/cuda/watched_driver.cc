// NVIDIA's own driver, for tests on a GPU: what tests count and limit passes through here, all
// other functions are found in libcuda.so.1, which this library is linked with. What it is told:
// `memory`, the work's error and the start's, and fewer GPUs than there are.

#include <algorithm>
#include <cstdint>
#include <dlfcn.h>
#include <map>
#include <mutex>

#include "cuda/driver/launch.h"
#include "cuda/driver/stand_in_driver_test.h"

namespace slipway::cuda {
namespace {

constexpr int kOutOfMemory = 2;

StandInDriver state;
std::mutex mutex;
std::map<unsigned long long, size_t> device_blocks;

template <class Function>
Function* real(const char* name) {
  static void* const driver = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function*>(::dlsym(driver, name));
}
#define REAL(function) real<decltype(function)>(#function)

// Counts what went well.
int counted(int code, std::atomic<int>& counter, int step = 1) {
  if (code == 0) counter += step;
  return code;
}

}  // namespace
}  // namespace slipway::cuda

using namespace slipway::cuda;

extern "C" {

int cuDeviceGet(int* device, int index);
int cuDeviceGetAttribute(int* value, int attribute, int device);

StandInDriver* slipway_stand_in_driver() {
  static const bool is_asked = [] {
    int count = 0;
    int device = 0;
    int major = 0;
    int minor = 0;
    if (real<int(unsigned)>("cuInit")(0) == 0 && real<int(int*)>("cuDeviceGetCount")(&count) == 0 &&
        cuDeviceGet(&device, 0) == 0 && cuDeviceGetAttribute(&major, 75, device) == 0 &&
        cuDeviceGetAttribute(&minor, 76, device) == 0) {
      state.devices = count;
      state.capability = major * 10 + minor;
    }
    state.is_real = true;
    return true;
  }();
  static_cast<void>(is_asked);
  return &state;
}

int cuInit(unsigned flags) {
  return state.init_error != 0 ? +state.init_error : REAL(cuInit)(flags);
}
int cuDeviceGetCount(int* count) {
  const int code = REAL(cuDeviceGetCount)(count);
  *count = std::min<int>(*count, state.devices);
  return code;
}
int cuDevicePrimaryCtxRetain(void** context, int device) {
  return counted(REAL(cuDevicePrimaryCtxRetain)(context, device), state.live_contexts);
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  return counted(REAL(cuDevicePrimaryCtxRelease_v2)(device), state.live_contexts, -1);
}
int cuMemGetInfo_v2(size_t* free, size_t* total) {
  const int code = REAL(cuMemGetInfo_v2)(free, total);
  if (code != 0 || state.memory == SIZE_MAX) return code;
  *total = state.memory;
  *free = state.memory - std::min<size_t>(state.memory, state.used);
  return 0;
}
int cuMemAlloc_v2(unsigned long long* address, size_t size) {
  if (size > state.memory || state.used > state.memory - size) return kOutOfMemory;
  const int code = REAL(cuMemAlloc_v2)(address, size);
  if (code != 0) return code;
  state.used += size;
  ++state.allocations;
  const std::lock_guard<std::mutex> lock(mutex);
  device_blocks[*address] = size;
  return 0;
}
int cuMemFree_v2(unsigned long long address) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto block = device_blocks.find(address);
    if (block != device_blocks.end()) {
      state.used -= block->second;
      device_blocks.erase(block);
    }
  }
  return REAL(cuMemFree_v2)(address);
}
int cuMemHostAlloc(void** data, size_t size, unsigned flags) {
  counted(0, state.host_allocations);
  return counted(REAL(cuMemHostAlloc)(data, size, flags), state.live_host_allocations);
}
int cuMemFreeHost(void* data) {
  return counted(REAL(cuMemFreeHost)(data), state.live_host_allocations, -1);
}
int cuMemHostRegister_v2(void* data, size_t size, unsigned flags) {
  return counted(REAL(cuMemHostRegister_v2)(data, size, flags), state.live_host_allocations);
}
int cuMemHostUnregister(void* data) {
  return counted(REAL(cuMemHostUnregister)(data), state.live_host_allocations, -1);
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t size, void* stream) {
  return counted(REAL(cuMemcpyHtoDAsync_v2)(to, from, size, stream), state.copies_to_device);
}
int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t size, void* stream) {
  return counted(REAL(cuMemcpyDtoHAsync_v2)(to, from, size, stream), state.copies_to_host);
}
int cuStreamCreate(void** stream, unsigned flags) {
  return counted(REAL(cuStreamCreate)(stream, flags), state.live_streams);
}
int cuStreamDestroy_v2(void* stream) {
  return counted(REAL(cuStreamDestroy_v2)(stream), state.live_streams, -1);
}
int cuStreamSynchronize(void* stream) {
  ++state.waits;
  const int code = REAL(cuStreamSynchronize)(stream);
  const int told = state.work_error.exchange(0);
  return told != 0 ? told : code;
}
int cuEventSynchronize(void* event) {
  const int code = REAL(cuEventSynchronize)(event);
  const int told = state.work_error.exchange(0);
  return told != 0 ? told : code;
}
int cuStreamIsCapturing(void* stream, int* captured) {
  const int code = REAL(cuStreamIsCapturing)(stream, captured);
  if (state.captured != 0) *captured = state.captured;
  return code;
}
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long flags) {
  if (state.graph_errors > 0) {
    --state.graph_errors;
    return kOutOfMemory;
  }
  ++state.graphs;
  return counted(REAL(cuGraphInstantiateWithFlags)(executable, graph, flags), state.live_graphs);
}
int cuGraphLaunch(void* executable, void* stream) {
  return counted(REAL(cuGraphLaunch)(executable, stream), state.graph_launches);
}
int cuGraphExecDestroy(void* executable) {
  return counted(REAL(cuGraphExecDestroy)(executable), state.live_graphs, -1);
}
int cuModuleLoadDataEx(void** module, const void* image, unsigned count, int* options,
                       void** values) {
  return counted(REAL(cuModuleLoadDataEx)(module, image, count, options, values),
                 state.live_modules);
}
int cuModuleUnload(void* module) {
  return counted(REAL(cuModuleUnload)(module), state.live_modules, -1);
}
int cuLaunchKernelEx(const LaunchConfig* config, void* function, void** parameters, void** extra) {
  state.overlapping_launches += static_cast<int>(config->attribute_count);
  return counted(REAL(cuLaunchKernelEx)(config, function, parameters, extra), state.launches);
}
int cuEventCreate(void** event, unsigned flags) {
  return counted(REAL(cuEventCreate)(event, flags), state.live_events);
}
int cuEventDestroy_v2(void* event) {
  return counted(REAL(cuEventDestroy_v2)(event), state.live_events, -1);
}

}  // extern "C"
