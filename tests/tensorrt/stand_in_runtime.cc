// A stand-in for TensorRT's runtime: engines of the plans in stand_in_runtime.h, behind TensorRT's
// binary interface by our own table of slots, so of any version. Memory and streams are the
// driver's: on a GPU a run is kernels, with the stand-in for the driver it is a function of the
// host. It is no part of TensorRT.

#include "tensorrt/stand_in_runtime.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <tuple>
#include <utility>
#include <vector>

#include "tensorrt/library/slots.h"

namespace slipway::tensorrt {
namespace {

constexpr int kError = 1;
constexpr const char* kFirstLine = "slipway stand-in plan for sm_";
constexpr int64_t kHeaderSize = 64;
constexpr size_t kSlots = 64;
using Table = std::array<const void*, kSlots>;

StandInRuntime state;

// The functions of the driver, whichever it is; null for one that the stand-in for it lacks.
template <class Function>
Function driver(const char* name) {
  static void* const library = ::dlopen(std::getenv("SLIPWAY_CUDA_DRIVER"), RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function>(::dlsym(library, name));
}

uint64_t allocate(size_t size, bool* ok) {
  unsigned long long address = 0;
  *ok = size == 0 ||
        driver<int (*)(unsigned long long*, size_t)>("cuMemAlloc_v2")(&address, size) == 0;
  return address;
}
void release(uint64_t address) {
  if (address == 0) return;
  if (driver<int (*)(unsigned long long)>("cuMemFree_v2")(address) != 0) std::abort();
}
bool is_on_device(const void* address) {
  unsigned type = 0;
  int attribute = 2;
  void* value = &type;
  const int code =
      driver<int (*)(unsigned, int*, void**, unsigned long long)>("cuPointerGetAttributes")(
          1, &attribute, &value, reinterpret_cast<unsigned long long>(address));
  return code == 0 && type == 2;
}

// to[i] = a * from[i] + b for i < count, a thread an element: a and b are of double precision in
// the first kernel, whose elements are float32, and of int64 like the elements in the second.
constexpr const char* kKernels = R"(
.version 7.0
.target sm_75
.address_size 64

.visible .entry line_float32(.param .u64 to, .param .u64 from, .param .u64 count, .param .f64 a,
                             .param .f64 b) {
  .reg .pred %done;
  .reg .b32 %block, %threads, %thread;
  .reg .b64 %i, %n, %p, %q;
  .reg .f32 %x;
  .reg .f64 %y, %s, %t;
  mov.u32 %block, %ctaid.x;
  mov.u32 %threads, %ntid.x;
  mov.u32 %thread, %tid.x;
  cvt.u64.u32 %p, %thread;
  mad.wide.u32 %i, %block, %threads, %p;
  ld.param.u64 %n, [count];
  setp.ge.u64 %done, %i, %n;
  @%done ret;
  ld.param.u64 %p, [from];
  ld.param.u64 %q, [to];
  cvta.to.global.u64 %p, %p;
  cvta.to.global.u64 %q, %q;
  shl.b64 %i, %i, 2;
  add.u64 %p, %p, %i;
  add.u64 %q, %q, %i;
  ld.global.f32 %x, [%p];
  cvt.f64.f32 %y, %x;
  ld.param.f64 %s, [a];
  ld.param.f64 %t, [b];
  mul.rn.f64 %y, %y, %s;
  add.rn.f64 %y, %y, %t;
  cvt.rn.f32.f64 %x, %y;
  st.global.f32 [%q], %x;
  ret;
}

.visible .entry line_int64(.param .u64 to, .param .u64 from, .param .u64 count, .param .u64 a,
                           .param .u64 b) {
  .reg .pred %done;
  .reg .b32 %block, %threads, %thread;
  .reg .b64 %i, %n, %p, %q, %x, %s, %t;
  mov.u32 %block, %ctaid.x;
  mov.u32 %threads, %ntid.x;
  mov.u32 %thread, %tid.x;
  cvt.u64.u32 %p, %thread;
  mad.wide.u32 %i, %block, %threads, %p;
  ld.param.u64 %n, [count];
  setp.ge.u64 %done, %i, %n;
  @%done ret;
  ld.param.u64 %p, [from];
  ld.param.u64 %q, [to];
  cvta.to.global.u64 %p, %p;
  cvta.to.global.u64 %q, %q;
  shl.b64 %i, %i, 3;
  add.u64 %p, %p, %i;
  add.u64 %q, %q, %i;
  ld.global.u64 %x, [%p];
  ld.param.u64 %s, [a];
  ld.param.u64 %t, [b];
  mad.lo.s64 %x, %x, %s, %t;
  st.global.u64 [%q], %x;
  ret;
}
)";

// The kernels in the current context; none with the stand-in for the driver.
class Kernels {
 public:
  ~Kernels() {
    if (module_ != nullptr) driver<int (*)(void*)>("cuModuleUnload")(module_);
  }
  bool load() {
    const auto read = driver<int (*)(void**, const void*)>("cuModuleLoadData");
    if (read == nullptr) return true;
    const auto find = driver<int (*)(void**, void*, const char*)>("cuModuleGetFunction");
    return read(&module_, kKernels) == 0 && find(&float32_, module_, "line_float32") == 0 &&
           find(&int64_, module_, "line_int64") == 0;
  }
  explicit operator bool() const { return module_ != nullptr; }
  bool launch(bool is_float, const void* from, void* to, size_t count, double a, double b,
              void* stream) const {
    if (count == 0) return true;
    constexpr unsigned kThreads = 256;
    auto whole_a = static_cast<int64_t>(a);
    auto whole_b = static_cast<int64_t>(b);
    void* arguments[] = {&to, &from, &count, is_float ? static_cast<void*>(&a) : &whole_a,
                         is_float ? static_cast<void*>(&b) : &whole_b};
    static const auto start =
        driver<int (*)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                       void*, void**, void**)>("cuLaunchKernel");
    return start(is_float ? float32_ : int64_, static_cast<unsigned>((count - 1) / kThreads + 1), 1,
                 1, kThreads, 1, 1, 0, stream, arguments, nullptr) == 0;
  }

