// TensorRT's virtual tables: which slot holds which method, by family, as one table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensorrt/library/abi.h"
#include "tensorrt/library/version.h"

namespace slipway::tensorrt {

// METHOD(class, method, signature, slot in T10, slot in T11, slot in RTX, first minor of T10)
// A slot of -1: the family lacks the method. The classes are named as in TensorRT's headers; those
// that begin with V are reached through Object::impl, IParser and IParserError are called directly.
// clang-format off
#define SLIPWAY_TENSORRT_METHODS(METHOD)                                                                              \
  METHOD(VBuilder, createBuilderConfig, Object*(), 7, 5, 5, 0)                                                        \
  METHOD(VBuilder, createNetworkV2, Object*(uint32_t flags), 8, 6, 6, 0)                                              \
  METHOD(VBuilder, createOptimizationProfile, Object*(), 9, 7, 7, 0)                                                  \
  METHOD(VBuilder, setMaxThreads, bool(int32_t), 17, 14, 14, 0)                                                       \
  METHOD(VBuilder, getMaxThreads, int32_t(), 18, 15, 15, 0)                                                           \
  METHOD(VBuilder, buildSerializedNetworkToStream, bool(Object* network, Object* config, StreamWriterInterface*),     \
         21, 18, 17, 13)                                                                                              \
  METHOD(VBuilderConfig, getFlags, uint32_t(), 9, 7, 7, 0)                                                            \
  METHOD(VBuilderConfig, clearFlag, void(int32_t flag), 10, 8, 8, 0)                                                  \
  METHOD(VBuilderConfig, setFlag, void(int32_t flag), 11, 9, 9, 0)                                                    \
  METHOD(VBuilderConfig, getFlag, bool(int32_t flag), 12, 10, 10, 0)                                                  \
  METHOD(VBuilderConfig, addOptimizationProfile, int32_t(Object* profile), 25, 23, 23, 0)                             \
  METHOD(VBuilderConfig, getNbOptimizationProfiles, int32_t(), 26, 24, 24, 0)                                         \
  METHOD(VBuilderConfig, setProfilingVerbosity, void(int32_t), 27, 25, 25, 0)                                         \
  METHOD(VBuilderConfig, setMemoryPoolLimit, void(int32_t pool, size_t), 43, 32, 32, 0)                               \
  METHOD(VBuilderConfig, getMemoryPoolLimit, size_t(int32_t pool), 44, 33, 33, 0)                                     \
  METHOD(VBuilderConfig, setBuilderOptimizationLevel, void(int32_t), 47, 36, 36, 0)                                   \
  METHOD(VBuilderConfig, getBuilderOptimizationLevel, int32_t(), 48, 37, 37, 0)                                       \
  METHOD(VBuilderConfig, setHardwareCompatibilityLevel, void(int32_t), 49, 38, 38, 0)                                 \
  METHOD(VBuilderConfig, setRuntimePlatform, void(int32_t platform), 58, 47, 47, 2)                                   \
  METHOD(VBuilderConfig, getRuntimePlatform, int32_t(), 59, 48, 48, 2)                                                \
  METHOD(VBuilderConfig, setNbComputeCapabilities, bool(int32_t count), -1, -1, 55, 0)                                \
  METHOD(VBuilderConfig, getNbComputeCapabilities, int32_t(), -1, -1, 56, 0)                                          \
  METHOD(VBuilderConfig, setComputeCapability, bool(int32_t capability, int32_t index), -1, -1, 57, 0)                \
  METHOD(VBuilderConfig, getComputeCapability, int32_t(int32_t index), -1, -1, 58, 0)                                 \
  METHOD(VOptimizationProfile, setDimensions, bool(const char* input, int32_t selector, const Dims*), 2, 2, 2, 0)     \
  METHOD(VOptimizationProfile, getDimensions, Dims(const char* input, int32_t selector), 3, 3, 3, 0)                  \
  METHOD(VOptimizationProfile, isValid, bool(), 9, 7, 7, 0)                                                           \
  METHOD(VOptimizationProfile, setShapeValuesV2, bool(const char* input, int32_t selector, const int64_t*, int32_t),  \
         10, 8, 8, 11)                                                                                                \
  METHOD(VNetworkDefinition, getNbLayers, int32_t(), 12, 12, 12, 0)                                                   \
  METHOD(VNetworkDefinition, getNbInputs, int32_t(), 14, 14, 14, 0)                                                   \
  METHOD(VNetworkDefinition, getInput, Object*(int32_t index), 15, 15, 15, 0)                                         \
  METHOD(VNetworkDefinition, getNbOutputs, int32_t(), 16, 16, 16, 0)                                                  \
  METHOD(VNetworkDefinition, getOutput, Object*(int32_t index), 17, 17, 17, 0)                                        \
  METHOD(VNetworkDefinition, setName, void(const char*), 30, 30, 28, 0)                                               \
  METHOD(VNetworkDefinition, getName, const char*(), 31, 31, 29, 0)                                                   \
  METHOD(VTensor, getName, const char*(), 3, 3, 3, 0)                                                                 \
  METHOD(VTensor, getDimensions, Dims(), 5, 5, 5, 0)                                                                  \
  METHOD(VTensor, getType, int32_t(), 7, 6, 6, 0)                                                                     \
  METHOD(VTensor, isShapeTensor, bool(), 21, 15, 11, 0)                                                               \
  METHOD(IParser, parse, bool(const void* model, size_t, const char* path), 0, 0, 0, 0)                               \
  METHOD(IParser, getNbErrors, int32_t(), 5, 3, 3, 0)                                                                 \
  METHOD(IParser, getError, void*(int32_t index), 6, 4, 4, 0)                                                         \
  METHOD(IParser, clearErrors, void(), 7, 5, 5, 0)                                                                    \
  METHOD(IParser, supportsModelV2, bool(const void* model, size_t, const char* path), 17, 15, 15, 1)                  \
  METHOD(IParser, getNbSubgraphs, int64_t(), 18, 16, 16, 1)                                                           \
  METHOD(IParser, isSubgraphSupported, bool(int64_t index), 19, 17, 17, 1)                                            \
  METHOD(IParser, getSubgraphNodes, int64_t*(int64_t index, int64_t* count), 20, 18, 18, 1)                           \
  METHOD(IParser, loadModelProto, bool(const void* model, size_t, const char* path), 21, 19, 19, 13)                  \
  METHOD(IParser, loadInitializer, bool(const char* name, const void* data, size_t), 22, 20, 20, 13)                  \
  METHOD(IParser, parseModelProto, bool(), 23, 21, 21, 13)                                                            \
  METHOD(IParserError, code, int32_t(), 0, 0, 0, 0)                                                                   \
  METHOD(IParserError, desc, const char*(), 1, 1, 1, 0)                                                               \
  METHOD(IParserError, file, const char*(), 2, 2, 2, 0)                                                               \
  METHOD(IParserError, line, int32_t(), 3, 3, 3, 0)                                                                   \
  METHOD(IParserError, func, const char*(), 4, 4, 4, 0)                                                               \
  METHOD(IParserError, node, int32_t(), 5, 5, 5, 0)                                                                   \
  METHOD(IParserError, nodeName, const char*(), 6, 6, 6, 0)                                                           \
  METHOD(IParserError, nodeOperator, const char*(), 7, 7, 7, 0)                                                       \
  METHOD(VRuntime, deserializeCudaEngine, Object*(const void* plan, size_t), 3, 3, 3, 0)                              \
  METHOD(VRuntime, setEngineHostCodeAllowed, void(bool), 21, 20, 20, 0)                                               \
  METHOD(VRuntime, getEngineHeaderSize, int64_t(), -1, -1, 23, 0)                                                     \
  METHOD(VRuntime, getEngineValidity, int32_t(const void* header, int64_t size, uint64_t* diagnostics), -1, -1, 24, 0) \
  METHOD(VCudaEngine, createExecutionContext, Object*(int32_t strategy), 5, 5, 5, 0)                                  \
  METHOD(VCudaEngine, getTensorShape, Dims(const char* tensor), 19, 15, 15, 0)                                        \
  METHOD(VCudaEngine, getTensorDataType, int32_t(const char* tensor), 20, 16, 16, 0)                                  \
  METHOD(VCudaEngine, getTensorLocation, int32_t(const char* tensor), 21, 17, 17, 0)                                  \
  METHOD(VCudaEngine, isShapeInferenceIO, bool(const char* tensor), 22, 18, 18, 0)                                    \
  METHOD(VCudaEngine, getTensorIOMode, int32_t(const char* tensor), 23, 19, 19, 0)                                    \
  METHOD(VCudaEngine, getTensorFormat, int32_t(const char* tensor), 26, 22, 22, 0)                                    \
  METHOD(VCudaEngine, getProfileShape, Dims(const char* tensor, int32_t profile, int32_t selector), 29, 25, 25, 0)    \
  METHOD(VCudaEngine, getNbIOTensors, int32_t(), 30, 26, 26, 0)                                                       \
  METHOD(VCudaEngine, getIOTensorName, const char*(int32_t index), 31, 27, 27, 0)                                     \
  METHOD(VCudaEngine, getStreamableWeightsSize, int64_t(), 46, 38, 38, 0)                                             \
  METHOD(VCudaEngine, setWeightStreamingBudgetV2, bool(int64_t bytes), 48, 40, 40, 1)                                 \
  METHOD(VCudaEngine, getWeightStreamingBudgetV2, int64_t(), 49, 41, 41, 1)                                           \
  METHOD(VCudaEngine, getWeightStreamingAutomaticBudget, int64_t(), 50, 42, 42, 1)                                    \
  METHOD(VCudaEngine, getWeightStreamingScratchMemorySize, int64_t(), 51, 43, 43, 1)                                  \
  METHOD(VCudaEngine, getDeviceMemorySizeV2, int64_t(), 52, 44, 44, 1)                                                \
  METHOD(VCudaEngine, createExecutionContextWithRuntimeConfig, Object*(Object* config), 55, 47, 47, 11)               \
  METHOD(VCudaEngine, createRuntimeConfig, Object*(), 56, 48, 48, 11)                                                 \
  METHOD(VRuntimeConfig, setExecutionContextAllocationStrategy, void(int32_t strategy), 3, 3, 3, 11)                  \
  METHOD(VRuntimeConfig, createRuntimeCache, Object*(), -1, -1, 5, 0)                                                 \
  METHOD(VRuntimeConfig, setRuntimeCache, bool(const Object* cache), -1, -1, 6, 0)                                    \
  METHOD(VRuntimeCache, serialize, Object*(), -1, -1, 2, 0)                                                           \
  METHOD(VRuntimeCache, deserialize, bool(const void* data, size_t), -1, -1, 3, 0)                                    \
  METHOD(VHostMemory, data, void*(), 2, 2, 2, 0)                                                                      \
  METHOD(VHostMemory, size, size_t(), 3, 3, 3, 0)                                                                     \
  METHOD(VExecutionContext, setProfiler, void(void* profiler), 5, 5, 5, 0)                                            \
  METHOD(VExecutionContext, setInputShape, bool(const char* tensor, const Dims*), 21, 20, 20, 0)                      \
  METHOD(VExecutionContext, getTensorShape, Dims(const char* tensor), 22, 21, 21, 0)                                  \
  METHOD(VExecutionContext, setTensorAddress, bool(const char* tensor, void* address), 24, 23, 23, 0)                 \
  METHOD(VExecutionContext, inferShapes, int32_t(int32_t limit, const char** missing), 28, 27, 27, 0)                 \
  METHOD(VExecutionContext, enqueueV3, bool(void* stream), 37, 36, 36, 0)                                             \
  METHOD(VExecutionContext, setOptimizationProfileAsync, bool(int32_t profile, void* stream), 17, 16, 16, 0)          \
  METHOD(VExecutionContext, setDeviceMemoryV2, void(void* memory, int64_t size), 49, 48, 48, 1)
// clang-format on

enum class Method : uint8_t {
#define SLIPWAY_METHOD(type, method, ...) type##_##method,
  SLIPWAY_TENSORRT_METHODS(SLIPWAY_METHOD)
#undef SLIPWAY_METHOD
};

struct Slot {
  const char* type;
  const char* method;
  int8_t in_t10;
  int8_t in_t11;
  int8_t in_rtx;
  int8_t first_minor_of_t10;

