#include "openvino/builder/builder.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "build/constants.h"
#include "onnx/serializer.h"
#include "openvino/builder/exactness.h"
#include "openvino/builder/refusals.h"
#include "openvino/library/library.h"

namespace slipway::openvino {

namespace {

// What OpenVINO's ONNX reader takes for an address in this process.
constexpr const char* kMemoryLocation = "*/_ORT_MEM_ADDR_/*";

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
    SLIPWAY_ASSIGN_OR_RETURN(const Library* library, Library::open());
    std::string text =
        fmt::format("OpenVINO {}, processor {}", library->version(), processor_features());
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
    SLIPWAY_ASSIGN_OR_RETURN(const Library* library, Library::open());
    SLIPWAY_ASSIGN_OR_RETURN(const build::Constants constants, build::Constants::of(graph));
    const auto locate = [&](const onnx::Initializer& initializer) {
      return onnx::ExternalData{kMemoryLocation,
                                reinterpret_cast<uintptr_t>(constants.bytes(initializer).data())};
    };
    SLIPWAY_ASSIGN_OR_RETURN(std::string model, onnx::serialize_by_reference(graph, locate));
    if (Status status = library->compile(model, properties(), sink); !status.ok()) {
      if (status.error().code() != ErrorCode::kUnsupported) return status.error();
      auto refusals = find_refusals(status.error().message(), graph);
      if (!refusals.empty()) return build::Outcome(std::move(refusals));
      return unsupported("{}; leave the operators that it means outside with --exclude-op",
                         status.error().message());
    }
    engine::EngineRecord record;
    record.engine = "openvino";
    record.backend = "OpenvinoBackend";
    record.library_version = library->version();
    record.device = "CPU";
    record.options = properties();
    record.compile_specs = {{"device", "CPU"}};
    record.inputs = build::describe(graph.inputs);
    record.outputs = build::describe(graph.outputs);
    record.weight_bytes = constants.nbytes();
    return build::Outcome(std::move(record));
  }

 private:
  // Some processors would choose bfloat16 by themselves.
  static std::map<std::string, std::string> properties() {
    return {{"PERFORMANCE_HINT", "LATENCY"}, {"INFERENCE_PRECISION_HINT", "f32"}};
  }

  const build::BuildOptions options_;
};

}  // namespace

std::unique_ptr<build::Builder> make_builder(const build::BuildOptions& options) {
  return std::make_unique<OpenVinoBuilder>(options);
}

}  // namespace slipway::openvino
