#include "stand_in/builder/builder.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "engine_build/constants.h"
#include "onnx/value_types.h"
#include "stand_in/delegate/interpreter.h"
#include "stand_in/delegate/machine.h"
#include "stand_in/delegate/operators.h"
#include "stand_in/format/blob.h"

namespace slipway::stand_in {

namespace {

constexpr const char* kSupported[] = {
    "aten.abs.default",       "aten.acos.default",       "aten.acosh.default",
    "aten.add.Scalar",        "aten.add.Tensor",         "aten.addcmul.default",
    "aten.addmm.default",     "aten.asin.default",       "aten.asinh.default",
    "aten.atan.default",      "aten.atanh.default",      "aten.bmm.default",
    "aten.cat.default",       "aten.ceil.default",       "aten.cos.default",
    "aten.cosh.default",      "aten.div.Scalar",         "aten.div.Tensor",
    "aten.erf.default",       "aten.exp.default",        "aten.expand.default",
    "aten.floor.default",     "aten.linear.default",     "aten.log.default",
    "aten.matmul.default",    "aten.maximum.default",    "aten.minimum.default",
    "aten.mm.default",        "aten.mul.Scalar",         "aten.mul.Tensor",
    "aten.neg.default",       "aten.permute.default",    "aten.pow.Tensor_Scalar",
    "aten.pow.Tensor_Tensor", "aten.reciprocal.default", "aten.relu.default",
    "aten.reshape.default",   "aten.round.default",      "aten.rsqrt.default",
    "aten.rsub.Scalar",       "aten.sigmoid.default",    "aten.silu.default",
    "aten.sin.default",       "aten.sinh.default",       "aten.sqrt.default",
    "aten.square.default",    "aten.squeeze.dim",        "aten.sub.Tensor",
    "aten.t.default",         "aten.tan.default",        "aten.tanh.default",
    "aten.transpose.int",     "aten.unflatten.int",      "aten.unsqueeze.default",
    "aten.view.default",
};

constexpr const char* kRefused = "option 'refuse' names it";
constexpr const char* kFailed = "option 'fail' names an operator of it";

// As Gemm has them; the format has no other floating-point attributes.
bool is_factor_of_one(const onnx::Attribute& value) {
  const auto* factor = std::get_if<float>(&value);
  return factor != nullptr && *factor == 1;
}

// A node that is no step of the stand-in's, and why.
std::optional<std::string> why_no_step(const onnx::Node& node, const onnx::ValueTypes& types) {
  if (!has_operator(node.op_type)) return fmt::format("it has no operator {}", node.op_type);
  if (node.outputs.size() != 1) return fmt::format("{} gives several tensors", node.op_type);
  for (const std::string& input : node.inputs) {
    const auto type = types.find(input);
    if (type == types.end()) return fmt::format("{} without an operand", node.op_type);
    if (type->second != DType::kFloat32 && type->second != DType::kInt64) {
      return fmt::format("{} of {}", node.op_type, dtype_name(type->second));
    }
  }
  for (const auto& [name, value] : node.attributes) {
    if (!is_factor_of_one(value) && !std::holds_alternative<int64_t>(value) &&
        !std::holds_alternative<std::vector<int64_t>>(value)) {
      return fmt::format("{} with {}", node.op_type, name);
    }
  }
  return std::nullopt;
}

Step to_step(const onnx::Node& node, const std::unordered_map<std::string, uint64_t>& numbers) {
  Step step = {node.op_type, {}, {}};
  for (const std::string& input : node.inputs) step.inputs.push_back(numbers.at(input));
  for (const auto& [name, value] : node.attributes) {
    if (is_factor_of_one(value)) continue;
    const auto* one = std::get_if<int64_t>(&value);
    step.attributes[name] = one ? std::vector{*one} : std::get<std::vector<int64_t>>(value);
  }
  return step;
}

class StandInBuilder : public engine_build::Builder {
 public:
  StandInBuilder(const engine::Description& engine, Options options, std::string variant)
      : engine_(engine), options_(std::move(options)), variant_(std::move(variant)) {}

  Result<std::string> fingerprint() const override {
    return fmt::format("{} {} for {}, variant '{}', refuse {}, fail {}, wrong {}", engine_.name,
                       machine().library_version, machine().capabilities, variant_, options_.refuse,
                       options_.fail, options_.wrong);
  }

  onnx::LoweringOptions lowering() const override {
    onnx::LoweringOptions options;
    options.fused = {};
    return options;
  }