  // -1 where this version lacks the method.
  int of(Version version) const;
};

// In the order of Method.
std::span<const Slot> slots();
inline const Slot& slot(Method method) { return slots()[static_cast<size_t>(method)]; }

// kUnsupported, naming version and method, where the version lacks the method.
Status require(Version version, Method method);

// "Result(Arguments...)" of each method.
template <Method>
struct Signature;
#define SLIPWAY_METHOD(type, method, signature, ...) \
  template <>                                        \
  struct Signature<Method::type##_##method> {        \
    using Type = signature;                          \
  };
SLIPWAY_TENSORRT_METHODS(SLIPWAY_METHOD)
#undef SLIPWAY_METHOD

namespace detail {

template <class Signature>
struct Caller;
template <class Return, class... Args>
struct Caller<Return(Args...)> {
  static Return call(void* self, int slot, Args... args) {
    const auto* const table = *static_cast<const void* const* const*>(self);
    // A struct's return address precedes `this` in a method as it precedes the first argument here.
    return reinterpret_cast<Return (*)(void*, Args...)>(const_cast<void*>(table[slot]))(self,
                                                                                        args...);
  }
};

}  // namespace detail

// Calls a method of an object of a class that begins with V. Requires slot(method).of(version) >=
// 0, which holds for all methods that every version has.
template <Method method, class... Args>
auto call(Version version, Object* object, Args... args) {
  return detail::Caller<typename Signature<method>::Type>::call(object->impl,
                                                                slot(method).of(version), args...);
}

// The same for IParser and IParserError.
template <Method method, class... Args>
auto call_direct(Version version, void* object, Args... args) {
  return detail::Caller<typename Signature<method>::Type>::call(object, slot(method).of(version),
                                                                args...);
}

}  // namespace slipway::tensorrt
