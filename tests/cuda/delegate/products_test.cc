// Products that a library computes: cuBLASLt, by a stand-in.
#include <cstdlib>

#include "base/half.h"
#include "cuda/builder/generator_test.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/delegate/generated_test.h"
#include "cuda/format/description.h"
#include "engine/tuner.h"
#include "runtime/backends.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;

constexpr int kM = 40;
constexpr int kN = 24;
constexpr int kK = 48;

// y = f(x w + bias) of a half type, whose x and y are float32.
struct Linear {
  DType type = DType::kFloat16;
  bool has_bias = true;
  bool lies_along_k = true;  // of the weight
  std::string behind = {};   // an operator, on what is rounded
  ir::SymInt rows = kM;
  uint32_t candidates = 1;
  bool adds = false;  // what another product gave, which is taken away again
};

uint16_t half(float value, DType type) {
  return type == DType::kFloat16 ? to_float16(value) : to_bfloat16(value);
}
float x_at(int m, int k) { return static_cast<float>((m * 3 + k * 5) % 7 - 3); }
float w_at(int k, int n) { return static_cast<float>((k * 2 + n) % 5 - 2); }
float bias_at(int n) { return static_cast<float>(n % 3 - 1); }

std::vector<std::byte> built(const Linear& linear) {
  Maker m;
  m.input("x", {linear.rows, kK});
  add_half(m, "x", "a", linear.type);
  std::vector<uint16_t> weight(kK * kN);
  for (int k = 0; k < kK; ++k) {
    for (int n = 0; n < kN; ++n) {
      weight[linear.lies_along_k ? n * kK + k : k * kN + n] = half(w_at(k, n), linear.type);
    }
  }
  const std::vector<int64_t> sizes =
      linear.lies_along_k ? std::vector<int64_t>{kN, kK} : std::vector<int64_t>{kK, kN};
  m.constant("w", linear.type, sizes, weight);
  const std::vector<std::pair<std::string, onnx::Attribute>> to_float = {{"to", int64_t{1}}};
  m.node("Cast", {"w"}, "weight", to_float);
  std::string b = "weight";
  if (linear.lies_along_k) {
    m.node("Transpose", {"weight"}, "turned", {{"perm", std::vector<int64_t>{1, 0}}});
    b = "turned";
  }
  if (linear.adds) {
    m.node("MatMul", {"a", b}, "earlier");
    add_half(m, "earlier", "other", linear.type);
  }
  m.node("MatMul", {"a", b}, "product");
  std::string y = "product";
  if (linear.has_bias) {
    std::vector<uint16_t> bias;
    for (int n = 0; n < kN; ++n) bias.push_back(half(bias_at(n), linear.type));
    m.constant("c", linear.type, {kN}, bias);
    m.node("Cast", {"c"}, "bias", to_float);
    m.node("Add", {y, "bias"}, "sum");
    y = "sum";
  }
  add_half(m, y, "rounded", linear.type);
  y = "rounded";
  if (linear.adds) {
    m.node("Add", {"other", y}, "both");
    add_half(m, "both", "both_rounded", linear.type);
    m.node("Sub", {"both_rounded", "other"}, "difference");
    y = "difference";
  }
  if (!linear.behind.empty()) {
    m.node(linear.behind, {y}, "behind");
    y = "behind";
  }
  // By a kernel of its own, as the caller's memory is none that a library writes.
  m.integers("axes", {1});
  m.node("ReduceMax", {y, "axes"}, "most", {{"keepdims", int64_t{1}}});
  m.node("Sub", {y, "most"}, "below");
  m.node("Add", {"below", "most"}, "y");
  m.output("y", {linear.rows, kN});
  return blob_of(m.graph, {.candidates = linear.candidates, .with_cublaslt = true});
}

Floats expected(const Linear& linear, int rows) {
  Floats y;
  for (int m = 0; m < rows; ++m) {
    for (int n = 0; n < kN; ++n) {
      float sum = linear.has_bias ? bias_at(n) : 0;
      for (int k = 0; k < kK; ++k) sum += x_at(m, k) * w_at(k, n);
      y.push_back(linear.behind == "Relu"  ? std::max(sum, 0.0F)
                  : linear.behind == "Neg" ? -sum
                                           : sum);
    }
  }
  return y;
}

