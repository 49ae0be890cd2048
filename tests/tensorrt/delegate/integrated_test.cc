// Engines on a GPU whose memory is the machine's: the stand-in for the driver, as GPUs at hand are
// not such.
#include <cstdlib>
#include <memory>

#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using Floats = std::vector<float>;

class IntegratedTest : public DelegateTest {
 protected:
  void SetUp() override {
    DelegateTest::SetUp();
    if (driver.is_real) GTEST_SKIP() << "what the driver says can't be changed";
    driver.is_integrated = true;
  }
  void TearDown() override {
    driver.is_integrated = false;
    driver.has_host_pages = false;
    DelegateTest::TearDown();
  }

  // Memory of the host for three numbers, so many bytes behind where TensorRT wants memory.
  float* memory(size_t offset = 0) {
    constexpr size_t kAlignment = 256;
    blocks_.emplace_back(static_cast<std::byte*>(std::aligned_alloc(kAlignment, 2 * kAlignment)),
                         std::free);
    return reinterpret_cast<float*>(blocks_.back().get() + offset);
  }

  // How many copies a run of the engine makes from or to the GPU's memory.
  int copies(const std::string& blob, float* in, float* out, const Floats& expected) {
    Handle engine(blob);
    EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
    const int before = driver.copies_to_device + driver.copies_to_host;
    std::copy_n(Floats{1, 2, 3}.begin(), 3, in);
    TestTensor x({1, 3}, {}, aten::ScalarType::Float, in);
    TestTensor y({1, 3}, {}, aten::ScalarType::Float, out);
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(Floats(out, out + 3), expected);
    return driver.copies_to_device + driver.copies_to_host - before;
  }
  int copies(float* in, float* out) {
    return copies(blob_of(doubling_metadata(), stand_in_plan(kDoubling)), in, out, {3, 5, 7});
  }

 private:
  std::vector<std::unique_ptr<std::byte, void (*)(void*)>> blocks_;
};

TEST_F(IntegratedTest, MemoryOfTheHostIsBoundWhereItIs) {
  EXPECT_EQ(copies(memory(), memory()), 2) << "which this GPU does not read";
  driver.has_host_pages = true;
  EXPECT_EQ(copies(memory(), memory()), 0);
  EXPECT_EQ(copies(memory(16), memory()), 1) << "TensorRT wants other alignment";
  driver.is_integrated = false;
  EXPECT_EQ(copies(memory(), memory()), 2) << "over the bus it would be slow";
}

TEST_F(IntegratedTest, PinnedMemoryIsBoundOnAnyOfThem) {
  const auto device = cuda::Device::open(0);
  cuda::PinnedBuffer in(*device);
  cuda::PinnedBuffer out(*device);
  const auto current = (*device)->make_current();
  ASSERT_TRUE(in.reserve(4096).ok() && out.reserve(4096).ok());
  const auto aligned = [](const cuda::PinnedBuffer& buffer) {
    const auto address = reinterpret_cast<uintptr_t>(buffer.data());
    return reinterpret_cast<float*>((address + 255) / 256 * 256);
  };
  EXPECT_EQ(copies(aligned(in), aligned(out)), 0);
  EXPECT_EQ(copies(aligned(in), memory()), 1);
}

TEST_F(IntegratedTest, AnOutputInTheMemoryOfAnInputIsRight) {
  driver.has_host_pages = true;
  Metadata metadata = doubling_metadata();
  metadata.aliased_io = {{"y", "x", "user"}};
  const std::string blob = blob_of(metadata, stand_in_plan(kDoubling));
  float* const same = memory();
  EXPECT_EQ(copies(blob, same, same, {3, 5, 7}), 0);
  EXPECT_EQ(copies(blob, memory(), memory(), {3, 5, 7}), 2) << "they are apart";
}

}  // namespace
}  // namespace slipway::tensorrt
