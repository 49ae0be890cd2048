// Nodes of an exported program that call an engine of Torch-TensorRT's.
#pragma once

#include <cstddef>
#include <map>
#include <string_view>

#include "base/processor.h"
#include "ir/program.h"
#include "slipway/result.h"
#include "tensorrt/archive/serialized_engine.h"

namespace slipway::tensorrt {

// execute_engine(Tensor[] input_tensors, Engine engine) -> Tensor[]
inline constexpr std::string_view kExecute = "tensorrt.execute_engine.default";
// For another machine: the engine's items in place of the object, the plan among them a tensor.
inline constexpr std::string_view kPlaceholder =
    "tensorrt.no_op_placeholder_for_execute_engine.default";

// As the C++ and the Python runtime of Torch-TensorRT keep engines.
inline constexpr std::string_view kEngineClass = "__torch__.torch.classes.tensorrt.Engine";
inline constexpr std::string_view kEngineFunction =
    "torch_tensorrt.dynamo.runtime._TRTEngine._reconstruct_trt_engine";

// What TensorRT builds for besides this platform.
inline constexpr std::string_view kWindowsPlatform = "windows_x86_64";

bool is_call(const ir::Node& node);
// Whether there is a call in a graph that the node has, or within that.
bool has_inner_call(const ir::Node& node);

// Objects that were read, by their record, so that each is read once.
using KnownObjects = std::map<const std::byte*, SerializedEngine>;

// The engine of a node that is a call. Plans are not copied, but for those in Base64.
Result<SerializedEngine> engine_of(const ir::Program& program, const ir::Node& node,
                                   KnownObjects& known);

// Torch-TensorRT writes "unknown" where it does not know.
bool is_platform_known(std::string_view platform);
// An error where the engine of an execute_engine is for another platform than this machine's, whose
// it then would not run on.
Status check_own_platform(const SerializedEngine& engine);

}  // namespace slipway::tensorrt
