// What OpenVINO does for its builder, in this process or in another one.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "engine_build/job.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::openvino {

// "2025.4.1-20426-..."; kUnavailable where OpenVINO is not here.
Result<std::string> version(engine_build::Worker* worker);

// Compiles the job's model and streams the engine. kUnsupported holds OpenVINO's own message.
Status compile(engine_build::Job job, const std::map<std::string, std::string>& properties,
               engine_build::Worker* worker, const ByteSink& sink);

// Runs an engine on each list of inputs: the outputs of each. kUnsupported where OpenVINO fails.
Result<std::vector<std::vector<Tensor>>> run_engine(std::span<const std::byte> engine,
                                                    const std::vector<std::vector<Tensor>>& inputs,
                                                    engine_build::Worker* worker);

// The JobHandler.
inline constexpr const char* kJobLibrary = "openvino";
Result<std::string> run_job(const engine_build::Job& job, const ByteSink& sink);

}  // namespace slipway::openvino
