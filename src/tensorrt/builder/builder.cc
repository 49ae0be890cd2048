#include "tensorrt/builder/builder.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "engine_build/constants.h"
#include "engine_build/job.h"
#include "onnx/precision.h"
#include "onnx/value_types.h"
#include "tensorrt/builder/job.h"
#include "tensorrt/builder/profile.h"
#include "tensorrt/builder/refusals.h"
#include "tensorrt/builder/support.h"
#include "tensorrt/format/description.h"
#include "tensorrt/library/gpu.h"

namespace slipway::tensorrt {

namespace {

constexpr const char* kCacheUpdate = "TensorScatter";
constexpr int64_t kCacheUpdateOpset = 24;
// The parser or the kernels have these in float32 and float16 only.
constexpr const char* kNotInBFloat16[] = {"ConvTranspose", "HardSwish"};

// Outputs of the graph that TensorRT has in the memory of an input.
std::vector<engine::EngineAlias> cache_updates(const onnx::Graph& graph) {
  const auto position = [](const std::vector<onnx::ValueType>& values, const std::string& name) {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const auto& value) { return value.name == name; });
    return static_cast<uint32_t>(found - values.begin());
  };
  std::vector<engine::EngineAlias> aliases;
  for (const onnx::Node& node : graph.nodes) {
    if (node.op_type != kCacheUpdate) continue;
    const uint32_t output = position(graph.outputs, node.outputs.at(0));
    const uint32_t input = position(graph.inputs, node.inputs.at(0));
    // TensorRT refuses to build others.
    if (output == graph.outputs.size() || input == graph.inputs.size()) continue;
    aliases.push_back({output, input, "kv_cache_update"});
  }
  return aliases;
}

// "sm_80,sm_86" as {80, 86}, and "" as {}.
Result<std::vector<int>> parse_target(const std::string& target) {
  constexpr std::string_view kPrefix = "sm_";
  std::vector<int> capabilities;
  for (size_t start = 0; !target.empty() && start <= target.size();) {
    const size_t end = std::min(target.find(',', start), target.size());
    std::string_view name = std::string_view(target).substr(start, end - start);
    const bool has_prefix = name.starts_with(kPrefix);
    if (has_prefix) name.remove_prefix(kPrefix.size());
    int number = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (!has_prefix || error != std::errc() || stop != name.data() + name.size() || number < 10) {
      return invalid_argument(
          "option 'target' {}: expected compute capabilities of GPUs, such as sm_80,sm_86; "
          "TensorRT-RTX builds for {}",
          target, rtx_targets());
    }
    capabilities.push_back(number);
    start = end + 1;
  }
  return capabilities;
}

// The names of what tells how values are quantized.
std::set<std::string> quantization_scales(const onnx::Graph& graph) {
  std::set<std::string> names;
  for (const onnx::Node& node : graph.nodes) {
    if (node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear") {
      names.insert(node.inputs.at(1));
    }
  }
  return names;
}

class TensorRtBuilder : public engine_build::Builder {
 public:
  TensorRtBuilder(const Options& options, std::string target,
                  const engine_build::BuildOptions& build_options)
      : options_(options),
        build_options_(build_options),
        target_(std::move(target)),
        library_(Library::open({.path = options_.library})) {}

  Result<std::string> fingerprint() const override {
    SLIPWAY_RETURN_IF_ERROR(parse_target(target_));
    SLIPWAY_ASSIGN_OR_RETURN(const LibraryPointer library, library_);
    if (!target_.empty() && library->version().family != Family::kRtx) {
      return unsupported(
          "{} builds for the GPU of the machine that it runs on, and not for {}: that takes "
          "TensorRT-RTX",
          library->version().name(), target_);
    }
    SLIPWAY_RETURN_IF_ERROR(library->require_parser());
    std::string text = fmt::format("{}, target {}", library->version().name(), target_);
    for (const auto& [name, value] : record_options()) text += fmt::format(", {}={}", name, value);
    return text;
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.quantized = onnx::QuantizedValues::kSymmetric;
    // Caches of keys and values are written in place where the parser knows how.
    const bool is_rtx = library_.ok() && (*library_)->version().family == Family::kRtx;
    if (is_rtx) options.fused.insert(kCacheUpdate);
    return options;
  }

  Result<onnx::Graph> prepare(onnx::Graph graph) const override {
    if (!cache_updates(graph).empty()) graph.opset = std::max(graph.opset, kCacheUpdateOpset);
    if (options_.precision == Precision::kModel) return graph;
    if (options_.precision == Precision::kFloat16) {
      return onnx::convert_precision(std::move(graph), DType::kFloat16, options_.keep_fp32);
    }
    std::set<std::string> keep = options_.keep_fp32;
    keep.insert(std::begin(kNotInBFloat16), std::end(kNotInBFloat16));
    return onnx::convert_precision(std::move(graph), DType::kBFloat16, keep);
  }

