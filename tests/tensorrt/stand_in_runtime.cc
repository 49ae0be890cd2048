// A stand-in for TensorRT's runtime: engines of the plans in stand_in_runtime.h, behind TensorRT's
// binary interface by our own table of slots, so of any version. Memory and streams are the
// driver's: on a GPU a run is kernels, with the stand-in for the driver it is a function of the
// host. It is no part of TensorRT.

#include "tensorrt/stand_in_runtime.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "tensorrt/library/slots.h"
#include "tensorrt/stand_in_gpu.h"
#include "tensorrt/stand_in_plan.h"

namespace slipway::tensorrt {
namespace {

constexpr int kError = 1;
constexpr size_t kSlots = 64;
using Table = std::array<const void*, kSlots>;

StandInRuntime state;

struct Runtime;
struct Engine;
struct Context;

// What each implementation begins with; its address is Object::impl.
template <class Impl>
struct Owned {
  const void* const* table = nullptr;
  Object object{};

  static void destroy(Object* object) { delete static_cast<Impl*>(object->impl); }
  static Object* make(Impl* impl, const Table& slots) {
    static const void* const own[2] = {nullptr, reinterpret_cast<const void*>(&destroy)};
    impl->table = slots.data();
    impl->object = {own, impl};
    return &impl->object;
  }

 private:
  Owned() = default;
  friend Impl;
};

struct Tables {
  Table runtime;
  Table engine;
  Table context;
  Table config;
  Table cache;
  Table memory;
};

struct Runtime : Owned<Runtime> {
  Version version{};
  void* logger = nullptr;
  Tables tables;

  void log(const std::string& text) const {
    if (version.family == Family::kT10) {
      static_cast<PlainLoggerInterface*>(logger)->log(kError, text.c_str());
    } else {
      static_cast<LoggerInterface*>(logger)->log(kError, text.c_str());
    }
  }
};

struct Engine : Owned<Engine> {
  Runtime* runtime = nullptr;
  Plan plan;
  Kernels kernels;
  uint64_t memory = 0;
  int contexts = 0;
  int64_t budget = 0;     // of its weights
  uint64_t streamed = 0;  // their memory, while there are contexts

  Engine() { ++state.live_engines; }
  ~Engine() {
    release(memory);
    --state.live_engines;
  }
};

struct Step {
  bool is_float;
  size_t elements;
  double a;
  double b;
  const void* from;
  void* to;
};
using Steps = std::vector<Step>;

struct Context : Owned<Context> {
  Engine* engine = nullptr;
  uint64_t memory = 0;
  bool is_given_memory = false;
  int64_t given = 0;  // of that
  size_t profile = 0;
  std::map<std::string, std::vector<int64_t>> shapes;
  std::map<std::string, void*> addresses;
  std::vector<std::unique_ptr<Steps>> captured;
  void* profiler = nullptr;

  Context() { ++state.live_contexts; }
  ~Context() {
    release(memory);
    if (--engine->contexts == 0) release(engine->streamed);
    --state.live_contexts;
  }
};

// Of TensorRT-RTX. Its "kernels" are a text that names the engines which were run with it.
struct Cache : Owned<Cache> {
  Runtime* runtime = nullptr;
  std::string kernels;
};
struct Config : Owned<Config> {
  Runtime* runtime = nullptr;
  int32_t strategy = 0;
  Cache* cache = nullptr;
};
struct Memory : Owned<Memory> {
  std::string bytes;
};

Dims to_dims(const std::vector<int64_t>& sizes) {
  Dims dims;
  dims.count = static_cast<int32_t>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), dims.sizes);
  return dims;
}

// As TensorRT shows them: an output without dimensions has one.
std::vector<int64_t> shown(const Tensor& tensor, std::vector<int64_t> sizes) {
  if (!tensor.is_input && sizes.empty()) sizes = {1};
  return sizes;
}

// VRuntime

Object* deserialize(Runtime* self, const void* bytes, size_t size);

int64_t header_size(Runtime*) { return kHeaderSize; }

int capability_here() {
  int device = 0;
  int major = 0;
  int minor = 0;
  if (driver<int (*)(int*, int)>("cuDeviceGet")(&device, 0) != 0) return 0;
  const auto get = driver<int (*)(int*, int, int)>("cuDeviceGetAttribute");
  if (get(&major, 75, device) != 0 || get(&minor, 76, device) != 0) return 0;
  return major * 10 + minor;
}