 private:
  void* module_ = nullptr;
  void* float32_ = nullptr;
  void* int64_ = nullptr;
};

struct Tensor {
  std::string name;
  bool is_input = false;
  bool is_shape = false;
  bool is_float = true;
  // Of all profiles; those of the first are below.
  std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>> profiles;
  std::vector<int64_t> min;
  std::vector<int64_t> max;
  // Of an output.
  size_t input = 0;
  double a = 0;
  double b = 0;

  size_t element() const { return is_float ? 4 : 8; }
};

struct Plan {
  std::vector<Tensor> tensors;
  size_t weights = 0;
  int64_t streamable = 0;
  int64_t automatic = 0;
  size_t context = 0;
  size_t data = 0;         // bytes of weights in the plan
  size_t data_offset = 0;  // where they begin

  const Tensor* find(const std::string& name) const {
    for (const Tensor& tensor : tensors) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
};

std::pair<std::vector<int64_t>, std::vector<int64_t>> read_sizes(std::istringstream& words) {
  std::pair<std::vector<int64_t>, std::vector<int64_t>> sizes;
  std::string size;
  while (words >> size) {
    const size_t dots = size.find("..");
    sizes.first.push_back(std::stoll(size.substr(0, dots)));
    sizes.second.push_back(std::stoll(dots == std::string::npos ? size : size.substr(dots + 2)));
  }
  return sizes;
}

bool parse(const std::string& text, Plan& plan) {
  if (text.size() < kHeaderSize || text.rfind(kFirstLine, 0) != 0) return false;
  std::istringstream lines(text.substr(kHeaderSize));
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "input" || kind == "shape_input") {
      Tensor& tensor = plan.tensors.emplace_back();
      std::string type;
      words >> tensor.name >> type;
      tensor.is_input = true;
      tensor.is_shape = kind == "shape_input";
      tensor.is_float = type == "float32";
      tensor.profiles.push_back(read_sizes(words));
      std::tie(tensor.min, tensor.max) = tensor.profiles[0];
    } else if (kind == "profile") {
      std::string input;
      words >> input;
      const auto tensor = std::find_if(plan.tensors.begin(), plan.tensors.end(),
                                       [&](const Tensor& each) { return each.name == input; });
      if (tensor == plan.tensors.end()) return false;
      tensor->profiles.push_back(read_sizes(words));
    } else if (kind == "output") {
      Tensor tensor;
      std::string input;
      words >> tensor.name >> input >> tensor.a >> tensor.b;
      const Tensor* const source = plan.find(input);
      if (source == nullptr) return false;
      tensor.input = static_cast<size_t>(source - plan.tensors.data());
      tensor.is_float = source->is_float;
      tensor.profiles = source->profiles;
      tensor.min = source->min;
      tensor.max = source->max;
      plan.tensors.push_back(tensor);
    } else if (kind == "weights") {
      words >> plan.weights;
    } else if (kind == "streamable") {
      words >> plan.streamable;
    } else if (kind == "automatic") {
      words >> plan.automatic;
    } else if (kind == "context") {
      words >> plan.context;
    } else if (kind == "data") {
      words >> plan.data;
      plan.data_offset = kHeaderSize + static_cast<size_t>(lines.tellg());
      return true;
    } else {
      return false;
    }
    if (words.fail() && !words.eof()) return false;
  }
  return true;
}

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
};