class CudaProducts : public CudaDelegateTest {
 protected:
  void SetUp() override {
    CudaDelegateTest::SetUp();
    if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
    use_stand_in_cublaslt(SLIPWAY_TEST_DRIVERS);
  }
  void TearDown() override {
    ::unsetenv(kVariable);
    driver.library_error = 0;
    EXPECT_EQ(driver.live_libraries, 0);
    CudaDelegateTest::TearDown();
  }
  // How many products the library computed; the results are held against those expected.
  int run(Handle& engine, const Linear& linear, int rows = kM) {
    EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
    Floats given;
    for (int m = 0; m < rows; ++m) {
      for (int k = 0; k < kK; ++k) given.push_back(x_at(m, k));
    }
    TestTensor x({rows, kK}, given);
    TestTensor y({rows, kN}, Floats(rows * kN));
    const int before = driver.library_products;
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.data(), expected(linear, rows));
    return driver.library_products - before;
  }
  // Each choice is of this alternative.
  static std::vector<std::byte> all_chosen(const std::vector<std::byte>& blob,
                                           uint8_t alternative) {
    return chosen(blob, std::vector<uint8_t>(*kDescription.count_choices(blob), alternative), "");
  }

  static constexpr const char* kVariable = "SLIPWAY_CUBLASLT";
};

TEST_F(CudaProducts, TheLibraryGivesWhatTilesGive) {
  for (const DType type : {DType::kFloat16, DType::kBFloat16}) {
    for (const bool has_bias : {true, false}) {
      for (const bool lies_along_k : {true, false}) {
        for (const char* behind : {"", "Relu", "Neg"}) {
          const Linear linear = {type, has_bias, lies_along_k, behind};
          const auto blob = built(linear);
          for (const uint8_t choice : {0, 1}) {
            Handle engine(all_chosen(blob, choice));
            EXPECT_EQ(run(engine, linear), choice) << has_bias << lies_along_k << behind;
          }
        }
      }
    }
  }
}

TEST_F(CudaProducts, ProductsOfManyRowsAreFirstByTheLibrary) {
  Maker m;
  m.input("x", {2048, 256});
  add_half(m, "x", "a", DType::kFloat16);
  m.constant("w", DType::kFloat16, {256, 256}, std::vector<uint16_t>(256 * 256));
  m.node("Cast", {"w"}, "weight", {{"to", int64_t{1}}});
  m.node("MatMul", {"a", "weight"}, "product");
  add_half(m, "product", "y", DType::kFloat16);
  m.output("y", {2048, 256});
  const auto constants = engine_build::Constants::of(m.graph);
  for (const bool with_cublaslt : {false, true}) {
    Generator generator(m.graph, *constants, {.with_cublaslt = with_cublaslt});
    EXPECT_TRUE(generator.run().empty());
    const table::EngineT engine = generator.take_engine();
    EXPECT_EQ(uses(engine, Library::kCublasLt), with_cublaslt);
    const bool is_first =
        std::any_of(engine.steps.begin(), engine.steps.end(), [&](const auto& step) {
          return step.AsProduct() != nullptr && step.AsProduct()->alternative == 0;
        });
    EXPECT_EQ(is_first, with_cublaslt);
  }
}

TEST_F(CudaProducts, RowsMayBeAnyNumber) {
  const Linear linear = {.rows = ir::SymInt::symbol("s0")};
  const auto blob = built(linear);
  for (const bool graphs : {false, true}) {
    Handle engine(all_chosen(blob, 1), {}, {graphs_option(graphs)});
    for (const int rows : {3, 40, 3, 3, 1}) EXPECT_EQ(run(engine, linear, rows), 1);
    EXPECT_EQ(run(engine, linear, 0), 0);
    EXPECT_EQ(run(engine, linear, 7), 1);
  }
}

