#include "xnnpack/builder/builder.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/half.h"
#include "base/try.h"
#include "engine_build/constants.h"
#include "ir/fake_quantize_rows.h"
#include "ir/queries.h"
#include "schema/traits.h"
#include "xnnpack/builder/translator.h"
#include "xnnpack/format/description.h"

namespace slipway::xnnpack {

namespace {

// Changes with what is written for a graph.
constexpr int kWriter = 4;
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

// Whether the node rounds rows, or gives them other sizes.
bool rounds_rows(const ir::Node& node) {
  const ir::Node* at = &node;
  while (at != nullptr && at->op() != ir::kFakeQuantizeRows) {
    const auto trait = schema::trait_of(at->op());
    const auto values = values_of(*at);
    const bool reshapes = trait == schema::Trait::kReshaped || trait == schema::Trait::kSame;
    at = reshapes && !values.empty() ? values.front()->producer() : nullptr;
  }
  return at != nullptr;
}

// A node by itself, with what makes its weights and, `with_rows`, what rounds its rows: whatever
// else is no constant is an input.
void add_to_part(const ir::Program& program, const ir::Node& node, bool with_rows,
                 onnx::Part& part) {
  for (const ir::Value* value : values_of(node)) {
    const ir::Node* producer = value->producer();
    if (is_constant(program, value)) continue;
    if (producer != nullptr &&
        (makes_weight(program, *producer) || (with_rows && rounds_rows(*producer)))) {
      const auto& nodes = part.nodes;
      if (std::find(nodes.begin(), nodes.end(), producer) == nodes.end()) {
        add_to_part(program, *producer, with_rows, part);
      }
    } else if (std::find(part.inputs.begin(), part.inputs.end(), value) == part.inputs.end()) {
      part.inputs.push_back(value);
    }
  }
  part.nodes.push_back(&node);
}

onnx::Part part_of(const ir::Program& program, const ir::Node& node, bool with_rows) {
  onnx::Part part;
  add_to_part(program, node, with_rows, part);
  for (size_t i = 0; i < node.outputs().size(); ++i) {
    const ir::Value* output = node.output(i);
    if (i == 0 || ir::is_used(*program.graph, output)) part.outputs.push_back(output);
  }
  return part;
}

// Who reads what the node gives; null: it is an output.
std::vector<const ir::Node*> readers_of(const ir::Program& program, const ir::Node& node) {
  std::vector<const ir::Node*> readers;
  const auto reads = [&](const ir::Argument& argument) {
    bool found = false;
    ir::Graph::for_each_value(
        argument, [&](const ir::Value* value) { found = found || value->producer() == &node; });
    return found;
  };
  for (const auto& each : program.graph->nodes()) {
    if (std::any_of(each->args().begin(), each->args().end(), reads)) readers.push_back(each.get());
  }
  const auto& outputs = program.graph->outputs();
  if (std::any_of(outputs.begin(), outputs.end(), reads)) readers.push_back(nullptr);
  return readers;
}

class XnnpackBuilder : public engine_build::Builder {
 public:
  explicit XnnpackBuilder(bool allow_reduced_precision) : reduced_(allow_reduced_precision) {}

  Result<std::string> fingerprint() const override {
    return fmt::format("writer {}, {}{}", kWriter, kFormat, reduced_ ? ", reduced precision" : "");
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.fused = {"Cast", "FakeQuantizeRows", "Gelu", "HardSwish"};
    options.round_halves = true;
    return options;
  }

  // What a node becomes decides, not which operator it is.
  std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                             const partition::IntegerRanges&) const override {
    const bool rounds = rounds_rows(node);
    auto reason = rounds ? why_not_rounded(program, node)
                         : why_unsupported(program, node, /*with_rows=*/true);
    if (!reason || node.op() == ir::kFakeQuantizeRows) return reason;
    // As what is given float32 that has been rounded elsewhere.
    return why_unsupported(program, node, /*with_rows=*/false);
  }

  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    Translator translator(graph, reduced_);
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

 private:
  // Rows are rounded for the products that read them, all of them.
  std::optional<std::string> why_not_rounded(const ir::Program& program,
                                             const ir::Node& node) const {
    for (const ir::Node* reader : readers_of(program, node)) {
      if (reader == nullptr) return "XNNPACK quantizes rows for products alone";
      const auto reason = rounds_rows(*reader)
                              ? why_not_rounded(program, *reader)
                              : why_unsupported(program, *reader, /*with_rows=*/true);
      if (reason) return reason;
    }
    return std::nullopt;
  }

  std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                             bool with_rows) const {
    const onnx::Part part = part_of(program, node, with_rows);
    const bool is_quantization = node.op().starts_with("quantized_decomposed.");
    for (const auto* list : {&part.inputs, &part.outputs}) {
      for (const ir::Value* value : *list) {
        const bool is_tensor = value->is_tensor();
        if (is_tensor && (value->dtype() == DType::kFloat32 || is_half(value->dtype()))) continue;
        if (is_quantization && is_tensor && value->dtype() == DType::kInt8) continue;
        return is_tensor ? fmt::format("it computes in float32, and not in {}",
                                       dtype_name(value->dtype()))
                         : "its numbers are known only when it runs";
      }
    }
    auto graph = onnx::lower(program, part, lowering());
    if (!graph.ok()) return graph.error().message();
    // Nothing is computed of constants alone; a weight is read by a node beside it.
    if (makes_weight(program, node)) graph->outputs.clear();
    const auto refusals = Translator(*graph, reduced_).run();
    if (refusals.empty()) return std::nullopt;
    return refusals.front().reason;
  }

  const bool reduced_;
};

}  // namespace

std::unique_ptr<engine_build::Builder> make_builder(bool allow_reduced_precision) {
  return std::make_unique<XnnpackBuilder>(allow_reduced_precision);
}

}  // namespace slipway::xnnpack
