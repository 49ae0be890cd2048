#include "openvino/builder/builder.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/try.h"
#include "engine_build/constants.h"
#include "engine_build/job.h"
#include "openvino/builder/exactness.h"
#include "openvino/builder/job.h"
#include "openvino/builder/output_sizes.h"
#include "openvino/builder/refusals.h"
#include "openvino/builder/workarounds.h"
#include "openvino/format/description.h"
#include "openvino/shim/processor.h"
#include "openvino/shim/shim.h"
#include "openvino/shim/size_inputs.h"

namespace slipway::openvino {

namespace {

// Products of 8-bit integers that saturate on processors without these.
const char* int8_features() {
#if defined(__x86_64__)
  return kInt8Features;
#else
  return nullptr;
#endif
}

bool has_int8_products() { return !int8_features() || has_any_feature(int8_features()); }

// As parse_size_inputs() reads it.
std::string size_inputs(const onnx::Graph& graph) {
  std::string text;
  size_t index = graph.inputs.size() - graph.symbol_inputs.size();
  for (const std::string& symbol : graph.symbol_inputs) {
    const auto known = graph.ranges.find(symbol);
    const ir::Range range = known == graph.ranges.end() ? ir::Range() : known->second;
    text += fmt::format("{}{}:{}:{}", text.empty() ? "" : ",", index++,
                        range.min ? std::to_string(*range.min) : "",
                        range.max ? std::to_string(*range.max) : "");
  }
  return text;
}

bool has_quantized_values(const onnx::Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const onnx::Node& node) { return node.op_type == "QuantizeLinear"; });
}

class OpenVinoBuilder : public engine_build::Builder {
 public:
  OpenVinoBuilder(const Options& options, const engine_build::BuildOptions& build)
      : options_(options), build_(build) {}

  Result<std::string> fingerprint() const override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string library, version());
    const std::string features = fmt::format("{}", fmt::join(processor_features(), " "));
    std::string text = fmt::format("OpenVINO {}, processor {}", library,
                                   xxh3_hex(std::as_bytes(std::span(features))));
    for (const auto& [name, value] : properties()) text += fmt::format(", {}={}", name, value);
    return text;
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.quantized =
        has_int8_products() ? onnx::QuantizedValues::kUnsigned : onnx::QuantizedValues::kFloat32;
    options.fused.insert("ATen");
    options.clamp_indices = true;
    options.keep_infinite_extrema = true;
    options.round_halves = !build_.allow_reduced_precision;
    apply_to_lowering(options, options_.disabled_rules);
    return options;
  }

  std::optional<std::string> why_unsupported(
      const ir::Program& program, const ir::Node& node,
      const partition::IntegerRanges& ranges) const override {
    auto reason = why_inexact(program, node, ranges, build_.allow_reduced_precision);
    return reason ? reason : why_left_outside(node, options_.disabled_rules);
  }

  bool is_left_whole(const ir::Node& node) const override {
    return why_left_outside(node, options_.disabled_rules).has_value();
  }

  Result<onnx::Graph> prepare(onnx::Graph graph) const override {
    graph = apply_to_graph(std::move(graph), options_.disabled_rules);
    return options_.compat.empty() ? std::move(graph) : for_openvino_2025(std::move(graph));
  }

  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string library, version());
    SLIPWAY_ASSIGN_OR_RETURN(const engine_build::Constants constants,
                             engine_build::Constants::of(graph));
    engine_build::Job job;
    SLIPWAY_RETURN_IF_ERROR(engine_build::add_model(graph, constants, job));
    const Status status = compile(std::move(job), properties(), build_.worker.get(), sink);
    if (!status.ok()) {
      if (status.error().code() != ErrorCode::kUnsupported) return status.error();
      auto refusals = find_refusals(status.error().message(), graph);
      if (refusals.empty()) refusals.push_back({"", status.error().message()});
      return engine_build::Outcome(std::move(refusals));
    }
    engine::EngineRecord record = engine_build::record_of(kDescription, graph, constants);
    record.library_version = library;
    record.device = "CPU";
    record.capabilities = capabilities();
    record.options = properties();
    record.compile_specs = {{"device", "CPU"}};
    if (!graph.symbol_inputs.empty()) record.compile_specs[kSizeInputs] = size_inputs(graph);
    if (std::string sizes = output_sizes(graph); !sizes.empty()) {
      record.compile_specs[kOutputSizes] = std::move(sizes);
    }
    if (has_quantized_values(graph) && int8_features()) {
      record.compile_specs[kAnyFeature] = int8_features();
    }
    return engine_build::Outcome(std::move(record));
  }

  bool runs_engines() const override { return true; }

  Result<std::vector<Tensors>> run(const engine::Engine& engine,
                                   const std::vector<Tensors>& inputs) const override {
    return run_engine(engine.bytes.bytes, inputs, build_.worker.get());
  }

 private:
  // Asked once: each compile of an engine counts on it.
  Result<std::string> version() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (version_.empty()) {
      SLIPWAY_ASSIGN_OR_RETURN(version_, openvino::version(build_.worker.get()));
    }
    return version_;
  }

  // Some processors would choose bfloat16 by themselves.
  std::map<std::string, std::string> properties() const {
    std::map<std::string, std::string> properties = {{"PERFORMANCE_HINT", "LATENCY"},
                                                     {"INFERENCE_PRECISION_HINT", "f32"}};
    if (!options_.compat.empty()) properties[shim::kCompatProperty] = options_.compat;
    return properties;
  }

  const Options options_;
  const engine_build::BuildOptions build_;
  mutable std::mutex mutex_;
  mutable std::string version_;
};

}  // namespace

std::unique_ptr<engine_build::Builder> make_builder(const Options& options,
                                                    const engine_build::BuildOptions& build) {
  return std::make_unique<OpenVinoBuilder>(options, build);
}

}  // namespace slipway::openvino
