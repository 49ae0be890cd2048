// A stand-in for NVIDIA's driver: its "devices" are memory of the host, and its modules C++. What
// is queued on a stream is done when the stream is waited for, so that a result which is read too
// early is a wrong one.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda/driver/launch.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "cuda/host_kernels.h"
#include "cuda/stand_in_queue.h"

namespace slipway::cuda {
namespace {

constexpr int kInvalidValue = 1;
constexpr int kOutOfMemory = 2;
constexpr int kNoDevice = 100;
constexpr int kInvalidDevice = 101;
constexpr int kInvalidContext = 201;
constexpr int kInvalidHandle = 400;
constexpr int kNotFound = 500;
constexpr int kIllegalAddress = 700;
constexpr int kCaptureUnsupported = 900;

struct Queue {
  std::vector<std::function<int()>> work;
  bool is_captured = false;
  std::vector<std::function<int()>> captured;
  // The stream whose capture this one has joined, by waiting for an event of it. What is captured
  // runs in the order in which it was queued.
  Queue* joined = nullptr;
};
struct Mark {
  Queue* queue = nullptr;
  // When it was reached; null where it is not timed, negative before.
  std::shared_ptr<double> time;
};
struct Block {
  size_t size;
  int device;
};

StandInDriver state;
std::mutex work_mutex;  // of all queues
Queue default_queue;    // null
double clock_ms = 0;    // of devices: each block of a kernel takes a millisecond, nothing else does
std::mutex mutex;
std::map<uintptr_t, Block> device_blocks;
std::map<uintptr_t, size_t> host_blocks;
std::set<void*> queues;
int contexts[16] = {};
// Index + 1 of each device whose context was pushed.
thread_local std::vector<int> current;

template <class Value>
bool within(const std::map<uintptr_t, Value>& blocks, uintptr_t address, size_t size,
            Value* found = nullptr) {
  auto block = blocks.upper_bound(address);
  if (block == blocks.begin()) return false;
  --block;
  size_t length = 0;
  if constexpr (std::is_same_v<Value, Block>) {
    length = block->second.size;
  } else {
    length = block->second;
  }
  if (address - block->first + size > length || address - block->first >= length) return false;
  if (found != nullptr) *found = block->second;
  return true;
}

bool is_on_device(unsigned long long address, size_t size) {
  const std::lock_guard<std::mutex> lock(mutex);
  return within(device_blocks, static_cast<uintptr_t>(address), size);
}
bool is_pinned(const void* data, size_t size) {
  const std::lock_guard<std::mutex> lock(mutex);
  return within(host_blocks, reinterpret_cast<uintptr_t>(data), size);
}

// Null where there is no such stream.
Queue* find_queue(void* stream) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (stream == nullptr) return &default_queue;
  return queues.count(stream) != 0 ? static_cast<Queue*>(stream) : nullptr;
}

}  // namespace

int queue_work(void* stream, std::function<int()> work) {
  if (current.empty()) return kInvalidContext;
  Queue* queue = find_queue(stream);
  if (queue == nullptr) return kInvalidHandle;
  const std::lock_guard<std::mutex> lock(work_mutex);
  if (queue->joined != nullptr) queue = queue->joined;
  (queue->is_captured ? queue->captured : queue->work).push_back(std::move(work));
  return 0;
}

namespace {

int drain(Queue* queue) {
  const std::lock_guard<std::mutex> lock(work_mutex);
  if (queue->is_captured) return kCaptureUnsupported;
  std::vector<std::function<int()>> work;
  work.swap(queue->work);
  int error = state.work_error.exchange(0);
  for (const auto& step : work) {
    const int code = step();
    if (error == 0) error = code;
  }
  return error;
}

}  // namespace
}  // namespace slipway::cuda

using namespace slipway::cuda;

