#include "xnnpack/builder/builder.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/try.h"
#include "engine_build/constants.h"
#include "ir/queries.h"
#include "xnnpack/builder/translator.h"
#include "xnnpack/format/description.h"

namespace slipway::xnnpack {

namespace {

// Changes with what is written for a graph.
constexpr int kWriter = 2;
// Of the delegate's own format, and so of what runs it.
constexpr const char* kFormat = "XN01";

constexpr std::string_view kDequantizes = "quantized_decomposed.dequantize_per_";

std::vector<const ir::Value*> values_of(const ir::Node& node) {
  std::vector<const ir::Value*> values;
  for (const ir::Argument& argument : node.args()) {
    ir::Graph::for_each_value(argument, [&](const ir::Value* value) { values.push_back(value); });
  }
  return values;
}

bool is_constant(const ir::Program& program, const ir::Value* value) {
  const ir::Input* input = program.input_of(value);
  return input != nullptr && input->data;
}

// Whether the node makes a weight of one that is quantized, and of nothing else.
bool makes_weight(const ir::Program& program, const ir::Node& node) {
  const auto values = values_of(node);
  if (node.op().starts_with(kDequantizes)) {
    return std::all_of(values.begin(), values.end(),
                       [&](const ir::Value* value) { return is_constant(program, value); });
  }
  return !values.empty() && std::all_of(values.begin(), values.end(), [&](const ir::Value* value) {
    return value->producer() != nullptr && makes_weight(program, *value->producer());
  });
}

// A node by itself, with what makes its weights: whatever else is no constant is an input.
void add_to_part(const ir::Program& program, const ir::Node& node, onnx::Part& part) {
  for (const ir::Value* value : values_of(node)) {
    const ir::Node* producer = value->producer();
    if (is_constant(program, value)) continue;
    if (producer != nullptr && makes_weight(program, *producer)) {
      const auto& nodes = part.nodes;
      if (std::find(nodes.begin(), nodes.end(), producer) == nodes.end()) {
        add_to_part(program, *producer, part);
      }
    } else if (std::find(part.inputs.begin(), part.inputs.end(), value) == part.inputs.end()) {
      part.inputs.push_back(value);
    }
  }
  part.nodes.push_back(&node);
}

onnx::Part part_of(const ir::Program& program, const ir::Node& node) {
  onnx::Part part;
  add_to_part(program, node, part);
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* output = node.output(i);
    if (i == 0 || ir::is_used(*program.graph, output)) part.outputs.push_back(output);
  }
  return part;
}

class XnnpackBuilder : public engine_build::Builder {
 public:
  Result<std::string> fingerprint() const override {
    return fmt::format("writer {}, {}", kWriter, kFormat);
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.fused = {"Gelu", "HardSwish"};
    return options;
  }

  // What a node becomes decides, not which operator it is.
  std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                             const partition::IntegerRanges&) const override {
    const onnx::Part part = part_of(program, node);
    const bool is_quantization = node.op().starts_with("quantized_decomposed.");
    for (const auto* list : {&part.inputs, &part.outputs}) {
      for (const ir::Value* value : *list) {
        if (value->is_tensor() && value->dtype() == DType::kFloat32) continue;
        if (is_quantization && value->is_tensor() && value->dtype() == DType::kInt8) continue;
        return value->is_tensor() ? fmt::format("it computes in float32, and not in {}",
                                                dtype_name(value->dtype()))
                                  : "its numbers are known only when it runs";
      }
    }
    auto graph = onnx::lower(program, part, lowering());
    if (!graph.ok()) return graph.error().message();
    // Nothing is computed of constants alone; a weight is read by a node beside it.
    if (makes_weight(program, node)) graph->outputs.clear();
    const auto refusals = Translator(*graph).run();
    if (refusals.empty()) return std::nullopt;
    return refusals.front().reason;
  }

  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    Translator translator(graph);
    if (auto refusals = translator.run(); !refusals.empty()) {
      return engine_build::Outcome(std::move(refusals));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const engine_build::Constants constants,
                             engine_build::Constants::of(graph));
    SLIPWAY_RETURN_IF_ERROR(translator.writer().write(
        [&](const onnx::Initializer& initializer) { return constants.bytes(initializer); }, sink));
    engine::EngineRecord record = engine_build::record_of(kDescription, graph, constants);
    record.library_version = fmt::format("ExecuTorch's format {}", kFormat);
    record.device = "CPU";
    return engine_build::Outcome(std::move(record));
  }

  bool is_run_by_runtime() const override { return true; }
};

}  // namespace

std::unique_ptr<engine_build::Builder> make_builder() { return std::make_unique<XnnpackBuilder>(); }

}  // namespace slipway::xnnpack