int32_t validity(Runtime* self, const void* header, int64_t size, uint64_t* diagnostics) {
  const std::string text(static_cast<const char*>(header), static_cast<size_t>(size));
  if (capability_of(text) == 0) {
    *diagnostics = 0x20;
    return 2;
  }
  if (capability_of(text) == capability_here()) return 0;
  self->log("stand-in: another compute capability");
  *diagnostics = 0x2;
  return 2;
}

// VCudaEngine

Object* create_context(Engine* self, int32_t);

const Tensor& tensor_of(const Engine* self, const char* name) {
  const Tensor* const tensor = self->plan.find(name);
  if (tensor == nullptr) std::abort();
  return *tensor;
}

Dims engine_shape(Engine* self, const char* name) {
  const Tensor& tensor = tensor_of(self, name);
  std::vector<int64_t> sizes = tensor.min;
  for (size_t i = 0; i < sizes.size(); ++i) {
    for (const auto& [min, max] : tensor.profiles) {
      if (min[i] != tensor.min[i] || max[i] != tensor.min[i]) sizes[i] = -1;
    }
  }
  return to_dims(shown(tensor, sizes));
}
int32_t data_type(Engine* self, const char* name) {
  return static_cast<int32_t>(tensor_of(self, name).is_float ? DataType::kFloat : DataType::kInt64);
}
int32_t location(Engine*, const char*) { return 0; }
bool is_shape(Engine* self, const char* name) { return tensor_of(self, name).is_shape; }
int32_t format(Engine* self, const char* name) { return tensor_of(self, name).format; }
int32_t io_mode(Engine* self, const char* name) { return tensor_of(self, name).is_input ? 1 : 2; }
Dims profile_shape(Engine* self, const char* name, int32_t profile, int32_t selector) {
  const Tensor& tensor = tensor_of(self, name);
  if (!tensor.is_input || profile < 0 || static_cast<size_t>(profile) >= tensor.profiles.size()) {
    Dims none;
    none.count = -1;
    return none;
  }
  const auto& [min, max] = tensor.profiles[static_cast<size_t>(profile)];
  return to_dims(selector == 0 ? min : max);
}
int32_t tensor_count(Engine* self) { return static_cast<int32_t>(self->plan.tensors.size()); }
const char* tensor_name(Engine* self, int32_t index) {
  return self->plan.tensors[static_cast<size_t>(index)].name.c_str();
}
int64_t streamable(Engine* self) { return self->plan.streamable; }
bool set_budget(Engine* self, int64_t bytes) {
  ++state.budgets_set;
  if (self->contexts > 0 || self->plan.streamable == 0 || bytes < 0 ||
      bytes > self->plan.streamable || bytes > state.largest_budget) {
    self->runtime->log("stand-in: no such budget");
    return false;
  }
  self->budget = state.budget = bytes;
  return true;
}
int64_t get_budget(Engine* self) { return self->budget; }
int64_t context_memory(Engine* self) { return static_cast<int64_t>(self->plan.context); }
int64_t automatic(Engine* self) { return self->plan.automatic; }

// VRuntimeConfig, VRuntimeCache, VHostMemory

Object* create_config(Engine* self) {
  auto* const config = new Config;
  config->runtime = self->runtime;
  return Owned<Config>::make(config, self->runtime->tables.config);
}
void set_strategy(Config* self, int32_t strategy) { self->strategy = strategy; }
Object* create_cache(Config* self) {
  auto* const cache = new Cache;
  cache->runtime = self->runtime;
  return Owned<Cache>::make(cache, self->runtime->tables.cache);
}
bool set_cache(Config* self, const Object* cache) {
  self->cache = static_cast<Cache*>(cache->impl);
  return true;
}
Object* create_context_with_config(Engine* self, const Object* object) {
  const auto* const config = static_cast<const Config*>(object->impl);
  if (config->cache->kernels.empty()) {
    ++state.kernels_compiled;
    config->cache->kernels = "kernels of the stand-in";
  }
  return create_context(self, config->strategy);
}
Object* serialize_cache(Cache* self) {
  auto* const memory = new Memory;
  memory->bytes = self->kernels;
  return Owned<Memory>::make(memory, self->runtime->tables.memory);
}
bool deserialize_cache(Cache* self, const void* data, size_t size) {
  const std::string kernels(static_cast<const char*>(data), size);
  if (kernels != "kernels of the stand-in") return false;
  self->kernels = kernels;
  return true;
}
void* memory_data(Memory* self) { return self->bytes.data(); }
size_t memory_size(Memory* self) { return self->bytes.size(); }

// VExecutionContext

