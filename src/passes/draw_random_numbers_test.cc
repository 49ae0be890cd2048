#include <cstring>
#include <set>
#include <string>

#include "passes/passes.h"
#include "passes/program_test.h"
#include "passes/rewrite.h"

namespace slipway::passes {
namespace {

using ir::None;
using ir::SymInt;
using ir::Value;

class DrawRandomNumbersTest : public testing::Test, protected TestProgram {
 protected:
  Status draw(uint64_t seed = 0) { return apply(draw_random_numbers, seed); }
  Value* rand() {
    const std::vector<SymInt> sizes = {SymInt(3)};
    return call("aten.rand.default", {sizes, DType::kFloat32}, type({3}), "rand");
  }
  std::vector<int64_t> state() {
    for (const ir::Input& each : program.inputs) {
      if (each.kind != ir::InputKind::kBuffer) continue;
      std::vector<int64_t> numbers(3);
      std::memcpy(numbers.data(), each.data->bytes().data(), 3 * sizeof(int64_t));
      return numbers;
    }
    return {};
  }
};

TEST_F(DrawRandomNumbersTest, KeepsTheNumberOfTheRun) {
  output(rand());
  output(rand());
  ASSERT_TRUE(draw().ok());
  ASSERT_TRUE(ir::verify(program).ok());
  ASSERT_EQ(program.outputs.size(), 3U);
  EXPECT_EQ(program.outputs[0].kind, ir::OutputKind::kBufferMutation);
  EXPECT_EQ(program.outputs[0].target, program.inputs.back().target);
  for (const auto& node : graph().nodes()) EXPECT_FALSE(is_random(node->op())) << node->op();
  EXPECT_NE(graph().outputs()[1], graph().outputs()[2]);
  EXPECT_EQ(state().at(2), 0);
}

TEST_F(DrawRandomNumbersTest, BeginsWhereTheSeedSays) {
  std::set<std::vector<int64_t>> states;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, ~uint64_t{0}}) {
    program = {};
    output(rand());
    ASSERT_TRUE(draw(seed).ok());
    states.insert(state());
  }
  EXPECT_EQ(states.size(), 4U);
}

TEST_F(DrawRandomNumbersTest, AddsNoStateWhereNothingIsDrawn) {
  Value* x = input("x", type({3}));
  output(call("aten.dropout.default", {x, 0.5, false}, type({3}), "dropout"));
  output(call("aten.poisson.default", {x, None()}, type({3}), "poisson"));
  ASSERT_TRUE(draw().ok());
  EXPECT_EQ(program.inputs.size(), 1U);
  EXPECT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(graph().nodes().size(), 2U);
}

TEST_F(DrawRandomNumbersTest, NamesTheNodeThatIsInconsistent) {
  Value* x = input("x", type({3}));
  output(call("aten.dropout.default", {x, x, true}, type({3}), "dropout"));
  const Status drawn = draw();
  ASSERT_FALSE(drawn.ok());
  EXPECT_NE(drawn.error().message().find("dropout"), std::string::npos);
}

}  // namespace
}  // namespace slipway::passes
