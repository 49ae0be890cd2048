// Convolutions of images of few channels, which are padded to whole vectors in memory.
#include "base/half.h"
#include "cuda/builder/generator_test.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/delegate/generated_test.h"

namespace slipway::cuda {
namespace {

constexpr int kChannels = 3;
constexpr int kFilters = 8;
constexpr int kHeight = 64;
constexpr int kAcross = 65;

float image_at(int c, int y, int x) {
  const bool is_inside = y >= 0 && y < kHeight && x >= 0 && x < kAcross;
  return is_inside ? static_cast<float>((c * 5 + y * 3 + x) % 9 - 4) : 0;
}
float filter_at(int f, int c, int y, int x) {
  return static_cast<float>((f * 7 + c * 3 + y * 2 + x) % 5 - 2);
}

TEST_F(CudaDelegateTest, ImagesOfFewChannelsArePadded) {
  if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  for (const DType type : {DType::kFloat16, DType::kFloat32}) {
    const bool is_half_type = type == DType::kFloat16;
    Maker m;
    m.input("image", {1, kChannels, kHeight, kAcross});
    Floats filters;
    for (int i = 0; i < kFilters * kChannels * 9; ++i) {
      filters.push_back(filter_at(i / 27, i / 9 % 3, i / 3 % 3, i % 3));
    }
    if (is_half_type) {
      add_half(m, "image", "x", type);
      std::vector<uint16_t> halves;
      for (const float each : filters) halves.push_back(to_float16(each));
      m.constant("filters", type, {kFilters, kChannels, 3, 3}, halves);
      m.node("Cast", {"filters"}, "w", {{"to", int64_t{1}}});
    } else {
      m.node("Neg", {"image"}, "negative");
      m.node("Neg", {"negative"}, "x");
      m.constant("w", type, {kFilters, kChannels, 3, 3}, filters);
    }
    m.node("Conv", {"x", "w"}, "y", {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    m.output("y", {1, kFilters, kHeight, kAcross});
    const auto blob = blob_of(m.graph, {});
    const table::EngineT made = read_blob(blob)->engine;
    const int64_t padded = kHeight * kAcross * 16;  // bytes of a place
    EXPECT_TRUE(std::any_of(made.buffers.begin(), made.buffers.end(), [&](const auto& buffer) {
      return buffer->home == table::Home::Scratch && made.numbers[buffer->bytes]->value == padded;
    }));
    Floats image;
    for (int i = 0; i < kChannels * kHeight * kAcross; ++i) {
      image.push_back(image_at(i / kAcross / kHeight, i / kAcross % kHeight, i % kAcross));
    }
    Floats expected;
    for (int i = 0; i < kFilters * kHeight * kAcross; ++i) {
      float sum = 0;
      for (int tap = 0; tap < kChannels * 9; ++tap) {
        const int down = tap / 3 % 3;
        const int right = tap % 3;
        sum += image_at(tap / 9, i / kAcross % kHeight + down - 1, i % kAcross + right - 1) *
               filter_at(i / kAcross / kHeight, tap / 9, down, right);
      }
      expected.push_back(sum);
    }
    Handle engine(blob);
    ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor x({1, kChannels, kHeight, kAcross}, image);
    TestTensor y({1, kFilters, kHeight, kAcross}, Floats(expected.size()));
    ASSERT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.data(), expected) << is_half_type;
  }
}

}  // namespace
}  // namespace slipway::cuda
