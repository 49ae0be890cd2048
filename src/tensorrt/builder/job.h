// What TensorRT does for its builder, in this process or in another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "engine_build/job.h"
#include "slipway/result.h"
#include "tensorrt/builder/profile.h"
#include "tensorrt/library/parser.h"

namespace slipway::tensorrt {

struct BuildRequest {
  std::string library;  // as LibraryOptions::path
  size_t node_count = 0;
  std::set<std::string> scales;  // the names of what tells how values are quantized
  bool tf32 = false;
  bool weight_streaming = false;
  std::optional<uint64_t> workspace;
  std::optional<int> optimization_level;
  std::vector<int> capabilities;
  bool for_windows = false;
  std::vector<std::vector<InputProfile>> profiles;
};

struct BuildAnswer {
  bool done = false;
  // Where TensorRT refuses: its message, and what its parser says of nodes. `taken` is there where
  // the support query leaves nodes out.
  std::string message;
  std::vector<ParserError> errors;
  std::optional<std::vector<Subgraph>> taken;
};

// Builds an engine of the job's model and streams it.
Result<BuildAnswer> build(engine_build::Job job, const BuildRequest& request,
                          engine_build::Worker* worker, const ByteSink& sink);

// The JobHandler.
inline constexpr const char* kJobLibrary = "tensorrt";
Result<std::string> run_job(const engine_build::Job& job, const ByteSink& sink);

}  // namespace slipway::tensorrt