bool set_shape(Context* self, const char* name, const Dims* dims) {
  const Tensor& tensor = tensor_of(self->engine, name);
  const std::vector<int64_t> sizes(dims->sizes, dims->sizes + dims->count);
  const auto& [min, max] = tensor.profiles[std::min(self->profile, tensor.profiles.size() - 1)];
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes.size() != min.size() || sizes[i] < min[i] || sizes[i] > max[i]) {
      self->engine->runtime->log("stand-in: no such shape");
      return false;
    }
  }
  self->shapes[name] = sizes;
  return true;
}
// Nothing where it is not known.
std::vector<int64_t> known_shape(const Context* self, const Tensor& tensor, bool* known) {
  const Tensor& source = tensor.is_input ? tensor : self->engine->plan.tensors[tensor.input];
  *known = std::all_of(source.profiles.begin(), source.profiles.end(), [&](const auto& profile) {
    return profile.first == source.min && profile.second == source.min;
  });
  if (*known) return source.min;
  const auto set = self->shapes.find(source.name);
  *known = set != self->shapes.end();
  return *known ? set->second : std::vector<int64_t>();
}
Dims context_shape(Context* self, const char* name) {
  const Tensor& tensor = tensor_of(self->engine, name);
  bool known = false;
  const auto sizes = known_shape(self, tensor, &known);
  return known ? to_dims(shown(tensor, sizes)) : engine_shape(self->engine, name);
}
bool set_profile(Context* self, int32_t profile, void*) {
  self->profile = static_cast<size_t>(profile);
  self->shapes.clear();
  state.profile = profile;
  return true;
}
bool set_address(Context* self, const char* name, void* address) {
  self->addresses[name] = address;
  return address != nullptr;
}
void set_memory(Context* self, void* memory, int64_t size) {
  if (!self->is_given_memory) std::abort();
  self->given = size > 0 && is_on_device(memory) ? size : 0;
}
int32_t infer_shapes(Context* self, int32_t limit, const char** missing) {
  int32_t count = 0;
  for (const Tensor& tensor : self->engine->plan.tensors) {
    bool known = false;
    known_shape(self, tensor, &known);
    if (tensor.is_input && !known && count++ < limit) *missing = tensor.name.c_str();
  }
  return count;
}

void compute(const Steps& steps) {
  for (const Step& step : steps) {
    for (size_t i = 0; i < step.elements; ++i) {
      if (step.is_float) {
        const double x = static_cast<const float*>(step.from)[i];
        static_cast<float*>(step.to)[i] = static_cast<float>(step.a * x + step.b);
      } else {
        const int64_t x = static_cast<const int64_t*>(step.from)[i];
        static_cast<int64_t*>(step.to)[i] =
            static_cast<int64_t>(step.a) * x + static_cast<int64_t>(step.b);
      }
    }
  }
}

// A graph calls it again and again, and its steps are the context's.
bool queue_on_host(Context* self, void* stream, std::unique_ptr<Steps> steps) {
  int captured = 0;
  if (driver<int (*)(void*, int*)>("cuStreamIsCapturing")(stream, &captured) != 0) return false;
  const auto launch = driver<int (*)(void*, void (*)(void*), void*)>("cuLaunchHostFunc");
  if (captured == 0) {
    return launch(
               stream,
               [](void* data) { compute(*std::unique_ptr<Steps>(static_cast<Steps*>(data))); },
               steps.release()) == 0;
  }
  self->captured.push_back(std::move(steps));
  return launch(
             stream, [](void* data) { compute(*static_cast<Steps*>(data)); },
             self->captured.back().get()) == 0;
}

void set_profiler(Context* self, void* profiler) {
  if (profiler == nullptr) std::abort();  // as TensorRT-RTX wants it
  self->profiler = profiler;
}

// Waits, as TensorRT does. The layer of an output takes a microsecond an element.
bool report(const Context* self, void* stream, const std::vector<size_t>& elements) {
  if (driver<int (*)(void*)>("cuStreamSynchronize")(stream) != 0) return false;
  ++state.profiled_runs;
  auto size = elements.begin();
  for (const Tensor& tensor : self->engine->plan.tensors) {
    if (tensor.is_input) continue;
    const std::string layer = "affine " + tensor.name;
    const float milliseconds = static_cast<float>(*size++) / 1000;
    if (self->engine->runtime->version.family == Family::kT10) {
      static_cast<PlainProfilerInterface*>(self->profiler)
          ->reportLayerTime(layer.c_str(), milliseconds);
    } else {
      static_cast<ProfilerInterface*>(self->profiler)->reportLayerTime(layer.c_str(), milliseconds);
    }
  }
  return true;
}