extern "C" {

StandInDriver* slipway_stand_in_driver() { return &state; }

int cuInit(unsigned) { return state.init_error; }
int cuDriverGetVersion(int* version) {
  *version = 13020;
  return 0;
}
int cuGetErrorName(int error, const char** name) {
  *name = error == kOutOfMemory      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == kNoDevice       ? "CUDA_ERROR_NO_DEVICE"
          : error == kInvalidValue   ? "CUDA_ERROR_INVALID_VALUE"
          : error == kInvalidDevice  ? "CUDA_ERROR_INVALID_DEVICE"
          : error == kInvalidContext ? "CUDA_ERROR_INVALID_CONTEXT"
          : error == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : error == kLaunchFailed   ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == kNoBinary       ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
          : error == kInvalidPtx     ? "CUDA_ERROR_INVALID_PTX"
                                     : nullptr;
  return *name == nullptr ? kInvalidValue : 0;
}
int cuGetErrorString(int error, const char** text) {
  *text = error == kOutOfMemory      ? "out of memory"
          : error == kNoDevice       ? "no CUDA-capable device is detected"
          : error == kIllegalAddress ? "an illegal memory access was encountered"
                                     : nullptr;
  return *text == nullptr ? kInvalidValue : 0;
}
int cuDeviceGetCount(int* count) {
  *count = state.devices;
  return 0;
}
int cuDeviceGet(int* device, int index) {
  if (index < 0 || index >= state.devices) return kInvalidDevice;
  *device = index + 100;  // A handle is no index.
  return 0;
}
int cuDeviceGetName(char* name, int size, int device) {
  std::snprintf(name, static_cast<size_t>(size), "stand-in %d", device - 100);
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75    ? state.capability / 10
           : attribute == 76  ? state.capability % 10
           : attribute == 16  ? +state.processors
           : attribute == 18  ? +state.is_integrated
           : attribute == 100 ? +state.has_host_pages
                              : 0;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int device) {
  *context = &contexts[device - 100];
  ++contexts[device - 100];
  ++state.live_contexts;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  --contexts[device - 100];
  --state.live_contexts;
  return 0;
}
int cuCtxPushCurrent_v2(void* context) {
  const auto index = static_cast<int*>(context) - contexts;
  if (index < 0 || index >= 16 || contexts[index] == 0) return kInvalidContext;
  current.push_back(static_cast<int>(index) + 1);
  return 0;
}
int cuCtxPopCurrent_v2(void** context) {
  if (current.empty()) return kInvalidContext;
  *context = &contexts[current.back() - 1];
  current.pop_back();
  return 0;
}
int cuMemGetInfo_v2(size_t* free, size_t* total) {
  if (current.empty()) return kInvalidContext;
  *total = state.memory;
  *free = state.memory - std::min<size_t>(state.memory, state.used);
  return 0;
}
int cuMemAlloc_v2(unsigned long long* address, size_t size) {
  if (current.empty()) return kInvalidContext;
  if (size == 0) return kInvalidValue;
  if (size > state.memory || state.used > state.memory - size) return kOutOfMemory;
  constexpr size_t kAlignment = 256;
  void* const data =
      std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
  if (data == nullptr) return kOutOfMemory;
  std::memset(data, 0xee, size);
  state.used += size;
  ++state.allocations;
  *address = reinterpret_cast<unsigned long long>(data);
  const std::lock_guard<std::mutex> lock(mutex);
  device_blocks[reinterpret_cast<uintptr_t>(data)] = {size, current.back() - 1};
  return 0;
}
int cuMemFree_v2(unsigned long long address) {
  if (current.empty()) return kInvalidContext;
  const std::lock_guard<std::mutex> lock(mutex);
  const auto block = device_blocks.find(static_cast<uintptr_t>(address));
  if (block == device_blocks.end()) return kInvalidValue;
  state.used -= block->second.size;
  device_blocks.erase(block);
  // What is allocated next lies elsewhere.
  static void* last = nullptr;
  std::free(std::exchange(last, reinterpret_cast<void*>(address)));
  return 0;
}
int cuMemHostAlloc(void** data, size_t size, unsigned) {
  if (current.empty()) return kInvalidContext;
  if (size == 0) return kInvalidValue;
  *data = std::malloc(size);
  if (*data == nullptr) return kOutOfMemory;
  ++state.host_allocations;
  ++state.live_host_allocations;
  const std::lock_guard<std::mutex> lock(mutex);
  host_blocks[reinterpret_cast<uintptr_t>(*data)] = size;
  return 0;
}
int cuMemFreeHost(void* data) {
  if (current.empty()) return kInvalidContext;
  const std::lock_guard<std::mutex> lock(mutex);
  if (host_blocks.erase(reinterpret_cast<uintptr_t>(data)) == 0) return kInvalidValue;
  --state.live_host_allocations;
  std::free(data);
  return 0;
}
int cuMemHostRegister_v2(void* data, size_t size, unsigned) {
  if (current.empty()) return kInvalidContext;
  if (size == 0 || !state.pins_memory) return kInvalidValue;
  ++state.live_host_allocations;
  const std::lock_guard<std::mutex> lock(mutex);
  host_blocks[reinterpret_cast<uintptr_t>(data)] = size;
  return 0;
}
int cuMemHostUnregister(void* data) {
  if (current.empty()) return kInvalidContext;
  const std::lock_guard<std::mutex> lock(mutex);
  if (host_blocks.erase(reinterpret_cast<uintptr_t>(data)) == 0) return kInvalidValue;
  --state.live_host_allocations;
  return 0;
}
// Memory that is not pinned is refused: the driver would copy it while the caller waits.
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t size, void* stream) {
  if (!is_on_device(to, size) || !is_pinned(from, size)) return kInvalidValue;
  ++state.copies_to_device;
  return queue_work(stream, [=] {
    std::memcpy(reinterpret_cast<void*>(to), from, size);
    return 0;
  });
}
int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t size, void* stream) {
  if (!is_on_device(from, size) || !is_pinned(to, size)) return kInvalidValue;
  ++state.copies_to_host;
  return queue_work(stream, [=] {
    std::memcpy(to, reinterpret_cast<const void*>(from), size);
    return 0;
  });
}
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t size,
                         void* stream) {
  if (!is_on_device(from, size) || !is_on_device(to, size)) return kInvalidValue;
  return queue_work(stream, [=] {
    std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), size);
    return 0;
  });
}
// What it does not know has attributes of 0, as with the driver.
int cuPointerGetAttributes(unsigned count, int* attributes, void** values,
                           unsigned long long address) {
  const std::lock_guard<std::mutex> lock(mutex);
  Block block = {};
  const bool device = within(device_blocks, static_cast<uintptr_t>(address), 0, &block);
  const bool host = !device && within(host_blocks, static_cast<uintptr_t>(address), 0);
  for (unsigned i = 0; i < count; ++i) {
    if (attributes[i] == 2) {
      *static_cast<unsigned*>(values[i]) = device ? 2 : host ? 1 : 0;
    } else if (attributes[i] == 3) {
      *static_cast<unsigned long long*>(values[i]) = device || host ? address : 0;
    } else if (attributes[i] == 8) {
      *static_cast<unsigned*>(values[i]) = 0;
    } else if (attributes[i] == 9) {
      *static_cast<int*>(values[i]) = block.device;
    } else {
      return kInvalidValue;
    }
  }
  return 0;
}
int cuStreamCreate(void** stream, unsigned) {
  if (current.empty()) return kInvalidContext;
  *stream = new Queue;
  ++state.live_streams;
  const std::lock_guard<std::mutex> lock(mutex);
  queues.insert(*stream);
  return 0;
}
int cuStreamDestroy_v2(void* stream) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (queues.erase(stream) == 0) return kInvalidHandle;
  }
  drain(static_cast<Queue*>(stream));
  delete static_cast<Queue*>(stream);
  --state.live_streams;
  return 0;
}
int cuStreamSynchronize(void* stream) {
  if (current.empty()) return kInvalidContext;
  ++state.waits;
  Queue* const queue = find_queue(stream);
  return queue == nullptr ? kInvalidHandle : drain(queue);
}
int cuStreamIsCapturing(void* stream, int* captured) {
  Queue* const queue = find_queue(stream);
  if (queue == nullptr) return kInvalidHandle;
  *captured = queue->is_captured ? 1 : +state.captured;
  return 0;
}
int cuStreamBeginCapture_v2(void* stream, int) {
  Queue* const queue = find_queue(stream);
  if (queue == nullptr || stream == nullptr || queue->is_captured) return kInvalidHandle;
  queue->is_captured = true;
  return 0;
}
int cuStreamEndCapture(void* stream, void** graph) {
  Queue* const queue = find_queue(stream);
  if (queue == nullptr || !queue->is_captured) return kInvalidHandle;
  *graph = new Queue{std::exchange(queue->captured, {}), false, {}, nullptr};
  queue->is_captured = false;
  const std::lock_guard<std::mutex> lock(mutex);
  for (void* const other : queues) {
    auto& joined = static_cast<Queue*>(other)->joined;
    if (joined == queue) joined = nullptr;
  }
  return 0;
}
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  if (state.graph_errors > 0) {
    --state.graph_errors;
    return kOutOfMemory;
  }
  *executable = new Queue(*static_cast<Queue*>(graph));
  ++state.graphs;
  ++state.live_graphs;
  return 0;
}
int cuGraphDestroy(void* graph) {
  delete static_cast<Queue*>(graph);
  return 0;
}
int cuGraphLaunch(void* executable, void* stream) {
  ++state.graph_launches;
  for (const auto& work : static_cast<Queue*>(executable)->work) {
    const int code = queue_work(stream, work);
    if (code != 0) return code;
  }
  return 0;
}
int cuGraphExecDestroy(void* executable) {
  delete static_cast<Queue*>(executable);
  --state.live_graphs;
  return 0;
}
int cuStreamWaitEvent(void* stream, void* event, unsigned) {
  Queue* const queue = static_cast<Mark*>(event)->queue;
  if (queue == nullptr || queue == stream) return 0;
  Queue* const captured = queue->joined != nullptr ? queue->joined : queue;
  if (!captured->is_captured) return drain(queue);
  if (captured != stream) static_cast<Queue*>(stream)->joined = captured;
  return 0;
}
int cuMemsetD8Async(unsigned long long to, unsigned char value, size_t size, void* stream) {
  if (!is_on_device(to, size)) return kInvalidValue;
  return queue_work(stream, [=] {
    std::memset(reinterpret_cast<void*>(to), value, size);
    return 0;
  });
}
int cuModuleLoadDataEx(void** module, const void* image, unsigned count, int* options,
                       void** values) {
  if (current.empty()) return kInvalidContext;
  if (state.module_error != 0) return state.module_error;
  std::string log;
  const int code = load_host_module(static_cast<const char*>(image), module, log);
  if (code == 0) ++state.live_modules;
  for (unsigned i = 0; i + 1 < count; ++i) {
    // CU_JIT_ERROR_LOG_BUFFER, and its size behind it.
    if (options[i] != 5 || options[i + 1] != 6) continue;
    std::snprintf(static_cast<char*>(values[i]), reinterpret_cast<size_t>(values[i + 1]), "%s",
                  log.c_str());
  }
  return code;
}
int cuModuleUnload(void* module) {
  if (current.empty()) return kInvalidContext;
  unload_host_module(module);
  --state.live_modules;
  return 0;
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
  if (current.empty()) return kInvalidContext;
  *function = find_host_kernel(module, name);
  return *function == nullptr ? kNotFound : 0;
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (current.empty()) return kInvalidContext;
  return attribute == 8 && allow_shared_bytes(function, value) ? 0 : kInvalidValue;
}
int cuLaunchKernelEx(const LaunchConfig* config, void* function, void** parameters, void**) {
  const Shape shape = {std::to_array(config->grid), std::to_array(config->block),
                       config->shared_bytes};
  if (!can_launch(function, shape)) return kInvalidValue;
  ++state.launches;
  for (unsigned i = 0; i < config->attribute_count; ++i) {
    if (config->attributes[i].id != kOverlapAttribute) return kInvalidValue;
    state.overlapping_launches += config->attributes[i].value;
  }
  return queue_work(config->stream, [function, shape, values = arguments_of(function, parameters)] {
    clock_ms += static_cast<double>(shape.grid[0]) * shape.grid[1] * shape.grid[2];
    return launch_host_kernel(function, shape, values);
  });
}
int cuEventCreate(void** event, unsigned flags) {
  constexpr unsigned kWithoutTime = 2;
  if (current.empty()) return kInvalidContext;
  *event = new Mark{nullptr, flags == kWithoutTime ? nullptr : std::make_shared<double>(-1)};
  ++state.live_events;
  return 0;
}
int cuEventDestroy_v2(void* event) {
  delete static_cast<Mark*>(event);
  --state.live_events;
  return 0;
}
int cuEventQuery(void* event) {
  constexpr int kNotReady = 600;
  const Queue* const queue = static_cast<Mark*>(event)->queue;
  const std::lock_guard<std::mutex> lock(work_mutex);
  const Queue& marked = queue == nullptr ? default_queue : *queue;
  return marked.work.empty() ? 0 : kNotReady;
}
int cuEventRecord(void* event, void* stream) {
  auto& mark = *static_cast<Mark*>(event);
  mark.queue = static_cast<Queue*>(stream);
  if (mark.time == nullptr) return 0;
  *mark.time = -1;
  return queue_work(stream, [time = mark.time] {
    *time = clock_ms;
    return 0;
  });
}
int cuEventElapsedTime(float* milliseconds, void* first, void* second) {
  const auto& from = static_cast<Mark*>(first)->time;
  const auto& to = static_cast<Mark*>(second)->time;
  if (from == nullptr || to == nullptr || *from < 0 || *to < 0) return kInvalidHandle;
  *milliseconds = static_cast<float>(*to - *from);
  return 0;
}
int cuEventSynchronize(void* event) {
  Queue* const queue = static_cast<Mark*>(event)->queue;
  return queue == nullptr ? 0 : drain(queue);
}
int cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
  return queue_work(stream, [=] {
    function(data);
    return 0;
  });
}

}  // extern "C"
