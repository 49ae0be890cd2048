// Reductions of many rows, of which each warp takes one.
#include <algorithm>
#include <cmath>

#include "cuda/builder/generator_test.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/delegate/generated_test.h"

namespace slipway::cuda {
namespace {

TEST_F(CudaDelegateTest, ManyShortRowsAreReducedByWarps) {
  if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  constexpr int kRows = 1030;  // of the last block two
  constexpr int kLength = 70;
  Maker m;
  m.input("x", {kRows, kLength});
  m.constant("scale", DType::kFloat32, {kLength}, Floats(kLength, 2));
  m.node("LayerNormalization", {"x", "scale"}, "norm", {{"epsilon", 0.5F}});
  m.integers("axes", {1});
  m.node("ReduceMax", {"x", "axes"}, "most", {{"keepdims", int64_t{0}}});
  m.output("norm", {kRows, kLength});
  m.output("most", {kRows});
  const auto blob = blob_of(m.graph, {});
  const table::EngineT made = read_blob(blob)->engine;
  for (const auto& step : made.steps) {
    EXPECT_EQ(made.numbers[step.AsLaunch()->grid[0]]->value, (kRows + 7) / 8);
  }
  Floats x;
  Floats expected;
  Floats most;
  for (int row = 0; row < kRows; ++row) {
    double sum = 0;
    double squares = 0;
    const auto first = x.size();
    for (int i = 0; i < kLength; ++i) {
      x.push_back(static_cast<float>((row * 31 + i * 17) % 71));
      sum += x.back();
    }
    const double mean = sum / kLength;
    for (int i = 0; i < kLength; ++i) squares += std::pow(x[first + i] - mean, 2);
    for (int i = 0; i < kLength; ++i) {
      expected.push_back(
          static_cast<float>(2 * (x[first + i] - mean) / std::sqrt(squares / kLength + 0.5)));
    }
    most.push_back(*std::max_element(x.begin() + static_cast<std::ptrdiff_t>(first), x.end()));
  }
  Handle engine(blob);
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  TestTensor in({kRows, kLength}, x);
  TestTensor norm({kRows, kLength}, Floats(x.size()));
  TestTensor found({kRows}, Floats(kRows));
  ASSERT_EQ(engine.run({&in, &norm, &found}), et::Error::Ok) << engine.log();
  EXPECT_THAT(norm.data(), testing::Pointwise(testing::FloatNear(1e-5F), expected));
  EXPECT_EQ(found.data(), most);
}

}  // namespace
}  // namespace slipway::cuda