TEST_F(CudaProducts, WhatIsRoundedFirstIsWrittenAtOnce) {
  for (const char* behind : {"", "Relu"}) {
    const auto engine = read_blob(built({.behind = behind}))->engine;
    size_t launches = 0;
    for (const auto& step : engine.steps) {
      const table::LaunchT* const launch = step.AsLaunch();
      launches += launch != nullptr && launch->choice == 1 && launch->alternative == 1 ? 1 : 0;
    }
    EXPECT_EQ(launches, *behind == '\0' ? 0u : 1u);
  }
}

TEST_F(CudaProducts, WhatIsAddedIsAddedByTheLibrary) {
  for (const bool has_bias : {true, false}) {
    Linear linear = {DType::kFloat16, has_bias};
    linear.adds = true;
    const auto blob = built(linear);
    const auto made = read_blob(blob)->engine;
    EXPECT_TRUE(std::any_of(made.steps.begin(), made.steps.end(), [](const auto& step) {
      return step.AsProduct() != nullptr && step.AsProduct()->c != 0;
    }));
    Handle engine(all_chosen(blob, 1));
    EXPECT_EQ(run(engine, linear), 2);
  }
}

TEST_F(CudaProducts, WithoutTheLibraryTilesRun) {
  const Linear linear;
  const auto blob = all_chosen(built(linear), 1);
  ::setenv(kVariable, "/nowhere/libcublasLt.so.13", 1);
  Handle engine(blob);
  EXPECT_THAT(engine.log(),
              HasSubstr("its products run by kernels of its own, and not by cuBLASLt: "
                        "/nowhere/libcublasLt.so.13, which is to be cuBLASLt, does "
                        "not exist"));
  EXPECT_EQ(run(engine, linear), 0);
  // It is not looked for where tiles are chosen.
  Handle other(built(linear));
  EXPECT_EQ(other.log(), "");
  EXPECT_EQ(run(other, linear), 0);
}

TEST_F(CudaProducts, WhatTheLibraryDoesNotComputeIsAnError) {
  Handle engine(all_chosen(built({}), 1));
  driver.library_error = 15;
  TestTensor x({kM, kK}, Floats(kM * kK));
  TestTensor y({kM, kN}, Floats(kM * kN));
  EXPECT_NE(engine.run({&x, &y}), et::Error::Ok);
  EXPECT_THAT(engine.log(), HasSubstr("product on cuda:0 (stand-in 0, compute capability 8.6): "
                                      "cuBLASLt 13.1.0 does not multiply [40, 48] by [48, 24]: the "
                                      "requested functionality is not supported"));
}

TEST_F(CudaProducts, ItsAlgorithmsAreAlternatives) {
  const Linear linear = {.candidates = 3};
  const auto blob = built(linear);
  ASSERT_EQ(count_alternatives(read_blob(blob)->engine).at(0), 6u);
  for (const uint8_t rank : {0, 1, 2}) {
    Handle engine(all_chosen(blob, 3 + rank));
    EXPECT_EQ(run(engine, linear), 1);
    EXPECT_EQ(driver.last_algorithm, rank);
  }
}

TEST_F(CudaProducts, TuningTriesTheLibrary) {
  class Collector final : public engine::Tuner {
   public:
    void progress(size_t, size_t) override {}
    void found(const engine::FoundChoices& choices) override {
      plan = choices.tuned.choices.at(0).plan;
    }
    std::string plan;
  };
  for (const bool is_there : {true, false}) {
    if (!is_there) ::setenv(kVariable, "/nowhere", 1);
    Collector collector;
    auto guard = runtime::TuningGuard::create(kBackend, collector);
    Handle engine(built({}));
    // A kernel's block takes a millisecond there, and the library nothing.
    EXPECT_EQ(run(engine, {}) > 0, is_there);
    EXPECT_EQ(collector.plan == "cuBLASLt", is_there) << collector.plan;
    EXPECT_EQ(run(engine, {}), is_there ? 1 : 0);
  }
}

}  // namespace
}  // namespace slipway::cuda
