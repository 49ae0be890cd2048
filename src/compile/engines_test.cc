#include "compile/engines.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/try.h"
#include "engine_build/helper.h"
#include "ir/op_builder.h"
#include "openvino/builder/builder.h"

namespace slipway {
namespace {

// Takes everything, but refuses operators once it builds; its engines name their operators.
class StandIn : public engine_build::Builder {
 public:
  Result<std::string> fingerprint() const override { return std::string("stand-in"); }
  onnx::LoweringOptions lowering() const override { return {}; }
  std::optional<std::string> why_unsupported(const ir::Program&, const ir::Node& node,
                                             const partition::IntegerRanges&) const override {
    if (node.op() == "aten.sin.default") return "no sines here";
    if (unsupported.contains(node.op())) return "not here";
    return std::nullopt;
  }
  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    ++builds;
    std::string operators;
    for (const onnx::Node& node : graph.nodes) {
      if (refuses.contains(node.target)) {
        return engine_build::Outcome(
            std::vector<engine_build::Refusal>{{node.origin, "refused for a test"}});
      }
      operators += node.target + " ";
    }
    if (fails(operators)) {
      return engine_build::Outcome(std::vector<engine_build::Refusal>{{"", "failed for a test"}});
    }
    SLIPWAY_RETURN_IF_ERROR(sink(std::as_bytes(std::span(operators))));
    engine::EngineRecord record;
    record.engine = "stand-in";
    record.backend = "StandInBackend";
    return engine_build::Outcome(record);
  }

  // What runs its engines computes an operator of `computes_wrongly` too large by a half.
  bool runs_engines() const override { return runs; }

