// What a builder has its library do: plain data, so that another process can do it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/piece_writer.h"
#include "onnx/graph.h"
#include "slipway/result.h"

namespace slipway::engine_build {

struct Job {
  std::string library;  // who does it: an engine's name
  std::string request;  // what is to be done: JSON of the library's own
  // An ONNX ModelProto. An initializer whose data is external has its place among the constants as
  // its offset.
  std::string model = {};
  std::vector<std::span<const std::byte>> constants = {};
};

// Does a job: streams the engine's bytes to the sink, in order, and gives the answer, JSON of the
// library's own.
using JobHandler = Result<std::string> (*)(const Job& job, const ByteSink& sink);

// Where the jobs of builders are done. May be used by several threads at once.
class Worker {
 public:
  virtual ~Worker() = default;

  // kUnsupported for what only this job brings about, such as a crash: another one may go well. The
  // sink's own error is passed on.
  virtual Result<std::string> run(const Job& job, JobHandler handler, const ByteSink& sink) = 0;
};

class Constants;

// Adds the graph to the job.
Status add_model(const onnx::Graph& graph, const Constants& constants, Job& job);

}  // namespace slipway::engine_build
