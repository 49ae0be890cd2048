#include "tensorrt/library/builder.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"
#include "base/try.h"
#include "tensorrt/library/gpu.h"

namespace slipway::tensorrt {
namespace {

constexpr int32_t kWorkspacePool = 0;
constexpr int kHighestOptimizationLevel = 5;

enum Selector : int32_t { kMin, kOpt, kMax };

std::vector<TensorInfo> tensors(Version version, Object* network, bool inputs) {
  const int32_t count = inputs ? call<Method::VNetworkDefinition_getNbInputs>(version, network)
                               : call<Method::VNetworkDefinition_getNbOutputs>(version, network);
  std::vector<TensorInfo> result;
  for (int32_t i = 0; i < count; ++i) {
    Object* tensor = inputs ? call<Method::VNetworkDefinition_getInput>(version, network, i)
                            : call<Method::VNetworkDefinition_getOutput>(version, network, i);
    const Dims dims = call<Method::VTensor_getDimensions>(version, tensor);
    result.push_back({call<Method::VTensor_getName>(version, tensor),
                      static_cast<DataType>(call<Method::VTensor_getType>(version, tensor)),
                      {dims.sizes, dims.sizes + std::clamp(dims.count, 0, 8)},
                      call<Method::VTensor_isShapeTensor>(version, tensor)});
  }
  return result;
}

// Passes bytes on until that fails once: TensorRT goes on writing.
class Writer : public StreamWriterInterface {
 public:
  explicit Writer(const ByteSink& sink) : sink_(sink) {}

  int64_t write(const void* data, int64_t size) noexcept override {
    if (!status_.ok()) return 0;
    try {
      status_ = size < 0 ? Status(internal_error("TensorRT writes {} bytes", size))
                         : sink_({static_cast<const std::byte*>(data), static_cast<size_t>(size)});
    } catch (const std::exception& exception) {
      status_ = internal_error("writing the engine: {}", exception.what());
    }
    if (!status_.ok()) return 0;
    written_ += static_cast<uint64_t>(size);
    return size;
  }
  const Status& status() const { return status_; }
  uint64_t written() const { return written_; }

 private:
  const ByteSink& sink_;
  Status status_;
  uint64_t written_ = 0;
};

}  // namespace

int32_t flag_number(Family family, BuilderFlag flag) {
  // T11 and RTX dropped a flag below these.
  const int32_t shift = family == Family::kT10 ? 1 : 0;
  switch (flag) {
    case BuilderFlag::kRefit:
      return 4;
    case BuilderFlag::kTf32:
      return 6;
    case BuilderFlag::kVersionCompatible:
      return 12 + shift;
    case BuilderFlag::kStripPlan:
      return 18 + shift;
    case BuilderFlag::kRefitIdentical:
      return 19 + shift;
    case BuilderFlag::kWeightStreaming:
      return 20 + shift;
    case BuilderFlag::kRefitIndividual:
      return 22 + shift;
  }
  return -1;
}

uint32_t strongly_typed(Family family) { return family == Family::kT10 ? 1U << 1 : 1U << 0; }

int Network::layer_count() const {
  return call<Method::VNetworkDefinition_getNbLayers>(version(), object());
}

std::vector<TensorInfo> Network::inputs() const { return tensors(version(), object(), true); }

std::vector<TensorInfo> Network::outputs() const { return tensors(version(), object(), false); }

void Network::set_name(const std::string& name) {
  call<Method::VNetworkDefinition_setName>(version(), object(), name.c_str());
}

Status OptimizationProfile::set_shapes(const std::string& input, std::span<const int64_t> min,
                                       std::span<const int64_t> opt, std::span<const int64_t> max) {
  session_->log->start();
  const std::array<std::span<const int64_t>, 3> shapes = {min, opt, max};
  for (const int32_t selector : {kMin, kOpt, kMax}) {
    const std::span<const int64_t> shape = shapes[static_cast<size_t>(selector)];
    Dims dims;
    if (shape.size() > std::size(dims.sizes)) {
      return unsupported("input {} has {} dimensions, and TensorRT has at most {}", input,
                         shape.size(), std::size(dims.sizes));
    }
    dims.count = static_cast<int32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), dims.sizes);
    if (!call<Method::VOptimizationProfile_setDimensions>(session_->version(), object_,
                                                          input.c_str(), selector, &dims)) {
      return session_->log->error(
          ErrorCode::kInvalidArgument,
          fmt::format("TensorRT refuses the optimization profile of input {}", input));
    }
  }
  return {};
}

Status OptimizationProfile::set_values(const std::string& input, std::span<const int64_t> min,
                                       std::span<const int64_t> opt, std::span<const int64_t> max) {
  SLIPWAY_RETURN_IF_ERROR(
      require(session_->version(), Method::VOptimizationProfile_setShapeValuesV2));
  session_->log->start();
  const std::array<std::span<const int64_t>, 3> values = {min, opt, max};
  for (const int32_t selector : {kMin, kOpt, kMax}) {
    const std::span<const int64_t> list = values[static_cast<size_t>(selector)];
    if (!call<Method::VOptimizationProfile_setShapeValuesV2>(session_->version(), object_,
                                                             input.c_str(), selector, list.data(),
                                                             static_cast<int32_t>(list.size()))) {
      return session_->log->error(
          ErrorCode::kInvalidArgument,
          fmt::format("TensorRT refuses the optimization profile of input {}", input));
    }
  }
  return {};
}

void BuilderConfig::set_flag(BuilderFlag flag) {
  call<Method::VBuilderConfig_setFlag>(version(), object(), flag_number(version().family, flag));
}

void BuilderConfig::clear_flag(BuilderFlag flag) {
  call<Method::VBuilderConfig_clearFlag>(version(), object(), flag_number(version().family, flag));
}