  Result<std::vector<Tensors>> run(const engine::Engine& engine,
                                   const std::vector<Tensors>& inputs) const override {
    ++checks;
    const auto bytes = engine.bytes.bytes;
    std::vector<Tensors> outputs;
    for (const Tensors& list : inputs) {
      Tensor result = *Tensor::zeros(DType::kFloat32, list[0].sizes());
      for (int64_t i = 0; i < result.numel(); ++i) {
        if (list[0].dtype() == DType::kInt64) {
          checked_integers.insert(list[0].data_as<int64_t>()[i]);
          continue;
        }
        float x = list[0].data_as<float>()[i];
        std::istringstream operators({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        for (std::string op; operators >> op;) {
          if (op == "aten.add.Tensor") x += list[1].data_as<float>()[i];
          if (op == "aten.cos.default") x = std::cos(x);
          if (op == "aten.tanh.default") x = std::tanh(x);
          if (op == "aten.exp.default") x = std::exp(x);
          if (op == "aten.log.default") x = std::log(x);
          if (computes_wrongly.contains(op)) x += 0.5F;
        }
        result.data_as<float>()[i] = x;
      }
      outputs.push_back({result});
    }
    return outputs;
  }

  bool runs = false;
  std::set<std::string> computes_wrongly;
  mutable int checks = 0;
  mutable std::set<int64_t> checked_integers;
  std::set<std::string> unsupported;
  std::set<std::string> refuses;
  std::function<bool(const std::string& operators)> fails = [](const auto&) { return false; };
  mutable int builds = 0;
};

class StandInCompiler : public engine_build::Compiler {
 public:
  engine_build::Builder& add(std::unique_ptr<engine_build::Builder> builder) {
    builders_.push_back(std::move(builder));
    return *builders_.back();
  }
};

// exp(tanh(cos(x + y))), of which a builder may refuse parts.
class BuildEngines : public testing::Test {
 protected:
  void SetUp() override {
    ir::Graph& graph = *program_.graph;
    program_.source = "chain.pt2";
    ir::OpBuilder b(graph, nullptr, nullptr);
    for (const char* name : {"x", "y"}) {
      ir::Input input;
      input.name = name;
      input.value = graph.add_input(name, {.dtype = DType::kFloat32, .sizes = {4}, .strides = {}});
      program_.inputs.push_back(input);
    }
    ir::Value* sum = add("aten.add.Tensor", {graph.inputs()[0], graph.inputs()[1], ir::SymInt(1)});
    ir::Value* cos = add("aten.cos.default", {sum});
    ir::Value* tanh = add("aten.tanh.default", {cos});
    graph.outputs().emplace_back(add("aten.exp.default", {tanh}));
    program_.outputs.emplace_back();
  }

  ir::Value* add(const char* op, std::vector<ir::Argument> args) {
    ir::Graph& graph = *program_.graph;
    ir::Node* node = graph.add_node(op, std::move(args), {});
    return graph.add_output(node, {.dtype = DType::kFloat32, .sizes = {4}, .strides = {}});
  }

  std::vector<std::string> operators() const {
    std::vector<std::string> result;
    for (const auto& node : program_.graph->nodes()) result.push_back(node->op());
    return result;
  }
  static std::string text(const engine::Engine& engine) {
    const auto bytes = engine.bytes.bytes;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  StandIn& add_builder() {
    if (compilers_.empty()) compilers_.push_back(std::make_unique<StandInCompiler>());
    return static_cast<StandIn&>(
        static_cast<StandInCompiler&>(*compilers_.back()).add(std::make_unique<StandIn>()));
  }
  // In place of the stand-in.
  void use(std::unique_ptr<engine_build::Builder> builder) {
    auto compiler = std::make_unique<StandInCompiler>();
    compiler->add(std::move(builder));
    compilers_.clear();
    compilers_.push_back(std::move(compiler));
  }

  ir::Program program_;
  Compilers compilers_;
  StandIn& builder_ = add_builder();
  CompileOptions options_;
};

TEST_F(BuildEngines, MakesOneOfAWholeProgram) {
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  ASSERT_EQ(result->engines.size(), 1u);
  EXPECT_EQ(text(result->engines[0]),
            "aten.add.Tensor aten.cos.default aten.tanh.default aten.exp.default ");
  EXPECT_EQ(result->engines[0].record.size, result->engines[0].bytes.bytes.size());
  EXPECT_EQ(result->engines[0].record.sha256, sha256_hex(result->engines[0].bytes.bytes));
  EXPECT_EQ(result->nodes[0].size(), 4u);
  EXPECT_TRUE(result->outside.empty());
  EXPECT_EQ(operators(), std::vector<std::string>{ir::kCallEngine});
  EXPECT_TRUE(ir::verify(program_).ok());
}

TEST_F(BuildEngines, BuildsForEachTarget) {
  StandIn& other = add_builder();
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  ASSERT_EQ(result->engines.size(), 1u);
  ASSERT_EQ(result->engines[0].variants.size(), 1u);
  EXPECT_EQ(text(result->engines[0].variants[0]), text(result->engines[0]));
  EXPECT_EQ(builder_.builds, 1);
  EXPECT_EQ(other.builds, 1);
}

TEST_F(BuildEngines, LeavesOutsideWhatOneTargetRefuses) {
  add_builder().refuses = {"aten.tanh.default"};
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 2u);
  EXPECT_EQ(result->outside.size(), 1u);
}

TEST_F(BuildEngines, CutsAgainWhereTheBuildRefuses) {
  builder_.refuses = {"aten.tanh.default"};
  std::vector<std::string> warnings;
  options_.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  ASSERT_EQ(result->engines.size(), 2u);
  EXPECT_EQ(text(result->engines[0]), "aten.add.Tensor aten.cos.default ");
  EXPECT_EQ(text(result->engines[1]), "aten.exp.default ");
  ASSERT_EQ(result->outside.size(), 1u);
  EXPECT_EQ(result->outside[0].op, "aten.tanh.default");
  EXPECT_EQ(result->outside[0].reason, "refused for a test");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("tanh (aten.tanh.default) stays outside"), std::string::npos);
  EXPECT_EQ(operators(),
            (std::vector<std::string>{ir::kCallEngine, "aten.tanh.default", ir::kCallEngine}));
}

TEST_F(BuildEngines, GivesUpWhereRefusalsDoNotEnd) {
  ir::Value* last = std::get<ir::Value*>(program_.graph->outputs()[0]);
  for (int i = 0; i < 10; ++i)
    last = add(i % 2 == 0 ? "aten.neg.default" : "aten.abs.default", {last});
  program_.graph->outputs()[0] = last;
  // Each round names one node only, so there are more than are tried.
  builder_.refuses = {"aten.neg.default", "aten.abs.default"};
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message().find("exclude_ops"), std::string::npos);
}

TEST_F(BuildEngines, FindsWhatTheBuildFailsAt) {
  ir::Value* last = std::get<ir::Value*>(program_.graph->outputs()[0]);
  for (int i = 0; i < 40; ++i)
    last = add(i % 2 == 0 ? "aten.neg.default" : "aten.abs.default", {last});
  last = add("aten.tanh.default", {add("aten.cos.default", {last})});
  program_.graph->outputs()[0] = add("aten.exp.default", {last});
  // A pair, and there are two of them.
  builder_.fails = [](const std::string& operators) {
    return operators.find("aten.cos.default aten.tanh.default ") != std::string::npos;
  };
  std::vector<std::string> warnings;
  options_.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 3u);
  ASSERT_EQ(result->outside.size(), 2u);
  for (const auto& outside : result->outside) {
    EXPECT_EQ(outside.op, "aten.tanh.default");
    EXPECT_EQ(outside.reason, "failed for a test");
  }
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[0].find("tanh (aten.tanh.default) stays outside"), std::string::npos);
  EXPECT_LT(builder_.builds, 25);
}

