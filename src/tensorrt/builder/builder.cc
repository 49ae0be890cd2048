#include "tensorrt/builder/builder.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "build/constants.h"
#include "engine/tensorrt_blob.h"
#include "onnx/precision.h"
#include "onnx/serializer.h"
#include "tensorrt/builder/profile.h"
#include "tensorrt/builder/refusals.h"
#include "tensorrt/builder/support.h"
#include "tensorrt/library/builder.h"
#include "tensorrt/library/parser.h"

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
          "--target {}: expected compute capabilities of GPUs, such as sm_80,sm_86", target);
    }
    capabilities.push_back(number);
    start = end + 1;
  }
  return capabilities;
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return "fp16";
    case Precision::kBFloat16:
      return "bf16";
    default:
      return "model";
  }
}

// -1 for what is not a number.
int64_t known_size(const std::string& text) {
  int64_t size = -1;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  return error == std::errc() && stop == text.data() + text.size() ? size : -1;
}

// A file of zeros without a name, which takes neither disk nor memory but for what is written.
class HollowFile {
 public:
  // Long enough for all constants of the graph.
  static Result<HollowFile> create(const onnx::Graph& graph) {
    uint64_t size = 0;
    for (const onnx::Initializer& initializer : graph.initializers) size += initializer.nbytes;
    HollowFile file(::memfd_create("slipway constants", MFD_CLOEXEC));
    if (file.descriptor_ < 0) return errno_error(errno, "memory for a file can't be had");
    if (::ftruncate(file.descriptor_, static_cast<off_t>(size)) != 0) {
      return errno_error(errno, fmt::format("a file of {} bytes can't be made", size));
    }
    return file;
  }
  HollowFile(HollowFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  HollowFile& operator=(HollowFile&&) = delete;
  ~HollowFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }
  Status write(std::span<const std::byte> bytes, uint64_t offset) const {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return errno_error(errno, "memory for a file can't be had");
      bytes = bytes.subspan(static_cast<size_t>(count));
      offset += static_cast<uint64_t>(count);
    }
    return {};
  }

 private:
  explicit HollowFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

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

class TensorRtBuilder : public build::Builder {
 public:
  TensorRtBuilder(const TensorRtOptions& options, std::string target,
                  const build::BuildOptions& build_options)
      : options_(options),
        build_options_(build_options),
        target_(std::move(target)),
        library_(Library::open({.path = options_.library})) {}

