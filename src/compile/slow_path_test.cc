#include "compile/slow_path.h"

#include <gtest/gtest.h>

#include "ir/op_builder.h"

namespace slipway {
namespace {

// A float64 product that an engine leaves outside, and an operator that no option takes in.
class SlowPathTest : public testing::Test {
 protected:
  void SetUp() override {
    program_.source = "model.pt2";
    ir::Input input;
    input.name = "x";
    input.value =
        program_.graph->add_input("x", {.dtype = DType::kFloat64, .sizes = {2, 2}, .strides = {}});
    program_.inputs.push_back(input);
    ir::OpBuilder b(*program_.graph, nullptr, nullptr);
    ir::Value* product =
        b.call("aten.mm.default", {input.value, input.value}, DType::kFloat64, {2, 2});
    ir::Value* odd = b.call("custom.odd.default", {product}, DType::kFloat64, {2, 2});
    program_.graph->outputs().emplace_back(odd);
    program_.outputs.emplace_back();
    parts_.nodes = {{"relu (aten.relu.default)"}};
    parts_.outside = {{product->producer()->name(), "aten.mm.default", "of float64"},
                      {odd->producer()->name(), "custom.odd.default", "it is not known"}};
    options_.on_warning = [this](const std::string& text) { warnings_.push_back(text); };
  }
  std::string remedy() { return slow_path_remedy(program_, parts_, options_); }

  ir::Program program_;
  ProgramEngines parts_;
  CompileOptions options_;
  std::vector<std::string> warnings_;
};

TEST_F(SlowPathTest, NamesTheOptionThatTakesNodesIn) {
  EXPECT_EQ(remedy(), "; option 'allow_reduced_precision' takes in 1 of them");
  warn_of_slow_path(program_.source, parts_, remedy(), options_);
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(warnings_[0],
            "model.pt2: mm (aten.mm.default) on ExecuTorch's kernels, of 2 nodes outside the "
            "engines: of float64; option 'allow_reduced_precision' takes in 1 of them");
}

TEST_F(SlowPathTest, CountsNothingThatTheEngineTakesAnyway) {
  ir::Value* x =
      program_.graph->add_input("y", {.dtype = DType::kFloat32, .sizes = {2}, .strides = {}});
  program_.inputs.emplace_back().value = x;
  ir::OpBuilder b(*program_.graph, nullptr, nullptr);
  const ir::Value* relu = b.call("aten.relu.default", {x}, DType::kFloat32, {2});
  parts_.outside.push_back({relu->producer()->name(), "aten.relu.default",
                            "its partition would have 1 node, and the least is 2"});
  EXPECT_EQ(remedy(), "; option 'allow_reduced_precision' takes in 1 of them");
}

TEST_F(SlowPathTest, NamesNoOptionThatIsGivenOrDoesNotHelp) {
  options_.allow_reduced_precision = true;
  EXPECT_EQ(remedy(), "");
  options_.allow_reduced_precision = false;
  parts_.outside[0].reason = "excluded by its operator, aten.mm";
  EXPECT_EQ(remedy(), "");
  warn_of_slow_path(program_.source, parts_, remedy(), options_);
  EXPECT_TRUE(warnings_.empty());
}

}  // namespace
}  // namespace slipway