TEST_F(BuildEngines, ComesToAnEndWhereEverythingButTheTrivialFails) {
  ir::Value* last = std::get<ir::Value*>(program_.graph->outputs()[0]);
  for (int i = 0; i < 200; ++i) last = add("aten.neg.default", {last});
  program_.graph->outputs()[0] = last;
  builder_.fails = [](const std::string& operators) { return operators != " "; };
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 0u);
  EXPECT_EQ(result->outside.size(), 204u);
  EXPECT_LT(builder_.builds, 150);
}

TEST_F(BuildEngines, BlamesNoNodeWhereNothingIsBuilt) {
  builder_.fails = [](const std::string&) { return true; };
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(result.error().message().find("builds nothing here"), std::string::npos);
  EXPECT_NE(result.error().message().find("failed for a test"), std::string::npos);
}

// A crash of the real library, in a process of its own.
TEST_F(BuildEngines, ACrashLeavesItsNodeOutside) {
  use(openvino::make_builder(
      {}, {.worker = engine_build::make_helper(SLIPWAY_STAND_IN_HELPER, false, {})}));
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 2u);
  ASSERT_EQ(result->outside.size(), 1u);
  EXPECT_EQ(result->outside[0].op, "aten.tanh.default");
  EXPECT_NE(result->outside[0].reason.find("Segmentation fault"), std::string::npos);
}

TEST_F(BuildEngines, ALackOfMemoryIsNoNodesFault) {
  use(openvino::make_builder(
      {}, {.worker = engine_build::make_helper(SLIPWAY_STAND_IN_HELPER, false, {})}));
  ir::Value* last = std::get<ir::Value*>(program_.graph->outputs()[0]);
  program_.graph->outputs()[0] = add("aten.log.default", {last});
  options_.exclude_ops = {"aten.tanh"};
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(result.error().message().find("exclude_ops"), std::string::npos);
}

TEST_F(BuildEngines, AnEngineThatComputesAsTheKernelsPassesTheCheck) {
  ir::Value* last = std::get<ir::Value*>(program_.graph->outputs()[0]);
  // NaN and infinities: tanh and exp of them, and the logarithm of what is below 0.
  program_.graph->outputs()[0] = add("aten.log.default", {add("aten.cos.default", {last})});
  builder_.runs = true;
  options_.check = EngineCheck::kFail;
  std::vector<std::string> warnings;
  options_.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 1u);
  EXPECT_EQ(builder_.checks, 1);
  EXPECT_TRUE(warnings.empty()) << warnings[0];
}

TEST_F(BuildEngines, AWrongEngineLeavesTheNodeOutside) {
  builder_.runs = true;
  builder_.computes_wrongly = {"aten.tanh.default"};
  for (const EngineCheck check : {EngineCheck::kSmall, EngineCheck::kOutside}) {
    ir::Program program = program_.clone();
    options_.check = check;
    std::vector<std::string> warnings;
    options_.on_warning = [&](const std::string& text) { warnings.push_back(text); };
    auto result = build_engines(program, compilers_, options_);
    ASSERT_TRUE(result.ok()) << result.error().message();
    EXPECT_EQ(result->engines.size(), 2u);
    ASSERT_EQ(result->outside.size(), 1u);
    EXPECT_EQ(result->outside[0].op, "aten.tanh.default");
    ASSERT_EQ(warnings.size(), 1u);
    for (const char* part : {"tanh (aten.tanh.default) stays outside", "of tanh, on random numbers",
                             "4 of 4 elements differ", "instead of"}) {
      EXPECT_NE(warnings[0].find(part), std::string::npos) << warnings[0];
    }
  }
}

