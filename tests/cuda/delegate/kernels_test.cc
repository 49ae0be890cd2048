// What the stand-in for NVIDIA's driver makes of kernels, since all that is built is tested by it.
#include "cuda/builder/device_code.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/driver/module.h"

namespace slipway::cuda {
namespace {

using testing::HasSubstr;

class HostKernels : public CudaDelegateTest {
 protected:
  void SetUp() override {
    CudaDelegateTest::SetUp();
    if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
  }

  // What the kernel `run` of the source leaves of these numbers; its error where it fails.
  static Result<Floats> run(const std::string& source, Floats values, unsigned threads,
                            unsigned blocks = 1) {
    const DevicePointer device = *Device::open(0);
    const auto current = device->make_current();
    Stream stream = *Stream::create(device);
    auto module = Module::load(device, std::as_bytes(std::span(source)));
    if (!module.ok()) return module.error();
    const auto function = module->find("run");
    if (!function.ok()) return function.error();
    Staging memory(device);
    const size_t bytes = values.size() * sizeof(float);
    EXPECT_TRUE(memory.reserve(bytes).ok());
    EXPECT_TRUE(memory.upload(values.data(), bytes, stream).ok());
    uint64_t address = memory.address();
    void* argument = &address;
    const Driver& driver = device->driver();
    const LaunchConfig config = {{blocks, 1, 1}, {threads, 1, 1}, 0, stream.handle(), nullptr, 0};
    const int code = driver.call().launch(&config, *function, &argument, nullptr);
    EXPECT_TRUE(memory.download(memory.address(), bytes, stream).ok());
    const Status done = stream.wait();
    const Status launched = driver.check(code, "launch");
    if (!launched.ok()) return launched.error();
    if (!done.ok()) return done.error();
    EXPECT_TRUE(memory.finish_download(values.data(), bytes, stream).ok());
    return values;
  }
};

TEST_F(HostKernels, WaitForTheBlockAndForTheWarp) {
  const auto sums = run(R"(
template <class T>
__device__ T warp_sum(T x) {
  for (int d = 16; d > 0; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  return x;
}
extern "C" __global__ void __launch_bounds__(64) run(float* x) {
  __shared__ float parts[2];
  float s = warp_sum(x[blockIdx.x * 64 + threadIdx.x]);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = s;
  __syncthreads();
  x[blockIdx.x * 64 + threadIdx.x] = parts[0] + 1000 * parts[1];
}
)",
                        Floats(128, 1), 64, 2);
  ASSERT_TRUE(sums.ok()) << sums.error().message();
  EXPECT_EQ(*sums, Floats(128, 32032));
}

TEST_F(HostKernels, ThatWaitForNobodyFail) {
  const auto stuck = run(R"(
extern "C" __global__ void run(float* x) {
  if (threadIdx.x < 16) { x[0] = __shfl_sync(0xffffffffu, 1.0f, 0); } else { __syncthreads(); }
}
)",
                         Floats(32), 32);
  ASSERT_FALSE(stuck.ok());
  EXPECT_THAT(stuck.error().message(), HasSubstr("CUDA_ERROR_LAUNCH_FAILED"));
  const auto late = run(R"(
extern "C" __global__ void run(float* x) { if (threadIdx.x == 3) __syncthreads(); }
)",
                        Floats(32), 32);
  EXPECT_FALSE(late.ok()) << "the first thread does not wait, and another does";
}

TEST_F(HostKernels, ThatLeaveEarlyDoNotHoldTheOthersUp) {
  const auto left = run(R"(
extern "C" __global__ void run(float* x) {
  if (threadIdx.x == 7) return;
  x[threadIdx.x] = 1;
  __syncthreads();
  x[threadIdx.x] += x[(threadIdx.x + 1) % 8];
}
)",
                        Floats(8, 5), 8);
  ASSERT_TRUE(left.ok()) << left.error().message();
  EXPECT_EQ(left->at(7), 5);
  EXPECT_EQ(left->at(6), 6);
}

TEST_F(HostKernels, SharedMemoryIsOfALaunchAndGridsAreHeld) {
  const std::string source = R"(
extern "C" __global__ void run(float* x) { x[0] = 1; }
)";
  EXPECT_FALSE(run(source, Floats(1), 2048).ok()) << "no GPU has blocks of 2,048 threads";
  EXPECT_FALSE(run(source, Floats(1), 1, 0).ok());
  EXPECT_TRUE(run(source, Floats(1), 1024).ok());
}