struct Tables {
  Table runtime;
  Table engine;
  Table context;
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

  Context() { ++state.live_contexts; }
  ~Context() {
    release(memory);
    if (--engine->contexts == 0) release(engine->streamed);
    --state.live_contexts;
  }
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

int capability_of(const std::string& text) {
  return std::atoi(text.c_str() + std::strlen(kFirstLine));
}

int32_t validity(Runtime* self, const void* header, int64_t size, uint64_t* diagnostics) {
  const std::string text(static_cast<const char*>(header), static_cast<size_t>(size));
  if (text.rfind(kFirstLine, 0) != 0) {
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
int32_t io_mode(Engine* self, const char* name) { return tensor_of(self, name).is_input ? 1 : 2; }
Dims profile_shape(Engine* self, const char* name, int32_t profile, int32_t selector) {
  const Tensor& tensor = tensor_of(self, name);
  if (!tensor.is_input || profile < 0 ||
      static_cast<size_t>(profile) >= tensor.profiles.size()) {
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
    if (!known || address == self->addresses.end() || !is_on_device(address->second)) {
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
  if (self->engine->kernels) {
    return std::all_of(steps->begin(), steps->end(), [&](const Step& step) {
      return self->engine->kernels.launch(step.is_float, step.from, step.to, step.elements, step.a,
                                          step.b, stream);
    });
  }
  return queue_on_host(self, stream, std::move(steps));
}

// Making them.

void not_there() {
  std::fputs("stand-in: a method that it does not have was called\n", stderr);
  std::abort();
}

Tables tables_of(Version version) {
  Tables tables;
  for (Table* table : {&tables.runtime, &tables.engine, &tables.context}) {
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
  set(tables.engine, Method::VCudaEngine_getTensorShape, &engine_shape);
  set(tables.engine, Method::VCudaEngine_getTensorDataType, &data_type);
  set(tables.engine, Method::VCudaEngine_getTensorLocation, &location);
  set(tables.engine, Method::VCudaEngine_isShapeInferenceIO, &is_shape);
  set(tables.engine, Method::VCudaEngine_getTensorIOMode, &io_mode);
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
