#include "tensorrt/library/engine.h"

#include <algorithm>

#include "base/error.h"
#include "base/try.h"

namespace slipway::tensorrt {
namespace {

constexpr int32_t kStaticAllocation = 0;
constexpr int32_t kUserManaged = 2;
constexpr int kMostDims = 8;

std::vector<int64_t> sizes_of(const Dims& dims) {
  const int count = std::clamp(dims.count, 0, kMostDims);
  return {dims.sizes, dims.sizes + count};
}

}  // namespace

bool IoTensor::is_dynamic() const {
  return std::any_of(shape.begin(), shape.end(), [](int64_t size) { return size < 0; });
}

std::vector<IoTensor> Engine::tensors() const {
  std::vector<IoTensor> tensors;
  const int count = call<Method::VCudaEngine_getNbIOTensors>(version(), object());
  for (int i = 0; i < count; ++i) {
    const char* const name = call<Method::VCudaEngine_getIOTensorName>(version(), object(), i);
    if (name == nullptr) continue;
    IoTensor& tensor = tensors.emplace_back();
    tensor.name = name;
    tensor.type = static_cast<DataType>(
        call<Method::VCudaEngine_getTensorDataType>(version(), object(), name));
    tensor.shape = sizes_of(call<Method::VCudaEngine_getTensorShape>(version(), object(), name));
    tensor.is_input = static_cast<IoMode>(call<Method::VCudaEngine_getTensorIOMode>(
                          version(), object(), name)) == IoMode::kInput;
    tensor.is_shape_tensor =
        call<Method::VCudaEngine_isShapeInferenceIO>(version(), object(), name) ||
        static_cast<TensorLocation>(call<Method::VCudaEngine_getTensorLocation>(
            version(), object(), name)) == TensorLocation::kHost;
    tensor.is_linear = static_cast<TensorFormat>(call<Method::VCudaEngine_getTensorFormat>(
                           version(), object(), name)) == TensorFormat::kLinear;
  }
  return tensors;
}

ShapeBounds Engine::bounds(const std::string& input, int profile) const {
  const auto get = [&](ProfileShape which) {
    return sizes_of(call<Method::VCudaEngine_getProfileShape>(
        version(), object(), input.c_str(), profile, static_cast<int32_t>(which)));
  };
  return {get(ProfileShape::kMin), get(ProfileShape::kMax)};
}

int64_t Engine::streamable_weights() const {
  const auto size = call<Method::VCudaEngine_getStreamableWeightsSize>(version(), object());
  return std::max<int64_t>(size, 0);
}

Result<int64_t> Engine::automatic_weight_budget() const {
  SLIPWAY_RETURN_IF_ERROR(
      require(version(), Method::VCudaEngine_getWeightStreamingAutomaticBudget));
  return call<Method::VCudaEngine_getWeightStreamingAutomaticBudget>(version(), object());
}

Result<int64_t> Engine::weight_budget() const {
  SLIPWAY_RETURN_IF_ERROR(require(version(), Method::VCudaEngine_getWeightStreamingBudgetV2));
  return call<Method::VCudaEngine_getWeightStreamingBudgetV2>(version(), object());
}

Result<bool> Engine::set_weight_budget(int64_t bytes) {
  SLIPWAY_RETURN_IF_ERROR(require(version(), Method::VCudaEngine_setWeightStreamingBudgetV2));
  session()->log->start();
  return call<Method::VCudaEngine_setWeightStreamingBudgetV2>(version(), object(), bytes);
}

Result<int64_t> Engine::context_memory() const {
  SLIPWAY_RETURN_IF_ERROR(require(version(), Method::VCudaEngine_getDeviceMemorySizeV2));
  return call<Method::VCudaEngine_getDeviceMemorySizeV2>(version(), object());
}

bool RuntimeConfig::read_kernels(std::span<const std::byte> bytes) {
  const void* const data = bytes.data();
  return call<Method::VRuntimeCache_deserialize>(cache_.version(), cache_.object(), data,
                                                 bytes.size());
}

Result<std::vector<std::byte>> RuntimeConfig::kernels() const {
  cache_.session()->log->start();
  auto* const memory = call<Method::VRuntimeCache_serialize>(cache_.version(), cache_.object());
  if (memory == nullptr) {
    return cache_.session()->log->error(ErrorCode::kInternal, "compiled kernels are not given");
  }
  const OwnedObject owned(memory);
  const auto* data =
      static_cast<const std::byte*>(call<Method::VHostMemory_data>(cache_.version(), memory));
  const auto size = call<Method::VHostMemory_size>(cache_.version(), memory);
  return std::vector<std::byte>(data, data + size);
}

Result<std::optional<RuntimeConfig>> Engine::create_config() const {
  if (slot(Method::VRuntimeConfig_createRuntimeCache).of(version()) < 0) {
    return std::optional<RuntimeConfig>();
  }
  session()->log->start();
  auto* const config = call<Method::VCudaEngine_createRuntimeConfig>(version(), object());
  if (config == nullptr) {
    return error(ErrorCode::kInternal,
                 fmt::format("{} makes no runtime configuration", version().name()));
  }
  RuntimeConfig::Owned owned(session(), config);
  auto* const cache = call<Method::VRuntimeConfig_createRuntimeCache>(version(), config);
  if (cache == nullptr) {
    return error(ErrorCode::kInternal,
                 fmt::format("{} makes no cache of kernels", version().name()));
  }
  RuntimeConfig::Owned owned_cache(session(), cache);
  return std::optional(RuntimeConfig(std::move(owned), std::move(owned_cache)));
}

Result<ExecutionContext> Engine::create_context(bool with_memory, const RuntimeConfig* config) {
  session()->log->start();
  const int32_t strategy = with_memory ? kStaticAllocation : kUserManaged;
  Object* context = nullptr;
  if (config == nullptr) {
    context = call<Method::VCudaEngine_createExecutionContext>(version(), object(), strategy);
  } else {
    Object* const given = config->config_.object();
    call<Method::VRuntimeConfig_setExecutionContextAllocationStrategy>(version(), given, strategy);
    const Object* const cache = config->cache_.object();
    if (call<Method::VRuntimeConfig_setRuntimeCache>(version(), given, cache)) {
      context = call<Method::VCudaEngine_createExecutionContextWithRuntimeConfig>(version(),
                                                                                  object(), given);
    }
  }
  if (context == nullptr) {
    return error(ErrorCode::kInternal,
                 fmt::format("{} makes no context of the engine", version().name()));
  }
  return ExecutionContext(session(), context);
}

Error Engine::error(ErrorCode code, std::string_view what) const {
  return session()->log->error(code, what);
}

Status ExecutionContext::set_profile(int profile, void* stream) {
  session()->log->start();
  if (call<Method::VExecutionContext_setOptimizationProfileAsync>(version(), object(), profile,
                                                                  stream)) {
    return {};
  }
  return session()->log->error(ErrorCode::kInternal,
                               fmt::format("the engine does not take its profile {}", profile));
}

Status ExecutionContext::set_shape(const std::string& input, std::span<const int64_t> sizes) {
  session()->log->start();
  Dims dims;
  if (sizes.size() > kMostDims) return invalid_argument("'{}' has too many sizes", input);
  dims.count = static_cast<int32_t>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), dims.sizes);
  if (call<Method::VExecutionContext_setInputShape>(version(), object(), input.c_str(),
                                                    static_cast<const Dims*>(&dims))) {
    return {};
  }
  return session()->log->error(ErrorCode::kInvalidArgument,
                               fmt::format("'{}' can't have these sizes", input));
}

