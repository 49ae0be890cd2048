// Engines that the runtime runs to be compared with kernels.
#include "compile/check.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compile/engines.h"
#include "engine_build/compiler.h"
#include "passes/program_test.h"
#include "xnnpack/builder/builder.h"

namespace slipway {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// XNNPACK's, with faults that a test asks for.
class FaultyXnnpack : public engine_build::Builder {
 public:
  Result<std::string> fingerprint() const override { return own_->fingerprint(); }
  onnx::LoweringOptions lowering() const override { return own_->lowering(); }
  std::optional<std::string> why_unsupported(const ir::Program& program, const ir::Node& node,
                                             const partition::IntegerRanges& all) const override {
    return own_->why_unsupported(program, node, all);
  }
  Result<onnx::Graph> prepare(onnx::Graph graph) const override {
    for (onnx::Node& node : graph.nodes) {
      if (node.op_type == "Tanh") node.op_type = in_place_of_tanh;
    }
    return own_->prepare(std::move(graph));
  }
  Result<engine_build::Outcome> build(const onnx::Graph& graph,
                                      const ByteSink& sink) const override {
    return own_->build(graph, [&](std::span<const std::byte> bytes) {
      return sink(bytes.first(cuts_off ? bytes.size() / 2 : bytes.size()));
    });
  }
  bool is_run_by_runtime() const override { return own_->is_run_by_runtime(); }

  std::string in_place_of_tanh = "Tanh";
  bool cuts_off = false;

 private:
  std::unique_ptr<Builder> own_ = xnnpack::make_builder();
};

class FaultyCompiler : public engine_build::Compiler {
 public:
  explicit FaultyCompiler(std::unique_ptr<FaultyXnnpack> builder) {
    builders_.push_back(std::move(builder));
  }
};

class CheckByRuntime : public testing::Test {
 protected:
  Result<ProgramEngines> build(EngineCheck check) {
    passes::TestProgram p;
    const ir::TensorType type = p.type({ir::SymInt::symbol("s0"), 4});
    p.program.ranges["s0"] = {1, 8};
    ir::Value* sum =
        p.call("aten.add.Tensor", {p.input("x", type), p.input("y", type)}, type, "sum");
    ir::Value* tanh = p.call("aten.tanh.default", {sum}, type, "tanh");
    p.output(p.call("aten.abs.default", {tanh}, type, "abs"));
    Compilers compilers;
    compilers.push_back(std::make_unique<FaultyCompiler>(std::move(builder_)));
    CompileOptions options;
    options.check = check;
    options.on_warning = [&](const std::string& text) { warnings_.push_back(text); };
    return build_engines(p.program, compilers, options);
  }

  std::unique_ptr<FaultyXnnpack> builder_ = std::make_unique<FaultyXnnpack>();
  std::vector<std::string> warnings_;
};

TEST_F(CheckByRuntime, PassesWhatComputesAsTheKernels) {
  const auto result = build(EngineCheck::kFail);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 1U);
  EXPECT_TRUE(result->outside.empty());
  EXPECT_TRUE(warnings_.empty()) << warnings_.front();
}

TEST_F(CheckByRuntime, LeavesOutsideWhatIsWrong) {
  builder_->in_place_of_tanh = "Neg";
  const auto result = build(EngineCheck::kSmall);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->engines.size(), 2U);
  EXPECT_THAT(warnings_, ElementsAre(AllOf(
                             HasSubstr("tanh (aten.tanh.default) stays outside"),
                             HasSubstr("on random numbers with s0 = 1, 4 of 4 elements differ"))));
}

TEST_F(CheckByRuntime, FailsWhereThatIsAskedFor) {
  builder_->in_place_of_tanh = "Neg";
  const auto result = build(EngineCheck::kFail);
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.error().message(), HasSubstr("other numbers than ExecuTorch's kernels"));
}

TEST_F(CheckByRuntime, LeavesOutsideWhatDoesNotRun) {
  builder_->cuts_off = true;
  const auto result = build(EngineCheck::kSmall);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->engines.empty());
  ASSERT_EQ(warnings_.size(), 3U);
  EXPECT_THAT(warnings_, Each(HasSubstr("does not run where the kernels do: a part of ")));
}

}  // namespace
}  // namespace slipway