TEST_F(BuildEngines, AWrongEngineFailsWhereThatIsAskedFor) {
  builder_.runs = true;
  builder_.computes_wrongly = {"aten.tanh.default"};
  options_.check = EngineCheck::kFail;
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message().find("4 of 4 elements differ"), std::string::npos);
}

TEST_F(BuildEngines, ChecksSmallEnginesOrNoneAsAsked) {
  builder_.runs = true;
  options_.check = EngineCheck::kOff;
  ir::Program program = program_.clone();
  ASSERT_TRUE(build_engines(program, compilers_, options_).ok());
  EXPECT_EQ(builder_.checks, 0);

  // More elements than a small engine may have multiply-adds.
  for (ir::Value* input : program_.graph->inputs()) {
    input->set_type({.dtype = DType::kFloat32, .sizes = {1'000'001}, .strides = {}});
  }
  for (const auto& node : program_.graph->nodes()) {
    node->output()->set_type({.dtype = DType::kFloat32, .sizes = {1'000'001}, .strides = {}});
  }
  options_.check = EngineCheck::kSmall;
  ASSERT_TRUE(build_engines(program_, compilers_, options_).ok());
  EXPECT_EQ(builder_.checks, 0);
}

TEST_F(BuildEngines, ChecksTheSizesThatAreSmallEnough) {
  builder_.runs = true;
  builder_.computes_wrongly = {"aten.tanh.default"};
  const ir::TensorType type = {
      .dtype = DType::kFloat32, .sizes = {ir::SymInt::symbol("s0")}, .strides = {}};
  for (ir::Value* each : program_.graph->inputs()) each->set_type(type);
  for (const auto& node : program_.graph->nodes()) node->output()->set_type(type);
  program_.ranges["s0"] = {2, 1'000'001};
  std::vector<std::string> warnings;
  options_.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  options_.check = EngineCheck::kSmall;
  ASSERT_TRUE(build_engines(program_, compilers_, options_).ok());
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("with s0 = 2, 2 of 2 elements differ"), std::string::npos)
      << warnings[0];
}

TEST_F(BuildEngines, ChecksIndicesUpToTheLast) {
  builder_.runs = true;
  options_.check = EngineCheck::kOutside;
  ir::ConstantData zeros = {.sizes = {1000}, .strides = {1}, .storage = {}};
  zeros.storage = own_bytes(std::vector<std::byte>(1000 * sizeof(float)));
  ir::Value* table = program_.add_constant("table", std::move(zeros));
  ir::Value* index = program_.graph->inputs()[0];
  index->set_type({.dtype = DType::kInt64, .sizes = {64}, .strides = {}});
  ir::Value* found = add("aten.index_select.default", {table, ir::SymInt(0), index});
  found->set_type({.dtype = DType::kFloat32, .sizes = {64}, .strides = {}});
  program_.graph->outputs()[0] = found;
  ASSERT_TRUE(build_engines(program_, compilers_, options_).ok());
  ASSERT_FALSE(builder_.checked_integers.empty());
  EXPECT_EQ(*builder_.checked_integers.begin(), 0);
  EXPECT_EQ(*builder_.checked_integers.rbegin(), 999);
  EXPECT_GT(builder_.checked_integers.size(), 10U);
}

TEST_F(BuildEngines, SaysWhatItDoesNotCheck) {
  options_.check = EngineCheck::kOutside;
  std::vector<std::string> warnings;
  options_.on_warning = [&](const std::string& text) { warnings.push_back(text); };
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 1u);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("is not checked: this engine is not run here"), std::string::npos);
}

TEST_F(BuildEngines, LeavesWhatIsExcludedOnKernels) {
  options_.exclude_ops = {"aten.cos"};
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 2u);
  ASSERT_EQ(result->outside.size(), 1u);
  EXPECT_NE(result->outside[0].reason.find("excluded by its operator"), std::string::npos);
}

TEST_F(BuildEngines, LeavesSmallGroupsOnKernels) {
  options_.exclude_nodes = {"tanh"};
  options_.min_partition_size = 2;
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  ASSERT_EQ(result->engines.size(), 1u);
  EXPECT_EQ(text(result->engines[0]), "aten.add.Tensor aten.cos.default ");
  EXPECT_EQ(result->outside.size(), 2u);
}

TEST_F(BuildEngines, RequireFullListsWhatWouldStayOutside) {
  options_.require_full = true;
  ir::Value* last = std::get<ir::Value*>(program_.graph->outputs()[0]);
  program_.graph->outputs()[0] = add("aten.sin.default", {last});
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_FALSE(result.ok());
  const std::string& message = result.error().message();
  EXPECT_NE(message.find("chain.pt2"), std::string::npos) << message;
  EXPECT_NE(message.find("sin (aten.sin.default): no sines here"), std::string::npos) << message;
  EXPECT_EQ(builder_.builds, 0);
}

