#include "xnnpack/builder/builder.h"

#include <optional>
#include <set>
#include <string>
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
constexpr int kWriter = 1;
// Of the delegate's own format, and so of what runs it.
constexpr const char* kFormat = "XN01";

// A node by itself: whatever is no constant is an input.
onnx::Part part_of(const ir::Program& program, const ir::Node& node) {
  onnx::Part part;
  part.nodes = {&node};
  std::set<const ir::Value*> inputs;
  for (const ir::Argument& argument : node.args()) {
    ir::Graph::for_each_value(argument, [&](const ir::Value* value) {
      const ir::Input* input = program.input_of(value);
      if (input != nullptr && input->data) return;
      if (inputs.insert(value).second) part.inputs.push_back(value);
    });
  }
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
    for (const auto* list : {&part.inputs, &part.outputs}) {
      for (const ir::Value* value : *list) {
        if (value->is_tensor() && value->dtype() == DType::kFloat32) continue;
        return value->is_tensor() ? fmt::format("it computes in float32, and not in {}",
                                                dtype_name(value->dtype()))
                                  : "its numbers are known only when it runs";
      }
    }
    const auto graph = onnx::lower(program, part, lowering());
    if (!graph.ok()) return graph.error().message();
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
