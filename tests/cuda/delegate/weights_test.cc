// Weights that are brought to the device in each call: the same results, in less of its memory.
#include "cuda/delegate/delegate_test.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;

constexpr size_t kWidth = 1024;
constexpr uint64_t kMatrix = kWidth * sizeof(float);
constexpr int kMatrices = 8;

class CudaWeights : public CudaDelegateTest {
 protected:
  void TearDown() override {
    driver.pins_memory = true;
    CudaDelegateTest::TearDown();
  }
};

// y = (...((x + w0) * 2 + w1) * 2 ...), of [1024], each w a constant with one number in all places.
EngineMaker chain() {
  EngineMaker maker;
  const uint32_t width = maker.number(kWidth);
  const uint32_t bytes = maker.number(static_cast<int64_t>(kMatrix));
  const uint32_t blocks = maker.number(kWidth / 32);
  maker.input({width});
  maker.output({width});
  uint32_t x = maker.buffer(table::Home::Input, bytes);
  for (int i = 0; i < kMatrices; ++i) {
    const uint32_t w = maker.constant(Floats(kWidth, static_cast<float>(i + 1)));
    const bool is_last = i + 1 == kMatrices;
    const uint32_t y = maker.buffer(is_last ? table::Home::Output : table::Home::Scratch, bytes);
    maker.launch({"add", blocks, 32, {x, w}, {y}, {}, "", 0});
    x = y;
  }
  maker.images = {{"compute_10", R"(
extern "C" __global__ void add(const float* x, const float* w, float* y) {
  const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  y[i] = (x[i] + w[i]) * 2;
}
)"}};
  return maker;
}

float expected(float x) {
  for (int i = 0; i < kMatrices; ++i) x = (x + static_cast<float>(i + 1)) * 2;
  return x;
}

et::BackendOption budget_option(const std::string& value) {
  et::BackendOption option{};
  std::strcpy(option.key, "weight_streaming_budget");
  std::array<char, et::kMaxOptionValueLength> text{};
  std::copy(value.begin(), value.end(), text.begin());
  option.value = text;
  return option;
}

TEST_F(CudaWeights, ResultsAreTheSameWithEveryBudget) {
  for (const bool pins : {true, false}) {
    driver.pins_memory = pins;
    for (const bool with_graphs : {false, true}) {
      for (uint64_t matrices = 0; matrices <= kMatrices; ++matrices) {
        const uint64_t budget = matrices * kMatrix;
        Handle engine(chain().blob(), {},
                      {budget_option(std::to_string(budget)), graphs_option(with_graphs)});
        ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
        for (const float number : {1.0F, 2.0F, 3.0F, 4.0F}) {
          TestTensor x({kWidth}, Floats(kWidth, number));
          TestTensor y({kWidth}, Floats(kWidth));
          const int up = driver.copies_to_device;
          ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
          ASSERT_EQ(y.data(), Floats(kWidth, expected(number))) << budget << " " << with_graphs;
          if (with_graphs) continue;
          const int least = 2;
          const int brought =
              matrices < kMatrices ? kMatrices + 2 - std::max<int>(int(matrices), least) : 0;
          EXPECT_EQ(driver.copies_to_device - up, 1 + brought) << budget;
        }
      }
    }
  }
}

TEST_F(CudaWeights, TakeNoMoreOfTheDeviceThanTheBudget) {
  const auto used = [&](const std::vector<et::BackendOption>& options) {
    Handle engine(chain().blob(), {}, options);
    TestTensor x({kWidth}, Floats(kWidth, 1));
    TestTensor y({kWidth}, Floats(kWidth));
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    return +driver.used;
  };
  const size_t all = used({});
  EXPECT_EQ(used({budget_option(std::to_string(3 * kMatrix))}), all - 5 * kMatrix);
  et::BackendOption number = budget_option("");
  number.value = static_cast<int>(4 * kMatrix);
  EXPECT_EQ(used({number}), all - 4 * kMatrix);
}

TEST_F(CudaWeights, AFileMayHaveABudgetThatALoadOptionGoesBefore) {
  const auto used = [&](const std::vector<et::BackendOption>& options) {
    const Handle engine(chain().blob(), {{"weight_streaming_budget", std::to_string(3 * kMatrix)}},
                        options);
    EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
    return +driver.used;
  };
  const size_t by_file = used({});
  EXPECT_EQ(used({budget_option(std::to_string(5 * kMatrix))}), by_file + 2 * kMatrix);
  const Handle wrong(chain().blob(), {{"weight_streaming_budget", "3GB"}});
  EXPECT_EQ(wrong.error(), et::Error::InvalidProgram);
  EXPECT_THAT(wrong.log(), HasSubstr("the file's compile spec weight_streaming_budget is '3GB'"));
}

TEST_F(CudaWeights, ABudgetThatIsTooSmallSaysWhatIsTheLeast) {
  Handle engine(chain().blob(), {}, {budget_option("100")});
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  EXPECT_THAT(engine.log(), HasSubstr("weights take 8192 bytes on the device at the least, and "
                                      "not the 100 asked for"));
}

TEST_F(CudaWeights, WhatIsNoBudgetIsRefused) {
  for (const char* text : {"-1", "1e9", "all", "9223372036854775808"}) {
    Handle engine(chain().blob(), {}, {budget_option(text)});
    EXPECT_EQ(engine.error(), et::Error::InvalidProgram) << text;
    EXPECT_THAT(engine.log(), HasSubstr("must be a number of bytes"));
  }
}

TEST_F(CudaWeights, ACallThatFailsLeavesTheNextOneRight) {
  Handle engine(chain().blob(), {}, {budget_option(std::to_string(2 * kMatrix))});
  TestTensor x({kWidth}, Floats(kWidth, 1));
  TestTensor y({kWidth}, Floats(kWidth));
  driver.work_error = 700;
  EXPECT_NE(engine.run({&x, &y}), et::Error::Ok);
  ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), Floats(kWidth, expected(1)));
}

TEST_F(CudaWeights, MemoryThatIsNotThereIsAnError) {
  driver.memory = 5 * kMatrix;
  const std::string log = Handle(chain().blob()).log();
  EXPECT_THAT(log, HasSubstr("no memory of 32768 bytes"));
  Handle engine(chain().blob(), {}, {budget_option("0")});
  EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
}

}  // namespace
}  // namespace slipway::cuda
