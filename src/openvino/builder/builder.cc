#include "openvino/builder/builder.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "build/constants.h"
#include "build/job.h"
#include "openvino/builder/exactness.h"
#include "openvino/builder/job.h"
#include "openvino/builder/refusals.h"

namespace slipway::openvino {

namespace {

// A hash of the processor's instruction sets, as Linux lists them; all cores have the same.
std::string processor_features() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags") || line.starts_with("Features")) {
      return xxh3_hex(std::as_bytes(std::span(line)));
    }
  }
  return "unknown";
}

class OpenVinoBuilder : public build::Builder {
 public:
  explicit OpenVinoBuilder(const build::BuildOptions& options) : options_(options) {}

  Result<std::string> fingerprint() const override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string library, version());
    std::string text = fmt::format("OpenVINO {}, processor {}", library, processor_features());
    for (const auto& [name, value] : properties()) text += fmt::format(", {}={}", name, value);
    return text;
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.quantized = onnx::QuantizedValues::kUnsigned;
    options.clamp_indices = true;
    options.keep_infinite_extrema = true;
    return options;
  }

  std::optional<std::string> why_unsupported(
      const ir::Program& program, const ir::Node& node,
      const partition::IntegerRanges& ranges) const override {
    return why_inexact(program, node, ranges, options_.allow_reduced_precision);
  }

  Result<build::Outcome> build(const onnx::Graph& graph, const ByteSink& sink) const override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string library, version());
    SLIPWAY_ASSIGN_OR_RETURN(const build::Constants constants, build::Constants::of(graph));
    build::Job job;
    SLIPWAY_RETURN_IF_ERROR(build::add_model(graph, constants, job));
    const Status status = compile(std::move(job), properties(), options_.worker.get(), sink);
    if (!status.ok()) {
      if (status.error().code() != ErrorCode::kUnsupported) return status.error();
      auto refusals = find_refusals(status.error().message(), graph);
      if (refusals.empty()) refusals.push_back({"", status.error().message()});
      return build::Outcome(std::move(refusals));
    }
    engine::EngineRecord record;
    record.engine = "openvino";
    record.backend = "OpenvinoBackend";
    record.library_version = library;
    record.device = "CPU";
    record.options = properties();
    record.compile_specs = {{"device", "CPU"}};
    record.inputs = build::describe(graph.inputs);
    record.outputs = build::describe(graph.outputs);
    record.weight_bytes = constants.nbytes();
    return build::Outcome(std::move(record));
  }

 private:
  // Asked once: each compile of an engine counts on it.
  Result<std::string> version() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (version_.empty()) {
      SLIPWAY_ASSIGN_OR_RETURN(version_, openvino::version(options_.worker.get()));
    }
    return version_;
  }

  // Some processors would choose bfloat16 by themselves.
  static std::map<std::string, std::string> properties() {
    return {{"PERFORMANCE_HINT", "LATENCY"}, {"INFERENCE_PRECISION_HINT", "f32"}};
  }

  const build::BuildOptions options_;
  mutable std::mutex mutex_;
  mutable std::string version_;
};

}  // namespace

std::unique_ptr<build::Builder> make_builder(const build::BuildOptions& options) {
  return std::make_unique<OpenVinoBuilder>(options);
}

}  // namespace slipway::openvino
