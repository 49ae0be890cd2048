// Engines with several ways to compute: any of them can be chosen, and the fastest is found.
#include <cmath>
#include <numeric>

#include "base/hash.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/delegate/generated_test.h"
#include "cuda/format/description.h"
#include "cuda/format/steps.h"
#include "engine/tuner.h"
#include "onnx/graph_maker_test.h"
#include "runtime/backends.h"

namespace slipway::cuda {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Collector final : public engine::Tuner {
 public:
  void progress(size_t done, size_t total) override { steps.emplace_back(done, total); }
  void found(const engine::FoundChoices& choices) override { all.push_back(choices); }
  std::vector<std::pair<size_t, size_t>> steps;
  std::vector<engine::FoundChoices> all;
};

class CudaTuning : public CudaDelegateTest {
 protected:
  void SetUp() override {
    CudaDelegateTest::SetUp();
    if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++, and has times of its own";
  }
  void TearDown() override {
    driver.processors = 4;
    CudaDelegateTest::TearDown();
  }
  // What the first way to scale gives and the others add is 0, 10 or 20.
  static int alternative_of(Handle& engine) {
    TestTensor x({1, 3}, {1, 2, 3});
    TestTensor y({1, 3}, Floats(3));
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    const float added = y.data().at(0) / 2 - 2;
    EXPECT_EQ(y.data(), (Floats{4 + 2 * added, 42 + 2 * added, 602 + 2 * added}));
    return static_cast<int>(added / 10);
  }
};

TEST_F(CudaTuning, WhatIsChosenRuns) {
  for (uint8_t i = 0; i < 3; ++i) {
    for (const bool graphs : {false, true}) {
      Handle engine(chosen(choosing().blob(), {i}, ""), {}, {graphs_option(graphs)});
      const int launches = driver.launches;
      for (int call = 0; call < 3; ++call) EXPECT_EQ(alternative_of(engine), i);
      EXPECT_EQ(driver.launches, launches + (graphs ? 4 : 6));
    }
  }
}

TEST_F(CudaTuning, TheFirstCallFindsTheFastest) {
  const auto blob = choosing().blob();
  Collector collector;
  auto guard = runtime::TuningGuard::create(kBackend, collector);
  ASSERT_TRUE(guard.ok()) << guard.error().message();
  Handle engine(blob, {}, {graphs_option()});
  EXPECT_EQ(alternative_of(engine), 0);  // The call itself is of what was chosen before.
  ASSERT_EQ(collector.all.size(), 1u);
  const engine::FoundChoices& found = collector.all[0];
  EXPECT_EQ(found.xxh3, xxh3_hex(blob));
  EXPECT_THAT(found.choices.alternatives, ElementsAre(1));
  EXPECT_EQ(found.tuned.device, "stand-in 0 (4 multiprocessors), CUDA 13.2");
  // A block takes a millisecond there: four and two, and one behind them.
  EXPECT_EQ(found.tuned.before, 5);
  EXPECT_EQ(found.tuned.after, 3);
  ASSERT_EQ(found.tuned.choices.size(), 1u);
  const TunedChoice& choice = found.tuned.choices[0];
  EXPECT_EQ(choice.origin, "aten.mul.Tensor");
  EXPECT_EQ(choice.plan, "blocks of another number");
  EXPECT_EQ(choice.alternative, 1u);
  EXPECT_EQ(choice.alternatives, 3u);
  EXPECT_EQ(choice.launches, 1u);
  EXPECT_THAT(collector.steps, ElementsAre(std::pair(0, 1), std::pair(1, 1)));
  // It goes on with that, and times nothing again.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(alternative_of(engine), 1);
  EXPECT_EQ(collector.all.size(), 1u);
  Handle plain(affine().blob());
  EXPECT_EQ(alternative_of(plain), 0);
  EXPECT_EQ(collector.all.size(), 1u);
}

TEST_F(CudaTuning, WithoutATunerNothingIsTimed) {
  {
    Collector gone;
    auto guard = runtime::TuningGuard::create(kBackend, gone);
  }
  Handle engine(choosing().blob());
  const int graphs = driver.graphs;
  EXPECT_EQ(alternative_of(engine), 0);
  EXPECT_EQ(driver.graphs, graphs);
}

TEST_F(CudaTuning, AnErrorWhileTimingIsOneOfTheCall) {
  Collector collector;
  auto guard = runtime::TuningGuard::create(kBackend, collector);
  Handle engine(choosing().blob());
  driver.graph_errors = 1;
  TestTensor x({1, 3}, {1, 2, 3});
  TestTensor y({1, 3}, Floats(3));
  EXPECT_NE(engine.run({&x, &y}), et::Error::Ok);
  EXPECT_THAT(engine.log(), HasSubstr("a CUDA graph can't be recorded"));
  EXPECT_TRUE(collector.all.empty());
  EXPECT_EQ(alternative_of(engine), 0);
}

TEST_F(CudaTuning, ChoicesOfAnotherGpuAreNotTaken) {
  const auto blob = chosen(choosing().blob(), {2}, "stand-in 0 (4 multiprocessors), CUDA 12.4");
  Handle own(blob);  // with another driver
  EXPECT_EQ(alternative_of(own), 2);
  EXPECT_THAT(own.log(), testing::Not(HasSubstr("tuned")));
  driver.processors = 40;
  Handle other(blob);
  EXPECT_THAT(other.log(),
              HasSubstr("it was tuned on stand-in 0 (4 multiprocessors), CUDA 12.4, and runs on "
                        "stand-in 0 (40 multiprocessors)"));
  EXPECT_EQ(alternative_of(other), 0);
}

// All that Hopper has, which others do without.
constexpr Generator::Ways kOfHopper = {
    .candidates = 16, .are_for_hopper = true, .are_for_others = false};

// A product of `m` rows and 400 terms, of float32 that is rounded to the type first.
std::vector<std::byte> product(DType type, int64_t m, int64_t n, Generator::Ways ways) {
  onnx::GraphMaker maker;
  const auto to = int64_t{type == DType::kFloat32 ? 1 : type == DType::kFloat16 ? 10 : 16};
  for (const auto& [name, rows] : {std::pair("a", m), {"b", n}}) {
    maker.input(name, {rows, 400});
    maker.node("Cast", {name}, std::string(name) + "_rounded", {{"to", to}});
    maker.node("Cast", {std::string(name) + "_rounded"}, std::string(name) + "_float",
               {{"to", int64_t{1}}});
  }
  maker.node("Gemm", {"a_float", "b_float"}, "result", {{"transB", int64_t{1}}});
  maker.output("result", {m, n});
  return blob_of(maker.graph, ways);
}

TEST_F(CudaTuning, EveryWayToComputeAProductGivesIt) {
  constexpr int kM = 70;
  constexpr int kN = 40;
  constexpr int kK = 400;
  Floats a;
  Floats b;
  for (int i = 0; i < kM * kK; ++i) a.push_back(static_cast<float>(i % 7 - 3));
  for (int i = 0; i < kN * kK; ++i) b.push_back(static_cast<float>(i % 5 - 2));
  Floats expected;  // exact
  for (int m = 0; m < kM; ++m) {
    for (int n = 0; n < kN; ++n) {
      float sum = 0;
      for (int k = 0; k < kK; ++k) sum += a[m * kK + k] * b[n * kK + k];
      expected.push_back(sum);
    }
  }
  const std::pair<DType, Generator::Ways> cases[] = {{DType::kFloat32, {.candidates = 6}},
                                                     {DType::kFloat16, {.candidates = 6}},
                                                     {DType::kFloat16, kOfHopper}};
  for (const auto& [type, ways] : cases) {
    const auto blob = product(type, kM, kN, ways);
    const table::EngineT made = read_blob(blob)->engine;
    ASSERT_EQ(made.choices.size(), 1u);
    const bool has_clusters =
        std::any_of(made.steps.begin(), made.steps.end(), [](const auto& step) {
          return info_of(step).plan.find("by clusters") != std::string_view::npos;
        });
    EXPECT_EQ(has_clusters, ways.are_for_hopper);
    const uint32_t count = count_alternatives(made).at(0);
    EXPECT_GE(count, 6u);
    for (uint32_t i = 0; i < count; ++i) {
      Handle engine(chosen(blob, {static_cast<uint8_t>(i)}, ""));
      ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
      TestTensor left({kM, kK}, a);
      TestTensor right({kN, kK}, b);
      TestTensor sums({kM, kN}, Floats(kM * kN));
      ASSERT_EQ(engine.run({&left, &right, &sums}), et::Error::Ok) << engine.log();
      EXPECT_EQ(sums.data(), expected) << "alternative " << i;
    }
  }
}

struct AttentionCase {
  int queries;
  int keys;
  int width;
  bool is_causal;
  Generator::Ways ways;
  uint32_t count;  // of alternatives
};

// Of two heads, rounded to float16, whose values are the keys.
std::vector<std::byte> attention(const AttentionCase& of) {
  onnx::GraphMaker maker;
  const auto input = [&](const std::string& name, int64_t rows) {
    maker.input(name, {1, 2, rows, of.width});
    maker.node("Cast", {name}, name + "_half", {{"to", int64_t{10}}});
    maker.node("Cast", {name + "_half"}, name + "_float", {{"to", int64_t{1}}});
  };
  input("q", of.queries);
  input("k", of.keys);
  maker.node("Transpose", {"k_float"}, "turned", {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  maker.node("MatMul", {"q_float", "turned"}, "products");
  std::string scores = "products";
  if (of.is_causal) {
    const auto numbers = [&](const char* name, const std::vector<int64_t>& sizes, int count) {
      std::vector<int64_t> all(count);
      std::iota(all.begin(), all.end(), 0);
      maker.constant(name, DType::kInt64, sizes, all);
    };
    numbers("rows", {of.queries, 1}, of.queries);
    numbers("columns", {1, of.keys}, of.keys);
    maker.constant("never", DType::kFloat32, {}, Floats{-INFINITY});
    maker.node("GreaterOrEqual", {"rows", "columns"}, "allowed");
    maker.node("Where", {"allowed", "products", "never"}, "scores");
    scores = "scores";
  }
  maker.node("Softmax", {scores}, "weights");
  maker.node("MatMul", {"weights", "k_float"}, "result");
  maker.output("result", {1, 2, of.queries, of.width});
  return blob_of(maker.graph, of.ways);
}

void expect_attention(const AttentionCase& of) {
  const auto numbers = [&](int rows, int period) {
    const int middle = period / 2;
    Floats made;
    for (int i = 0; i < 2 * rows * of.width; ++i) {
      made.push_back(static_cast<float>(i * 7 % period - middle) / 16);
    }
    return made;
  };
  const Floats q = numbers(of.queries, 13);
  const Floats k = numbers(of.keys, 17);
  Floats expected;
  for (int row = 0; row < 2 * of.queries; ++row) {
    const int first = row / of.queries * of.keys;
    const int seen = of.is_causal ? std::min(row % of.queries + 1, of.keys) : of.keys;
    std::vector<double> sums(of.width);
    double total = 0;
    for (int key = first; key < first + seen; ++key) {
      double score = 0;
      for (int i = 0; i < of.width; ++i) score += q[row * of.width + i] * k[key * of.width + i];
      total += std::exp(score);
      for (int i = 0; i < of.width; ++i) sums[i] += std::exp(score) * k[key * of.width + i];
    }
    for (const double sum : sums) expected.push_back(static_cast<float>(sum / total));
  }
  const auto blob = attention(of);
  ASSERT_EQ(*kDescription.count_choices(blob), 1u);
  const auto count = count_alternatives(read_blob(blob)->engine).at(0);
  EXPECT_EQ(count, of.count);
  for (uint32_t i = 0; i < count; ++i) {
    Handle engine(chosen(blob, {static_cast<uint8_t>(i)}, ""));
    ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor queries({1, 2, of.queries, of.width}, q);
    TestTensor keys({1, 2, of.keys, of.width}, k);
    TestTensor result({1, 2, of.queries, of.width}, Floats(expected.size()));
    ASSERT_EQ(engine.run({&queries, &keys, &result}), et::Error::Ok) << engine.log();
    EXPECT_THAT(result.data(), testing::Pointwise(testing::FloatNear(1e-3F), expected)) << i;
  }
}

TEST_F(CudaTuning, EveryWayToComputeAttentionGivesIt) {
  expect_attention({40, 130, 32, false, {.candidates = 6}, 4});
  expect_attention({80, 130, 40, true, {.candidates = 6}, 4});
}

TEST_F(CudaTuning, EveryWayOfHopperToComputeAttentionGivesIt) {
  expect_attention({130, 70, 72, false, kOfHopper, 5});
  expect_attention({70, 130, 40, true, kOfHopper, 6});
}

}  // namespace
}  // namespace slipway::cuda
