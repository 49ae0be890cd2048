// NVIDIA's driver, opened at run time: its functions as one table, its errors as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "cuda/driver/launch.h"
#include "slipway/result.h"

namespace slipway::cuda {

using Address = unsigned long long;  // CUdeviceptr

// FUNCTION(member, symbol in libcuda.so.1, arguments). Each gives 0 or an error's number; contexts,
// streams and events are pointers.
#define SLIPWAY_CUDA_FUNCTIONS(FUNCTION)                                                          \
  FUNCTION(init, cuInit, unsigned flags)                                                          \
  FUNCTION(driver_version, cuDriverGetVersion, int* version)                                      \
  FUNCTION(error_name, cuGetErrorName, int error, const char** name)                              \
  FUNCTION(error_text, cuGetErrorString, int error, const char** text)                            \
  FUNCTION(device_count, cuDeviceGetCount, int* count)                                            \
  FUNCTION(device, cuDeviceGet, int* device, int index)                                           \
  FUNCTION(device_name, cuDeviceGetName, char* name, int size, int device)                        \
  FUNCTION(device_attribute, cuDeviceGetAttribute, int* value, int attribute, int device)         \
  FUNCTION(retain_context, cuDevicePrimaryCtxRetain, void** context, int device)                  \
  FUNCTION(release_context, cuDevicePrimaryCtxRelease_v2, int device)                             \
  FUNCTION(push_context, cuCtxPushCurrent_v2, void* context)                                      \
  FUNCTION(pop_context, cuCtxPopCurrent_v2, void** context)                                       \
  FUNCTION(memory_info, cuMemGetInfo_v2, size_t* free, size_t* total)                             \
  FUNCTION(allocate, cuMemAlloc_v2, Address* address, size_t size)                                \
  FUNCTION(free, cuMemFree_v2, Address address)                                                   \
  FUNCTION(allocate_host, cuMemHostAlloc, void** data, size_t size, unsigned flags)               \
  FUNCTION(free_host, cuMemFreeHost, void* data)                                                  \
  FUNCTION(register_host, cuMemHostRegister_v2, void* data, size_t size, unsigned flags)          \
  FUNCTION(unregister_host, cuMemHostUnregister, void* data)                                      \
  FUNCTION(copy_to_device, cuMemcpyHtoDAsync_v2, Address to, const void* from, size_t size,       \
           void* stream)                                                                          \
  FUNCTION(copy_to_host, cuMemcpyDtoHAsync_v2, void* to, Address from, size_t size, void* stream) \
  FUNCTION(copy_on_device, cuMemcpyDtoDAsync_v2, Address to, Address from, size_t size,           \
           void* stream)                                                                          \
  FUNCTION(fill, cuMemsetD8Async, Address to, unsigned char value, size_t size, void* stream)     \
  FUNCTION(pointer_attributes, cuPointerGetAttributes, unsigned count, int* attributes,           \
           void** values, Address address)                                                        \
  FUNCTION(create_stream, cuStreamCreate, void** stream, unsigned flags)                          \
  FUNCTION(destroy_stream, cuStreamDestroy_v2, void* stream)                                      \
  FUNCTION(wait_for_stream, cuStreamSynchronize, void* stream)                                    \
  FUNCTION(stream_waits, cuStreamWaitEvent, void* stream, void* event, unsigned flags)            \
  FUNCTION(stream_capture, cuStreamIsCapturing, void* stream, int* state)                         \
  FUNCTION(begin_capture, cuStreamBeginCapture_v2, void* stream, int mode)                        \
  FUNCTION(end_capture, cuStreamEndCapture, void* stream, void** graph)                           \
  FUNCTION(instantiate_graph, cuGraphInstantiateWithFlags, void** executable, void* graph,        \
           unsigned long long flags)                                                              \
  FUNCTION(destroy_graph, cuGraphDestroy, void* graph)                                            \
  FUNCTION(launch_graph, cuGraphLaunch, void* executable, void* stream)                           \
  FUNCTION(destroy_executable_graph, cuGraphExecDestroy, void* executable)                        \
  FUNCTION(load_module, cuModuleLoadDataEx, void** module, const void* image, unsigned count,     \
           int* options, void** values)                                                           \
  FUNCTION(unload_module, cuModuleUnload, void* module)                                           \
  FUNCTION(find_function, cuModuleGetFunction, void** function, void* module, const char* name)   \
  FUNCTION(set_function, cuFuncSetAttribute, void* function, int attribute, int value)            \
  FUNCTION(launch, cuLaunchKernelEx, const LaunchConfig* config, void* function,                  \
           void** parameters, void** extra)                                                       \
  FUNCTION(create_event, cuEventCreate, void** event, unsigned flags)                             \
  FUNCTION(destroy_event, cuEventDestroy_v2, void* event)                                         \
  FUNCTION(record_event, cuEventRecord, void* event, void* stream)                                \
  FUNCTION(query_event, cuEventQuery, void* event)                                                \
  FUNCTION(time_between, cuEventElapsedTime, float* milliseconds, void* first, void* second)      \
  FUNCTION(wait_for_event, cuEventSynchronize, void* event)

struct Functions {
#define SLIPWAY_CUDA_FUNCTION(member, symbol, ...) int (*member)(__VA_ARGS__) = nullptr;
  SLIPWAY_CUDA_FUNCTIONS(SLIPWAY_CUDA_FUNCTION)
#undef SLIPWAY_CUDA_FUNCTION
};

// The environment variable that names another file than libcuda.so.1.
inline constexpr const char* kDriverVariable = "SLIPWAY_CUDA_DRIVER";

// Immutable: any thread may use it. It stays open until the process ends.
class Driver {
 public:
  // Opened once a file; a failure is tried again. kUnavailable says what is missing and what to do.
  static Result<const Driver*> open();

  const Functions& call() const { return functions_; }
  int version() const { return version_; }  // 13020 is CUDA 13.2
  std::string version_text() const;         // "CUDA 13.2"
  int device_count() const { return device_count_; }

  // The error of a call, none for 0: "`what`: CUDA_ERROR_INVALID_VALUE (invalid argument)", and
  // what to do. kResourceExhausted without memory, kUnavailable where the machine is the reason.
  Status check(int code, std::string_view what) const;
  // The same, where `what` is a text that is made for an error only.
  template <class Text>
  requires std::is_invocable_r_v<std::string, Text> Status check(int code, const Text& what)
  const { return code == 0 ? Status() : check(code, std::string_view(what())); }

  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

 private:
  Driver() = default;
  static Result<const Driver*> load(const std::string& file);

  Functions functions_;
  int version_ = 0;
  int device_count_ = 0;
};

}  // namespace slipway::cuda