bool enqueue(Context* self, void* stream) {
  const Plan& plan = self->engine->plan;
  auto steps = std::make_unique<Steps>();
  if (state.refuses_run) {
    self->engine->runtime->log("stand-in: told not to run");
    return false;
  }
  if (self->is_given_memory && self->given < static_cast<int64_t>(plan.context)) {
    self->engine->runtime->log("stand-in: no memory to work in");
    return false;
  }
  for (const Tensor& tensor : plan.tensors) {
    bool known = false;
    const auto sizes = known_shape(self, tensor, &known);
    const auto address = self->addresses.find(tensor.name);
    if (!known || address == self->addresses.end() || !is_readable(address->second)) {
      self->engine->runtime->log("stand-in: " + tensor.name +
                                 " has no shape, or no memory of the device");
      return false;
    }
    if (tensor.is_input) continue;
    size_t elements = 1;
    for (const int64_t size : sizes) elements *= static_cast<size_t>(size);
    steps->push_back({tensor.is_float, elements, tensor.a, tensor.b,
                      self->addresses[plan.tensors[tensor.input].name], address->second});
  }
  ++state.runs;
  if (!plan.tensors.empty()) {
    state.first_address = reinterpret_cast<uint64_t>(self->addresses[plan.tensors[0].name]);
  }
  std::vector<size_t> sizes_of_steps;
  for (const Step& step : *steps) sizes_of_steps.push_back(step.elements);
  const auto report_if_asked = [&](bool queued) {
    return queued && (self->profiler == nullptr || report(self, stream, sizes_of_steps));
  };
  if (self->engine->kernels) {
    return report_if_asked(std::all_of(steps->begin(), steps->end(), [&](const Step& step) {
      return self->engine->kernels.launch(step.is_float, step.from, step.to, step.elements, step.a,
                                          step.b, stream);
    }));
  }
  return report_if_asked(queue_on_host(self, stream, std::move(steps)));
}

// Making them.

void not_there() {
  std::fputs("stand-in: a method that it does not have was called\n", stderr);
  std::abort();
}

Tables tables_of(Version version) {
  Tables tables;
  for (Table* table : {&tables.runtime, &tables.engine, &tables.context, &tables.config,
                       &tables.cache, &tables.memory}) {
    table->fill(reinterpret_cast<const void*>(&not_there));
  }
  const auto set = [&](Table& table, Method method, auto* function) {
    const int place = slot(method).of(version);
    if (place >= 0) table[static_cast<size_t>(place)] = reinterpret_cast<const void*>(function);
  };
  set(tables.runtime, Method::VRuntime_deserializeCudaEngine, &deserialize);
  set(tables.runtime, Method::VRuntime_getEngineHeaderSize, &header_size);
  set(tables.runtime, Method::VRuntime_getEngineValidity, &validity);
  set(tables.engine, Method::VCudaEngine_createExecutionContext, &create_context);
  if (version.family == Family::kRtx) {
    set(tables.engine, Method::VCudaEngine_createExecutionContextWithRuntimeConfig,
        &create_context_with_config);
    set(tables.engine, Method::VCudaEngine_createRuntimeConfig, &create_config);
    set(tables.config, Method::VRuntimeConfig_setExecutionContextAllocationStrategy, &set_strategy);
    set(tables.config, Method::VRuntimeConfig_createRuntimeCache, &create_cache);
    set(tables.config, Method::VRuntimeConfig_setRuntimeCache, &set_cache);
    set(tables.cache, Method::VRuntimeCache_serialize, &serialize_cache);
    set(tables.cache, Method::VRuntimeCache_deserialize, &deserialize_cache);
    set(tables.memory, Method::VHostMemory_data, &memory_data);
    set(tables.memory, Method::VHostMemory_size, &memory_size);
  }
  set(tables.engine, Method::VCudaEngine_getTensorShape, &engine_shape);
  set(tables.engine, Method::VCudaEngine_getTensorDataType, &data_type);
  set(tables.engine, Method::VCudaEngine_getTensorLocation, &location);
  set(tables.engine, Method::VCudaEngine_isShapeInferenceIO, &is_shape);
  set(tables.engine, Method::VCudaEngine_getTensorIOMode, &io_mode);
  set(tables.engine, Method::VCudaEngine_getTensorFormat, &format);
  set(tables.engine, Method::VCudaEngine_getProfileShape, &profile_shape);
  set(tables.engine, Method::VCudaEngine_getNbIOTensors, &tensor_count);
  set(tables.engine, Method::VCudaEngine_getIOTensorName, &tensor_name);
  set(tables.engine, Method::VCudaEngine_getStreamableWeightsSize, &streamable);
  set(tables.engine, Method::VCudaEngine_setWeightStreamingBudgetV2, &set_budget);
  set(tables.engine, Method::VCudaEngine_getWeightStreamingBudgetV2, &get_budget);
  set(tables.engine, Method::VCudaEngine_getWeightStreamingAutomaticBudget, &automatic);
  set(tables.engine, Method::VCudaEngine_getDeviceMemorySizeV2, &context_memory);
  set(tables.context, Method::VExecutionContext_setInputShape, &set_shape);
  set(tables.context, Method::VExecutionContext_getTensorShape, &context_shape);
  set(tables.context, Method::VExecutionContext_setTensorAddress, &set_address);
  set(tables.context, Method::VExecutionContext_setDeviceMemoryV2, &set_memory);
  set(tables.context, Method::VExecutionContext_inferShapes, &infer_shapes);
  set(tables.context, Method::VExecutionContext_setOptimizationProfileAsync, &set_profile);
  set(tables.context, Method::VExecutionContext_setProfiler, &set_profiler);
  set(tables.context, Method::VExecutionContext_enqueueV3, &enqueue);
  return tables;
}