Status ExecutionContext::infer_shapes() {
  session()->log->start();
  const char* missing = nullptr;
  const int32_t count =
      call<Method::VExecutionContext_inferShapes>(version(), object(), 1, &missing);
  if (count == 0) return {};
  if (count > 0 && missing != nullptr) {
    return internal_error("the shapes of outputs are not known without that of '{}'", missing);
  }
  return session()->log->error(ErrorCode::kInvalidArgument, "outputs have no shapes then");
}

std::vector<int64_t> ExecutionContext::shape(const std::string& tensor) const {
  return sizes_of(
      call<Method::VExecutionContext_getTensorShape>(version(), object(), tensor.c_str()));
}

Status ExecutionContext::set_address(const std::string& tensor, void* address) {
  if (call<Method::VExecutionContext_setTensorAddress>(version(), object(), tensor.c_str(),
                                                       address)) {
    return {};
  }
  return session()->log->error(ErrorCode::kInternal,
                               fmt::format("'{}' can't be bound to its memory", tensor));
}

void ExecutionContext::set_memory(void* address, int64_t size) {
  call<Method::VExecutionContext_setDeviceMemoryV2>(version(), object(), address, size);
}

void ExecutionContext::set_profiler(LayerTimes& times) {
  call<Method::VExecutionContext_setProfiler>(version(), object(), times.interface(version()));
}

Status ExecutionContext::enqueue(void* stream) {
  session()->log->start();
  if (call<Method::VExecutionContext_enqueueV3>(version(), object(), stream)) return {};
  return session()->log->error(ErrorCode::kInternal,
                               fmt::format("{} does not run the engine", version().name()));
}

}  // namespace slipway::tensorrt