  std::optional<std::string> why_unsupported(
      const ir::Program& /*program*/, const ir::Node& node,
      const partition::IntegerRanges& /*ranges*/) const override {
    const auto is_it = [&](const char* one) { return node.op() == one; };
    if (std::none_of(std::begin(kSupported), std::end(kSupported), is_it)) {
      return "it is not among its operators";
    }
    std::optional<std::string> reason;
    const auto look = [&](const ir::Value* value) {
      if (value == nullptr || !value->is_tensor() || value->dtype() == DType::kFloat32) return;
      reason = fmt::format("it computes in float32, and not in {}", dtype_name(value->dtype()));
    };
    for (const ir::Argument& argument : node.args()) ir::Graph::for_each_value(argument, look);
    for (const ir::Value* output : node.outputs()) look(output);
    return reason;
  }

  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    if (auto refusals = refusals_of(graph); !refusals.empty()) {
      return engine_build::Outcome(std::move(refusals));
    }
    SLIPWAY_ASSIGN_OR_RETURN(const engine_build::Constants constants,
                             engine_build::Constants::of(graph));
    SLIPWAY_ASSIGN_OR_RETURN(const Model model, to_model(graph, constants));
    SLIPWAY_RETURN_IF_ERROR(sink(write_engine(model)));
    engine::EngineRecord record = engine_build::record_of(engine_, graph, constants);
    record.library_version = machine().library_version;
    record.device = "CPU";
    record.capabilities = machine().capabilities;
    record.target = variant_;
    return engine_build::Outcome(std::move(record));
  }

  bool runs_engines() const override { return true; }

  Result<std::vector<Tensors>> run(const engine::Engine& engine,
                                   const std::vector<Tensors>& inputs) const override {
    SLIPWAY_ASSIGN_OR_RETURN(const Interpreter interpreter, Interpreter::of(engine.bytes.bytes));
    std::vector<Tensors> outputs;
    for (const Tensors& list : inputs) {
      SLIPWAY_ASSIGN_OR_RETURN(outputs.emplace_back(), interpreter.run(list));
    }
    return outputs;
  }

 private:
  std::vector<engine_build::Refusal> refusals_of(const onnx::Graph& graph) const {
    std::vector<engine_build::Refusal> refusals;
    const onnx::ValueTypes types = onnx::value_types(graph);
    for (const onnx::Node& node : graph.nodes) {
      if (options_.refuse.contains(node.target)) {
        refusals.push_back({node.origin, kRefused});
      } else if (auto reason = why_no_step(node, types)) {
        refusals.push_back({node.origin, *std::move(reason)});
      }
    }
    const bool fails =
        std::any_of(graph.nodes.begin(), graph.nodes.end(),
                    [&](const onnx::Node& node) { return options_.fail.contains(node.target); });
    if (refusals.empty() && fails) refusals.push_back({"", kFailed});
    return refusals;
  }

  Result<Model> to_model(const onnx::Graph& graph, const engine_build::Constants& constants) const {
    Model model;
    std::unordered_map<std::string, uint64_t> numbers;
    const auto number = [&](const std::string& name) { numbers.emplace(name, numbers.size()); };
    for (const onnx::ValueType& input : graph.inputs) {
      model.inputs.push_back({input.dtype, input.sizes.size()});
      number(input.name);
    }
    for (const onnx::Initializer& initializer : graph.initializers) {
      SLIPWAY_ASSIGN_OR_RETURN(Tensor constant,
                               Tensor::zeros(initializer.dtype, initializer.sizes));
      const auto bytes = constants.bytes(initializer);
      if (!bytes.empty()) std::memcpy(constant.data(), bytes.data(), bytes.size());
      model.constants.push_back(std::move(constant));
      number(initializer.name);
    }
    for (const onnx::Node& node : graph.nodes) {
      model.steps.push_back(to_step(node, numbers));
      number(node.outputs.front());
    }
    for (const onnx::ValueType& output : graph.outputs) {
      uint64_t value = numbers.at(output.name);
      if (is_wrong(graph, output.name)) {
        model.steps.push_back({"Neg", {value}, {}});
        value = model.inputs.size() + model.constants.size() + model.steps.size() - 1;
      }
      model.outputs.push_back(value);
    }
    return model;
  }

  // Whether option 'wrong' names the operator that gives it.
  bool is_wrong(const onnx::Graph& graph, const std::string& name) const {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const onnx::Node& node) {
      return node.outputs.front() == name && options_.wrong.contains(node.target);
    });
  }

  const engine::Description& engine_;
  const Options options_;
  const std::string variant_;
};

}  // namespace

std::span<const char* const> supported_operators() { return kSupported; }

std::unique_ptr<engine_build::Builder> make_builder(const engine::Description& engine,
                                                    const Options& options,
                                                    const std::string& variant) {
  return std::make_unique<StandInBuilder>(engine, options, variant);
}

}  // namespace slipway::stand_in