  Result<std::string> fingerprint() const override {
    SLIPWAY_RETURN_IF_ERROR(parse_target(target_));
    SLIPWAY_RETURN_IF_ERROR(check_streaming());
    SLIPWAY_ASSIGN_OR_RETURN(const LibraryPointer library, library_);
    if (!target_.empty() && library->version().family != Family::kRtx) {
      return unsupported(
          "{} builds for the GPU of the machine that it runs on, and not for --target {}: that "
          "takes TensorRT-RTX",
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

  Result<build::Outcome> build(const onnx::Graph& graph, const ByteSink& sink) const override {
    if (auto refusals = refuse_sizes(graph); !refusals.empty()) return {std::move(refusals)};
    SLIPWAY_ASSIGN_OR_RETURN(const LibraryPointer library, library_);
    SLIPWAY_ASSIGN_OR_RETURN(const build::Constants constants, build::Constants::of(graph));
    SLIPWAY_ASSIGN_OR_RETURN(std::vector<build::Refusal> refusals,
                             query(library, graph, constants));
    if (!refusals.empty()) return {std::move(refusals)};
    std::vector<const onnx::Initializer*> references;
    const auto locate = [&](const onnx::Initializer& initializer) {
      references.push_back(&initializer);
      return onnx::ExternalData{"constants", 0};  // TensorRT ignores it
    };
    SLIPWAY_ASSIGN_OR_RETURN(const std::string model, onnx::serialize_by_reference(graph, locate));
    const auto message = std::as_bytes(std::span(model));

    SLIPWAY_ASSIGN_OR_RETURN(const tensorrt::Builder builder, tensorrt::Builder::create(library));
    SLIPWAY_ASSIGN_OR_RETURN(const Network network, builder.make_network());
    SLIPWAY_ASSIGN_OR_RETURN(Parser parser, Parser::create(network));
    SLIPWAY_RETURN_IF_ERROR(parser.load_model(message));
    for (const onnx::Initializer* initializer : references) {
      SLIPWAY_RETURN_IF_ERROR(
          parser.load_initializer(initializer->name, constants.bytes(*initializer)));
    }
    if (const Status parsed = parser.parse(); !parsed.ok()) {
      if (auto refusals = refusals_of(parser.errors(), graph); !refusals.empty()) {
        return {std::move(refusals)};
      }
      return failure(parsed.error());
    }

    SLIPWAY_ASSIGN_OR_RETURN(BuilderConfig config, builder.make_config());
    SLIPWAY_RETURN_IF_ERROR(configure(config));
    SLIPWAY_RETURN_IF_ERROR(add_profile(builder, config, graph));
    if (const Status built = builder.build(network, config, sink); !built.ok()) {
      if (built.error().code() != ErrorCode::kUnsupported) return built.error();
      if (auto refusals = refusals_of(built.error().message(), graph); !refusals.empty()) {
        return {std::move(refusals)};
      }
      return failure(built.error());
    }

    engine::EngineRecord record;
    record.engine = "tensorrt";
    record.backend = engine::kTensorRtBackend;
    record.library_version = library->version().name();
    record.device = "cuda";
    record.target = target_;
    record.options = record_options();
    record.compile_specs = {{"target_device", "cuda:0"}};
    record.inputs = build::describe(graph.inputs);
    record.outputs = build::describe(graph.outputs);
    record.aliases = cache_updates(graph);
    record.weight_bytes = constants.nbytes();
    return {std::move(record)};
  }

  Result<std::vector<std::byte>> header(const engine::EngineRecord& record) const override {
    engine::TensorRtMetadata metadata;
    for (const bool is_input : {true, false}) {
      for (const engine::EngineTensor& tensor : is_input ? record.inputs : record.outputs) {
        engine::TensorRtBinding binding = {tensor.name, tensor.dtype, {}, is_input};
        for (const std::string& size : tensor.sizes) binding.shape.push_back(known_size(size));
        metadata.io_bindings.push_back(std::move(binding));
      }
    }
    for (const engine::EngineAlias& alias : record.aliases) {
      metadata.aliased_io.push_back(
          {record.outputs.at(alias.output).name, record.inputs.at(alias.input).name, alias.kind});
    }
    metadata.serialized_metadata = fmt::format("slipway: {}", record.library_version);
    metadata.target_platform = "linux_x86_64";
    return engine::write_tensorrt_header(metadata, record.size);
  }

 private:
  bool streams_weights() const {
    return options_.weight_streaming.value_or(options_.weight_streaming_budget.has_value() ||
                                              options_.weight_streaming_total.has_value());
  }

  Status check_streaming() const {
    const bool has_budget = options_.weight_streaming_budget.has_value();
    const bool has_total = options_.weight_streaming_total.has_value();
    if (has_budget && has_total) {
      return invalid_argument(
          "--weight-streaming-budget (for each engine) and --weight-streaming-total (for all) "
          "exclude each other");
    }
    if ((has_budget || has_total) && options_.weight_streaming == false) {
      return invalid_argument(
          "a budget for streamed weights and --no-weight-streaming exclude "
          "each other");
    }
    return {};
  }

  std::map<std::string, std::string> record_options() const {
    std::map<std::string, std::string> options = {
        {"tf32", build_options_.allow_reduced_precision ? "on" : "off"},
        {"weight_streaming", streams_weights() ? "on" : "off"},
        {"precision", precision_name(options_.precision)}};
    if (options_.workspace) options["workspace"] = std::to_string(*options_.workspace);
    if (options_.optimization_level) {
      options["optimization_level"] = std::to_string(*options_.optimization_level);
    }
    for (const auto& [symbol, range] : options_.profiles) {
      options["profile " + symbol] = fmt::format("{}:{}:{}", range.min, range.opt, range.max);
    }
    if (!options_.keep_fp32.empty()) {
      options["keep_fp32"] = fmt::format("{}", fmt::join(options_.keep_fp32, ","));
    }
    return options;
  }

  // A delegate gives tensors alone: what takes a size that no tensor defines stays outside.
  static std::vector<build::Refusal> refuse_sizes(const onnx::Graph& graph) {
    std::set<std::string> sizes;
    for (size_t i = graph.inputs.size() - graph.symbol_inputs.size(); i < graph.inputs.size();
         ++i) {
      sizes.insert(graph.inputs[i].name);
    }
    std::vector<build::Refusal> refusals;
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

  // What the parser would not take, by its own account. It wants to see the files of constants, but
  // looks at types and shapes only, and at the signs of scales: others may be zeros. Constants are
  // told apart by where they lie.
  static Result<std::vector<build::Refusal>> query(const LibraryPointer& library,
                                                   const onnx::Graph& graph,
                                                   const build::Constants& constants) {
    SLIPWAY_ASSIGN_OR_RETURN(const HollowFile file, HollowFile::create(graph));
    const std::set<std::string> scales = quantization_scales(graph);
    uint64_t end = 0;
    Status written;
    const auto locate = [&](const onnx::Initializer& initializer) {
      const uint64_t start = end;
      end += initializer.nbytes;
      if (written.ok() && scales.contains(initializer.name)) {
        written = file.write(constants.bytes(initializer), start);
      }
      return onnx::ExternalData{file.path(), start};
    };
    SLIPWAY_ASSIGN_OR_RETURN(const std::string model, onnx::serialize_by_reference(graph, locate));
    SLIPWAY_RETURN_IF_ERROR(written);
    SLIPWAY_ASSIGN_OR_RETURN(const tensorrt::Builder builder, tensorrt::Builder::create(library));
    SLIPWAY_ASSIGN_OR_RETURN(const Network network, builder.make_network());
    SLIPWAY_ASSIGN_OR_RETURN(Parser parser, Parser::create(network));
    auto taken = parser.query_support(std::as_bytes(std::span(model)));
    if (!taken.ok()) return failure(taken.error());
    return refusals_of(*taken, parser.errors(), graph);
  }

  Status configure(BuilderConfig& config) const {
    if (!build_options_.allow_reduced_precision) config.clear_flag(BuilderFlag::kTf32);
    if (streams_weights()) config.set_flag(BuilderFlag::kWeightStreaming);
    if (options_.workspace) config.set_workspace_limit(*options_.workspace);
    if (options_.optimization_level) {
      SLIPWAY_RETURN_IF_ERROR(config.set_optimization_level(*options_.optimization_level));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<int> capabilities, parse_target(target_));
    if (capabilities.empty()) return {};
    return config.set_compute_capabilities(capabilities);
  }

  Status add_profile(const tensorrt::Builder& builder, BuilderConfig& config,
                     const onnx::Graph& graph) const {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<InputProfile> inputs,
                             make_profiles(graph, options_.profiles));
    if (inputs.empty()) return {};
    SLIPWAY_ASSIGN_OR_RETURN(OptimizationProfile profile, builder.make_profile());
    for (const InputProfile& input : inputs) {
      SLIPWAY_RETURN_IF_ERROR(profile.set_shapes(input.input, input.min, input.opt, input.max));
    }
    return config.add_profile(profile);
  }

  static Error failure(const Error& error) {
    const bool is_workspace = error.message().find("workspace") != std::string::npos;
    return make_error(error.code(), "{}; {}", error.message(),
                      is_workspace ? "raise --workspace"
                                   : "leave the operators that it means outside with --exclude-op");
  }

  const TensorRtOptions options_;
  const build::BuildOptions build_options_;
  const std::string target_;
  const Result<LibraryPointer> library_;  // an error until the library is needed
};

}  // namespace

std::unique_ptr<build::Builder> make_builder(const TensorRtOptions& options,
                                             const std::string& target,
                                             const build::BuildOptions& build_options) {
  return std::make_unique<TensorRtBuilder>(options, target, build_options);
}

}  // namespace slipway::tensorrt
