#include "engine_build/job.h"

#include "base/try.h"
#include "engine_build/constants.h"
#include "onnx/serializer.h"

namespace slipway::engine_build {

Status add_model(const onnx::Graph& graph, const Constants& constants, Job& job) {
  const auto locate = [&](const onnx::Initializer& initializer) {
    job.constants.push_back(constants.bytes(initializer));
    return onnx::ExternalData{"constants", job.constants.size() - 1};
  };
  SLIPWAY_ASSIGN_OR_RETURN(job.model, onnx::serialize_by_reference(graph, locate));
  return {};
}

}  // namespace slipway::engine_build