  std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                             const partition::IntegerRanges&) const override {
    return why_kept(program, node);
  }

  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    if (auto refusals = refuse_sizes(graph); !refusals.empty()) return {std::move(refusals)};
    if (auto refusals = refuse_types(graph); !refusals.empty()) return {std::move(refusals)};
    SLIPWAY_ASSIGN_OR_RETURN(const LibraryPointer library, library_);
    SLIPWAY_ASSIGN_OR_RETURN(const engine_build::Constants constants,
                             engine_build::Constants::of(graph));
    engine_build::Job job;
    SLIPWAY_RETURN_IF_ERROR(engine_build::add_model(graph, constants, job));
    SLIPWAY_ASSIGN_OR_RETURN(const BuildRequest request, make_request(graph));
    SLIPWAY_ASSIGN_OR_RETURN(
        const BuildAnswer answer,
        tensorrt::build(std::move(job), request, build_options_.worker.get(), sink));
    if (!answer.done) return refuse(answer, graph);

    engine::EngineRecord record = engine_build::record_of(kDescription, graph, constants);
    record.library_version = library->version().name();
    record.device = "cuda";
    // TensorRT-RTX builds for GPUs of all kinds that it serves where it is told of none.
    if (library->version().family != Family::kRtx) record.capabilities = own_target();
    record.target = target_;
    record.options = record_options();
    record.compile_specs = {{"target_device", "cuda:0"}};
    record.aliases = cache_updates(graph);
    return {std::move(record)};
  }

 private:
  std::map<std::string, std::string> record_options() const {
    std::map<std::string, std::string> options = {
        {"tf32", build_options_.allow_reduced_precision ? "on" : "off"},
        {"weight_streaming", options_.streams_weights() ? "on" : "off"},
        {"precision", onnx::precision_name(options_.precision)}};
    if (options_.calls.platform != kPlatform) options["platform"] = options_.calls.platform;
    if (options_.workspace) options["workspace"] = std::to_string(*options_.workspace);
    if (options_.optimization_level) {
      options["optimization_level"] = std::to_string(*options_.optimization_level);
    }
    for (const auto& [symbol, ranges] : options_.profiles) {
      std::string& text = options["profile " + symbol];
      for (const auto& [min, opt, max] : ranges) {
        text += fmt::format("{}{}:{}:{}", text.empty() ? "" : ",", min, opt, max);
      }
    }
    if (!options_.keep_fp32.empty()) {
      options["keep_fp32"] = fmt::format("{}", fmt::join(options_.keep_fp32, ","));
    }
    return options;
  }

  // Of what nodes become: an operator of integers may be computed in float64 where an ONNX operator
  // has no integers.
  static std::vector<engine_build::Refusal> refuse_types(const onnx::Graph& graph) {
    const onnx::ValueTypes types = onnx::value_types(graph);
    std::vector<engine_build::Refusal> refusals;
    std::set<std::string> origins;
    for (const onnx::Node& node : graph.nodes) {
      const bool is_wide =
          std::any_of(node.outputs.begin(), node.outputs.end(), [&](const auto& name) {
            const auto found = types.find(name);
            return found != types.end() && found->second == DType::kFloat64;
          });
      if (!is_wide || node.origin.empty() || !origins.insert(node.origin).second) continue;
      refusals.push_back(
          {node.origin, "it is computed in float64, which TensorRT's parser narrows to float32"});
    }
    return refusals;
  }

  // A delegate gives tensors alone: what takes a size that no tensor defines stays outside.
  static std::vector<engine_build::Refusal> refuse_sizes(const onnx::Graph& graph) {
    std::set<std::string> sizes;
    for (size_t i = graph.inputs.size() - graph.symbol_inputs.size(); i < graph.inputs.size();
         ++i) {
      sizes.insert(graph.inputs[i].name);
    }
    std::vector<engine_build::Refusal> refusals;
    for (const onnx::Node& node : graph.nodes) {
      for (const std::string& input : node.inputs) {
        if (!sizes.contains(input)) continue;
        refusals.push_back(
            {node.origin,
             fmt::format("it takes the size {}, which no tensor of its partition has", input)});
        break;
      }
    }
    return refusals;
  }

  Result<BuildRequest> make_request(const onnx::Graph& graph) const {
    BuildRequest request;
    request.library = options_.library;
    request.node_count = graph.nodes.size();
    request.scales = quantization_scales(graph);
    request.tf32 = build_options_.allow_reduced_precision;
    request.weight_streaming = options_.streams_weights();
    request.workspace = options_.workspace;
    request.optimization_level = options_.optimization_level;
    SLIPWAY_ASSIGN_OR_RETURN(request.capabilities, parse_target(target_));
    request.for_windows = options_.calls.platform == kWindowsPlatform;
    SLIPWAY_ASSIGN_OR_RETURN(request.profiles, make_profiles(graph, options_.profiles));
    return request;
  }

  static Result<engine_build::Outcome> refuse(const BuildAnswer& answer, const onnx::Graph& graph) {
    std::vector<engine_build::Refusal> refusals;
    if (answer.taken) {
      refusals = refusals_of(*answer.taken, answer.errors, graph);
    } else {
      refusals = refusals_of(answer.errors, graph);
      if (refusals.empty()) refusals = refusals_of(answer.message, graph);
    }
    if (refusals.empty()) {
      if (answer.message.find("workspace") != std::string::npos) {
        return unsupported("{}; raise option 'workspace'", answer.message);
      }
      refusals.push_back({"", answer.message});
    }
    return engine_build::Outcome(std::move(refusals));
  }

  const Options options_;
  const engine_build::BuildOptions build_options_;
  const std::string target_;
  const Result<LibraryPointer> library_;  // an error until the library is needed
};

}  // namespace

std::unique_ptr<engine_build::Builder> make_builder(
    const Options& options, const std::string& target,
    const engine_build::BuildOptions& build_options) {
  return std::make_unique<TensorRtBuilder>(options, target, build_options);
}

}  // namespace slipway::tensorrt