TEST_F(HostKernels, MessagesOfTheCompilerAreTheErrors) {
  const auto wrong =
      run("extern \"C\" __global__ void run(float* x) { nowhere(x); }", Floats(1), 1);
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(wrong.error().message(), HasSubstr("nowhere"));
  EXPECT_THAT(run("\177ELF of a GPU", Floats(1), 1).error().message(),
              HasSubstr("CUDA_ERROR_NO_BINARY_FOR_GPU"));
}

// Two stages of two clusters, the last of which has few rows; all numbers are exact.
TEST_F(HostKernels, SwizzledTilesGiveTheSumsOfAProduct) {
  constexpr int kM = 70;
  constexpr int kN = 40;
  constexpr int kK = 200;
  Floats values;
  for (int i = 0; i < kM * kK; ++i) values.push_back(static_cast<float>(i % 7 - 3));
  for (int i = 0; i < kN * kK; ++i) values.push_back(static_cast<float>(i % 5 - 2));
  Floats expected;
  for (int m = 0; m < kM; ++m) {
    for (int n = 0; n < kN; ++n) {
      float sum = 0;
      for (int k = 0; k < kK; ++k) sum += values[m * kK + k] * values[(kM + n) * kK + k];
      expected.push_back(sum);
    }
  }
  values.resize(values.size() + expected.size());
  std::string source(builder::kPrelude);
  source += builder::kProductTiles;
  source += builder::kSwizzledTiles;
  source += R"(
extern "C" __global__ void S_CLUSTER(2) run(float* x) {
  typedef s_swizzled_tile<unsigned short, 64> Tile;
  typedef s_half_sums<s_float16_product, Tile, Tile, 64, 64, 64, 32, 32, 1, true, true> Sums;
  __shared__ s_vector memory[(2 * 2 * Tile::kSize * 2 + 1024) / 16];
  const float* const b = x + 70 * 200;
  float* const sums = x + (70 + 40) * 200;
  const int first = blockIdx.x / 2 * 64;
  const auto load_a = [&](unsigned short* tile, int k) {
    s_load_elements<Tile, true, 128, int>(tile, first, k, 70, 200, [&](int m, int depth) {
      return s_to_float16(x[m * 200 + depth]);
    });
  };
  const auto load_b = [&](unsigned short* tile, int k) {
    s_load_elements<Tile, true, 128, int>(tile, 0, k, 40, 200, [&](int n, int depth) {
      return s_to_float16(b[n * 200 + depth]);
    });
  };
  s_tiled_product<Sums, Tile, Tile, 64, 64, 64, 2, 128, false, 2, int>(
      s_first_tile(memory), 0, 200, 70 - first, 40, load_a, load_b,
      [&](int m, int n, const float(&eight)[8], int count) {
        for (int e = 0; e < count; ++e) sums[(first + m) * 40 + n + e] = eight[e];
      });
}
)";
  const auto made = run(source, values, 128, 4);
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(Floats(made->end() - static_cast<std::ptrdiff_t>(expected.size()), made->end()),
            expected);
}

// Runs of eight, of which the last is not whole, of signed numbers of two bytes.
TEST_F(HostKernels, RunsAreLoadedAndStoredInVectors) {
  Floats values;
  for (int i = 0; i < 40; ++i) values.push_back(static_cast<float>(i % 3 == 0 ? -i : i));
  Floats expected = values;
  for (int i = 0; i < 20; ++i) expected[20 + i] = values[i] - 1;
  const std::string source =
      std::string(builder::kPrelude) + std::string(builder::kProductTiles) + R"(
extern "C" __global__ void run(float* x) {
  __shared__ __align__(16) short from[24], to[24];
  if (threadIdx.x < 20) from[threadIdx.x] = (short)x[threadIdx.x];
  __syncthreads();
  const int first = threadIdx.x * 8, count = 20 - first < 8 ? 20 - first : 8;
  s_loads<short, int, true> loads;
  s_stores<short, int, true> stores;
  for (int e = 0; e < 8 && e < count; ++e) {
    stores.store(to, first + e, e, (short)(loads.load(from, first + e, e, count) - 1));
  }
  stores.end(to);
  __syncthreads();
  if (threadIdx.x < 20) x[20 + threadIdx.x] = to[threadIdx.x];
}
)";
  const auto made = run(source, values, 32, 1);
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(*made, expected);
}

}  // namespace
}  // namespace slipway::cuda
