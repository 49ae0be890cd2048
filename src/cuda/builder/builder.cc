#include "cuda/builder/builder.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "cuda/builder/generator.h"
#include "cuda/builder/images.h"
#include "cuda/format/blob.h"
#include "cuda/format/description.h"
#include "engine_build/constants.h"
#include "onnx/halves_in_float32.h"
#include "onnx/merge_equal_nodes.h"
#include "schema/operator_name.h"

namespace slipway::cuda {

namespace {

// Changes with what the generator writes for a graph.
constexpr int kGenerator = 18;

constexpr const char* kSizesOfData = "its result has sizes that data decides";
constexpr std::pair<std::string_view, const char*> kKept[] = {
    {"aten.nonzero", kSizesOfData},
    {"aten.masked_select", kSizesOfData},
    {"higher_order.cond", "which branch it takes is decided by data"},
};

class CudaBuilder : public engine_build::Builder {
 public:
  explicit CudaBuilder(Options options) : options_(std::move(options)) {}

  Result<std::string> fingerprint() const override {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string compiler, compiler_version(options_));
    std::string text = fmt::format("generator {}, {}, target {}", kGenerator, compiler,
                                   fmt::join(options_.targets, ","));
    for (const auto& [name, value] : record_options()) text += fmt::format(", {}={}", name, value);
    return text;
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.fused = {"Gelu", "HardSwish",          "LayerNormalization", "Mish",
                     "Cast", "GroupNormalization", "RMSNormalization"};
    options.opset = 23;
    options.round_halves = true;
    return options;
  }

  std::optional<std::string> why_unsupported(const ir::Program&, const ir::Node& node,
                                             const partition::IntegerRanges&) const override {
    for (const auto& [op, reason] : kKept) {
      if (schema::matches(node.op(), op)) return reason;
    }
    std::optional<std::string> reason;
    const auto look = [&](const ir::Value* value) {
      if (!value || !value->is_tensor() || reason || has_type(value->dtype())) return;
      reason = fmt::format("it has no kernels of {}", dtype_name(value->dtype()));
    };
    for (const ir::Argument& argument : node.args()) ir::Graph::for_each_value(argument, look);
    for (const ir::Value* output : node.outputs()) look(output);
    return reason;
  }

  bool may_write_over_inputs() const override { return true; }
  bool packs_decomposed_weights() const override { return true; }

  Result<onnx::Graph> prepare(onnx::Graph graph) const override {
    graph = onnx::merge_equal_nodes(std::move(graph));
    if (options_.precision == onnx::Precision::kModel) return graph;
    const DType half =
        options_.precision == onnx::Precision::kFloat16 ? DType::kFloat16 : DType::kBFloat16;
    SLIPWAY_ASSIGN_OR_RETURN(onnx::Graph halved,
                             onnx::convert_precision(std::move(graph), half, options_.keep_fp32));
    return onnx::compute_halves_in_float32(std::move(halved));
  }

  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    SLIPWAY_ASSIGN_OR_RETURN(const engine_build::Constants constants,
                             engine_build::Constants::of(graph));
    const bool are_for_hopper = std::find(options_.targets.begin(), options_.targets.end(),
                                          kHopper) != options_.targets.end();
    Generator generator(graph, constants,
                        {.candidates = options_.candidates,
                         .are_for_hopper = are_for_hopper,
                         .are_for_others = !are_for_hopper || options_.targets.size() > 1,
                         .with_cublaslt = options_.with_cublaslt,
                         .with_cudnn = options_.with_cudnn});
    if (auto refusals = generator.run(); !refusals.empty()) {
      return engine_build::Outcome(std::move(refusals));
    }
    table::EngineT table = generator.take_engine();
    std::vector<std::string> images;
    SLIPWAY_ASSIGN_OR_RETURN(images, make_images(options_, generator.source(), table));
    const PieceList pieces = generator.constant_pieces(table.constant_bytes);
    SLIPWAY_RETURN_IF_ERROR(write_blob(table, images, pieces, sink));
    engine::EngineRecord record = engine_build::record_of(kDescription, graph, constants);
    SLIPWAY_ASSIGN_OR_RETURN(const std::string compiler, compiler_version(options_));
    record.library_version = fmt::format("generator {}, {}", kGenerator, compiler);
    record.device = "cuda";
    record.target = fmt::format("{}", fmt::join(options_.targets, ","));
    record.options = record_options();
    return engine_build::Outcome(std::move(record));
  }

 private:
  std::map<std::string, std::string> record_options() const {
    std::map<std::string, std::string> options;
    if (options_.precision != onnx::Precision::kModel) {
      options["precision"] = onnx::precision_name(options_.precision);
    }
    if (!options_.keep_fp32.empty()) {
      options["keep_fp32"] = fmt::format("{}", fmt::join(options_.keep_fp32, ","));
    }
    const std::string libraries = libraries_text(options_);
    if (!libraries.empty()) options["cuda_libraries"] = libraries;
    if (options_.candidates > 1) options["cuda_candidates"] = std::to_string(options_.candidates);
    return options;
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<engine_build::Builder> make_builder(const Options& options) {
  return std::make_unique<CudaBuilder>(options);
}

}  // namespace slipway::cuda