TEST_F(BuildEngines, TakesEqualEnginesFromTheCache) {
  options_.cache = testing::TempDir() + "slipway_engines_test";
  ir::Program again = program_.clone();
  auto first = build_engines(program_, compilers_, options_);
  auto second = build_engines(again, compilers_, options_);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(builder_.builds, 1);
  EXPECT_EQ(text(first->engines[0]), text(second->engines[0]));
  std::system(("rm -rf '" + options_.cache + "'").c_str());
}

// A list of two engines, of which the first takes no cosine and the second nothing else.
TEST_F(BuildEngines, GivesEachNodeToTheFirstEngineThatTakesIt) {
  options_.engines = {{"first"}, {"second"}};
  builder_.unsupported = {"aten.cos.default"};
  compilers_.push_back(std::make_unique<StandInCompiler>());
  StandIn& second = add_builder();
  second.unsupported = {"aten.add.Tensor", "aten.tanh.default", "aten.exp.default"};
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  ASSERT_EQ(result->engines.size(), 3u);
  EXPECT_EQ(builder_.builds, 2);
  EXPECT_EQ(second.builds, 1);
  EXPECT_TRUE(result->outside.empty());
  ASSERT_EQ(result->passed_over.size(), 3u);
  ASSERT_EQ(result->passed_over[1].size(), 1u);
  EXPECT_EQ(result->passed_over[1][0].op, "aten.cos.default");
  EXPECT_EQ(result->passed_over[1][0].reason.find("first: "), 0u);
  EXPECT_TRUE(result->passed_over[0].empty());
}

// What the first one refuses when it builds goes to the second one.
TEST_F(BuildEngines, TheNextEngineTakesWhatABuildRefuses) {
  options_.engines = {{"first"}, {"second"}};
  builder_.refuses = {"aten.cos.default"};
  compilers_.push_back(std::make_unique<StandInCompiler>());
  StandIn& second = add_builder();
  auto result = build_engines(program_, compilers_, options_);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 3u);
  EXPECT_EQ(second.builds, 1);
  EXPECT_TRUE(result->outside.empty());
}

TEST(Engines, HaveNamesThatAreRead) {
  for (const std::string& name : engine_names()) {
    const auto engines = parse_engines(name);
    ASSERT_TRUE(engines.ok());
    ASSERT_EQ(engines->size(), 1u);
    EXPECT_EQ(engines->front().name, name);
  }
  EXPECT_EQ(engine_names().front(), CompileOptions().engines.front().name);
  EXPECT_TRUE(parse_engines("none")->empty());
  const auto two = parse_engines("tensorrt,openvino");
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->front().name, "tensorrt");
  EXPECT_EQ(two->back().name, "openvino");
  for (const auto& [names, message] :
       {std::pair("warp", "there is no engine 'warp'"), std::pair("", "there is no engine ''"),
        std::pair("openvino,", "there is no engine ''"),
        std::pair("openvino,openvino", "the engine openvino is given twice"),
        std::pair("openvino,none", "goes with no other")}) {
    const auto wrong = parse_engines(names);
    ASSERT_FALSE(wrong.ok()) << names;
    EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(wrong.error().message().find(message), std::string::npos);
  }
}

TEST(Engines, TakeTheirOwnOptionsOnly) {
  const auto error_of = [](const EngineChoice& engine) {
    CompileOptions options;
    options.engines = {engine};
    const auto compilers = make_compilers(options);
    return compilers.ok() ? "" : compilers.error().message();
  };
  EXPECT_EQ(error_of({"openvino", {{"disable_rule", "abs-sinking"}}}), "");
  EXPECT_EQ(error_of({"tensorrt", {{"target", "sm_80"}, {"target", "sm_90"}}}), "");
  EXPECT_EQ(error_of({"openvino", {{"workspace", "1"}}}),
            "the engine openvino has no option 'workspace'");
  EXPECT_EQ(error_of({"tensorrt", {{"workspace", "1"}, {"workspace", "1"}}}),
            "option 'workspace' is given twice");
  EXPECT_NE(error_of({"warp"}).find("there is no engine 'warp'"), std::string::npos);
}

}  // namespace
}  // namespace slipway