bool BuilderConfig::flag(BuilderFlag flag) const {
  return call<Method::VBuilderConfig_getFlag>(version(), object(),
                                              flag_number(version().family, flag));
}

void BuilderConfig::set_workspace_limit(uint64_t bytes) {
  call<Method::VBuilderConfig_setMemoryPoolLimit>(version(), object(), kWorkspacePool, bytes);
}

uint64_t BuilderConfig::workspace_limit() const {
  return call<Method::VBuilderConfig_getMemoryPoolLimit>(version(), object(), kWorkspacePool);
}

Status BuilderConfig::set_optimization_level(int level) {
  if (level < 0 || level > kHighestOptimizationLevel) {
    return invalid_argument("the optimization level is {}, but TensorRT has 0 to {}", level,
                            kHighestOptimizationLevel);
  }
  call<Method::VBuilderConfig_setBuilderOptimizationLevel>(version(), object(), level);
  return {};
}

int BuilderConfig::optimization_level() const {
  return call<Method::VBuilderConfig_getBuilderOptimizationLevel>(version(), object());
}

void BuilderConfig::set_hardware_compatibility(HardwareCompatibility level) {
  call<Method::VBuilderConfig_setHardwareCompatibilityLevel>(version(), object(),
                                                             static_cast<int32_t>(level));
}

Status BuilderConfig::set_for_windows() {
  constexpr int32_t kWindows = 1;
  SLIPWAY_RETURN_IF_ERROR(require(version(), Method::VBuilderConfig_setRuntimePlatform));
  session()->log->start();
  call<Method::VBuilderConfig_setRuntimePlatform>(version(), object(), kWindows);
  if (call<Method::VBuilderConfig_getRuntimePlatform>(version(), object()) == kWindows) return {};
  return session()->log->error(ErrorCode::kUnsupported,
                               fmt::format("{} does not build for Windows", version().name()));
}

Status BuilderConfig::set_compute_capabilities(std::span<const int> capabilities) {
  SLIPWAY_RETURN_IF_ERROR(require(version(), Method::VBuilderConfig_setNbComputeCapabilities));
  session()->log->start();
  bool set = call<Method::VBuilderConfig_setNbComputeCapabilities>(
      version(), object(), static_cast<int32_t>(capabilities.size()));
  for (size_t i = 0; i < capabilities.size() && set; ++i) {
    set = call<Method::VBuilderConfig_setComputeCapability>(version(), object(), capabilities[i],
                                                            static_cast<int32_t>(i));
  }
  if (set) return {};
  std::string list;
  for (const int capability : capabilities) list += fmt::format(" sm_{}", capability);
  if (version().family == Family::kRtx) list += fmt::format(", but for {}", rtx_targets());
  return session()->log->error(ErrorCode::kUnsupported,
                               fmt::format("{} does not build for{}", version().name(), list));
}

Status BuilderConfig::add_profile(const OptimizationProfile& profile) {
  session()->log->start();
  if (call<Method::VBuilderConfig_addOptimizationProfile>(version(), object(), profile.object_) >=
      0) {
    return {};
  }
  return session()->log->error(ErrorCode::kInvalidArgument,
                               "TensorRT refuses the optimization profile");
}

Result<Builder> Builder::create(LibraryPointer library) {
  auto log = Log::acquire();
  auto* const object =
      static_cast<Object*>(library->create_builder(log->interface(library->version())));
  if (object == nullptr) {
    return log->error(ErrorCode::kUnavailable, fmt::format("{} makes no builder on this machine",
                                                           library->version().name()));
  }
  return Builder(make_session(std::move(library), std::move(log), object));
}

Result<Network> Builder::make_network() const {
  session_->log->start();
  Object* const object = call<Method::VBuilder_createNetworkV2>(
      session_->version(), session_->factory.get(), strongly_typed(session_->version().family));
  if (object == nullptr) {
    return session_->log->error(ErrorCode::kInternal, "TensorRT makes no network");
  }
  Network network(session_, object);
  network.set_name("network");
  return network;
}

Result<BuilderConfig> Builder::make_config() const {
  session_->log->start();
  Object* const object =
      call<Method::VBuilder_createBuilderConfig>(session_->version(), session_->factory.get());
  if (object == nullptr) {
    return session_->log->error(ErrorCode::kInternal, "TensorRT makes no configuration");
  }
  return BuilderConfig(session_, object);
}

Result<OptimizationProfile> Builder::make_profile() const {
  session_->log->start();
  Object* const object = call<Method::VBuilder_createOptimizationProfile>(session_->version(),
                                                                          session_->factory.get());
  if (object == nullptr) {
    return session_->log->error(ErrorCode::kInternal, "TensorRT makes no optimization profile");
  }
  return OptimizationProfile(session_, object);
}

Status Builder::set_max_threads(int count) {
  if (count >= 1 &&
      call<Method::VBuilder_setMaxThreads>(session_->version(), session_->factory.get(), count)) {
    return {};
  }
  return invalid_argument("TensorRT does not build with {} threads", count);
}

Status Builder::build(const Network& network, const BuilderConfig& config,
                      const ByteSink& sink) const {
  const Version version = session_->version();
  SLIPWAY_RETURN_IF_ERROR(require(version, Method::VBuilder_buildSerializedNetworkToStream));
  session_->log->start();
  Writer writer(sink);
  const bool built = call<Method::VBuilder_buildSerializedNetworkToStream>(
      version, session_->factory.get(), network.object(), config.object(), &writer);
  if (!writer.status().ok()) return writer.status();
  if (built && writer.written() > 0) return {};
  return session_->log->error(ErrorCode::kUnsupported,
                              fmt::format("{} does not build the engine", version.name()));
}

}  // namespace slipway::tensorrt