Object* deserialize(Runtime* self, const void* bytes, size_t size) {
  ++state.deserialized;
  const std::string text(static_cast<const char*>(bytes), std::min<size_t>(size, 1 << 16));
  auto engine = std::make_unique<Engine>();
  engine->runtime = self;
  Plan& plan = engine->plan;
  if (!parse(text, plan) || plan.data > size - plan.data_offset) {
    self->log("stand-in: this is no plan");
    return nullptr;
  }
  if (capability_of(text) != capability_here()) {
    self->log("stand-in: the engine cannot run on this GPU");
    return nullptr;
  }
  engine->budget = engine->plan.streamable;
  bool ok = false;
  engine->memory = allocate(std::max(plan.weights, plan.data), &ok);
  if (!ok) {
    self->log("stand-in: out of memory for weights");
    return nullptr;
  }
  if (!engine->kernels.load() ||
      (plan.data > 0 &&
       driver<int (*)(unsigned long long, const void*, size_t)>("cuMemcpyHtoD_v2")(
           engine->memory, static_cast<const char*>(bytes) + plan.data_offset, plan.data) != 0)) {
    self->log("stand-in: the GPU does not take the engine");
    return nullptr;
  }
  return Owned<Engine>::make(engine.release(), self->tables.engine);
}

Object* create_context(Engine* self, int32_t strategy) {
  if (state.refuses_context) return nullptr;
  constexpr int32_t kUserManaged = 2;
  bool ok = false;
  const uint64_t memory = allocate(strategy == kUserManaged ? 0 : self->plan.context, &ok);
  if (ok && self->contexts == 0) {
    self->streamed = allocate(static_cast<size_t>(self->budget), &ok);
    if (!ok) release(memory);
  }
  if (!ok) {
    self->runtime->log("stand-in: OutOfMemory for a context");
    return nullptr;
  }
  auto* const context = new Context;
  context->engine = self;
  context->memory = memory;
  context->is_given_memory = strategy == kUserManaged;
  ++self->contexts;
  return Owned<Context>::make(context, self->runtime->tables.context);
}

Version version_of(int32_t number) {
  if (number < 100000) return {Family::kRtx, 1, number / 100 % 100, number % 100};
  const Family family = number < 110000 ? Family::kT10 : Family::kT11;
  return {family, number / 10000, number / 100 % 100, number % 100};
}

}  // namespace
}  // namespace slipway::tensorrt

using namespace slipway::tensorrt;

extern "C" {

StandInRuntime* slipway_stand_in_runtime() { return &state; }

int32_t getInferLibVersion() { return std::atoi(std::getenv("SLIPWAY_STAND_IN_VERSION")); }

void* createInferRuntime_INTERNAL(void* logger, int32_t version) {
  if (state.refuses_runtime) return reinterpret_cast<void*>(0x228);
  auto* const runtime = new Runtime;
  runtime->version = version_of(version);
  runtime->logger = logger;
  runtime->tables = tables_of(runtime->version);
  ++state.runtimes;
  return Owned<Runtime>::make(runtime, runtime->tables.runtime);
}

}  // extern "C"
