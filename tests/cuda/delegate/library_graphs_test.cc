// Convolutions that a library computes: cuDNN, by a stand-in.
#include "cuda/delegate/library_graphs_test.h"

#include "base/half.h"
#include "cuda/format/plans.h"
#include "engine/tuner.h"
#include "runtime/backends.h"

namespace slipway::cuda::library_graphs {
namespace {

using testing::HasSubstr;

constexpr int kN = 2;
constexpr int kChannels = 8;
constexpr int kHeight = 6;
constexpr int kWidth = 7;
constexpr int kResults = 16;

// y = f(x * w + bias + c), as integers that float16 has; c is as x * w.
struct Convolution {
  bool has_bias = true;
  bool has_c = false;
  std::string behind = {};  // an operator, on what is rounded
  int taps = 3;
  int stride = 1;
  int pad = 1;
  int channels = kChannels;
  uint32_t candidates = 1;
  DType type = DType::kFloat16;
  int height() const { return (kHeight + 2 * pad - taps) / stride + 1; }
  int width() const { return (kWidth + 2 * pad - taps) / stride + 1; }
};

uint16_t half(float value, DType type) {
  return type == DType::kFloat16 ? to_float16(value) : to_bfloat16(value);
}
float x_at(int n, int c, int h, int w) {
  return static_cast<float>((n + c * 3 + h * 5 + w * 2) % 5 - 2);
}
float w_at(int k, int c, int r, int s) {
  return static_cast<float>((k + c * 2 + r * 3 + s) % 3 - 1);
}
float bias_at(int k) { return static_cast<float>(k % 5 - 2); }

std::vector<std::byte> built(const Convolution& conv) {
  Maker m;
  m.input("x", {kN, conv.channels, kHeight, kWidth});
  add_half(m, "x", "a", conv.type);
  std::vector<uint16_t> weight;
  for (int k = 0; k < kResults; ++k) {
    for (int c = 0; c < conv.channels; ++c) {
      for (int i = 0; i < conv.taps * conv.taps; ++i) {
        weight.push_back(half(w_at(k, c, i / conv.taps, i % conv.taps), conv.type));
      }
    }
  }
  m.constant("w_half", conv.type, {kResults, conv.channels, conv.taps, conv.taps}, weight);
  const std::vector<std::pair<std::string, onnx::Attribute>> to_float = {{"to", int64_t{1}}};
  m.node("Cast", {"w_half"}, "w", to_float);
  std::vector<std::string> operands = {"a", "w"};
  if (conv.has_bias) {
    std::vector<uint16_t> bias;
    for (int k = 0; k < kResults; ++k) bias.push_back(half(bias_at(k), conv.type));
    m.constant("bias_half", conv.type, {kResults}, bias);
    m.node("Cast", {"bias_half"}, "bias", to_float);
    operands.emplace_back("bias");
  }
  const auto convolve = [&](const std::vector<std::string>& inputs, const std::string& y) {
    const std::vector<int64_t> strides(2, conv.stride);
    m.node("Conv", inputs, y + "_sums",
           {{"strides", strides}, {"pads", std::vector<int64_t>(4, conv.pad)}});
    add_half(m, y + "_sums", y, conv.type);
  };
  if (conv.has_c) convolve({"a", "w"}, "other");
  convolve(operands, "rounded");
  std::string y = "rounded";
  if (conv.has_c) {
    m.node("Add", {y, "other"}, "both");
    add_half(m, "both", "both_rounded", conv.type);
    y = "both_rounded";
  }
  if (!conv.behind.empty()) {
    m.node(conv.behind, {y}, "behind");
    add_half(m, "behind", "behind_rounded", conv.type);
    y = "behind_rounded";
  }
  // By a kernel of its own, as the caller's memory is none that a library writes.
  m.integers("axes", {1});
  m.node("ReduceMax", {y, "axes"}, "most", {{"keepdims", int64_t{1}}});
  m.node("Sub", {y, "most"}, "below");
  m.node("Add", {"below", "most"}, "y");
  m.output("y", {kN, kResults, conv.height(), conv.width()});
  return blob_of(m.graph, {.candidates = conv.candidates, .with_cudnn = true});
}

Floats input_of(const Convolution& conv) {
  Floats x;
  for (int i = 0; i < kN * conv.channels * kHeight * kWidth; ++i) {
    x.push_back(x_at(i / (conv.channels * kHeight * kWidth), i / (kHeight * kWidth) % conv.channels,
                     i / kWidth % kHeight, i % kWidth));
  }
  return x;
}

Floats expected(const Convolution& conv) {
  Floats y;
  const int places = conv.height() * conv.width();
  for (int i = 0; i < kN * kResults * places; ++i) {
    const int k = i / places % kResults;
    float sum = 0;
    for (int c = 0; c < conv.channels; ++c) {
      for (int r = 0; r < conv.taps; ++r) {
        for (int s = 0; s < conv.taps; ++s) {
          const int h = i / conv.width() % conv.height() * conv.stride - conv.pad + r;
          const int w = i % conv.width() * conv.stride - conv.pad + s;
          if (h < 0 || w < 0 || h >= kHeight || w >= kWidth) continue;
          sum += x_at(i / (kResults * places), c, h, w) * w_at(k, c, r, s);
        }
      }
    }
    if (conv.has_c) sum += sum;
    if (conv.has_bias) sum += bias_at(k);
    y.push_back(conv.behind == "Relu" ? std::max(sum, 0.0F) : conv.behind == "Neg" ? -sum : sum);
  }
  return y;
}

class Collector final : public engine::Tuner {
 public:
  void progress(size_t, size_t) override {}
  void found(const engine::FoundChoices& choices) override { all.push_back(choices); }
  std::vector<engine::FoundChoices> all;
};

class CudaLibraryConvolutions : public CudaLibraryGraphs {
 protected:
  // How many graphs the library ran; the results are held against those expected.
  int run(Handle& engine, const Convolution& conv) {
    EXPECT_EQ(engine.error(), et::Error::Ok) << engine.log();
    TestTensor x({kN, conv.channels, kHeight, kWidth}, input_of(conv));
    TestTensor y({kN, kResults, conv.height(), conv.width()}, Floats(expected(conv).size()));
    const int before = driver.library_graphs;
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    EXPECT_EQ(y.data(), expected(conv));
    return driver.library_graphs - before;
  }
  // What tuning finds, in the file.
  std::vector<std::byte> tuned(const std::vector<std::byte>& blob, const Convolution& conv) {
    Collector collector;
    auto guard = runtime::TuningGuard::create(kBackend, collector);
    Handle engine(blob);
    EXPECT_GT(run(engine, conv), 0);
    EXPECT_EQ(collector.all.size(), 1u);
    const auto changes = kDescription.choose(blob, collector.all.at(0).choices);
    EXPECT_TRUE(changes.ok()) << changes.error().message();
    return changed(blob, *changes);
  }
};

TEST_F(CudaLibraryConvolutions, TheLibraryGivesWhatTilesGive) {
  for (const DType type : {DType::kFloat16, DType::kBFloat16}) {
    for (const bool has_bias : {true, false}) {
      for (const char* behind : {"", "Relu", "Neg"}) {
        const Convolution conv = {.has_bias = has_bias, .behind = behind, .type = type};
        const auto blob = built(conv);
        for (const uint8_t choice : {0, 1}) {
          Handle engine(all_chosen(blob, choice));
          EXPECT_EQ(run(engine, conv), choice) << has_bias << behind << engine.log();
        }
      }
    }
  }
}

TEST_F(CudaLibraryConvolutions, ConvolutionsMayHaveAnyGeometry) {
  const std::vector<Convolution> all = {{.taps = 1, .pad = 0, .channels = 24},
                                        {.taps = 3, .stride = 2},
                                        {.taps = 5, .stride = 3, .pad = 2},
                                        {.taps = 2, .stride = 1, .pad = 0},
                                        {.channels = 24}};
  for (const Convolution& conv : all) {
    Handle engine(all_chosen(built(conv), 1));
    EXPECT_EQ(run(engine, conv), 1) << conv.taps << engine.log();
  }
  // Channels that are no whole vectors stay with kernels.
  const Convolution odd = {.channels = 12};
  const auto blob = built(odd);
  EXPECT_FALSE(uses(read_blob(blob)->engine, Library::kCudnn));
  Handle engine(blob);
  EXPECT_EQ(run(engine, odd), 0);
}

TEST_F(CudaLibraryConvolutions, WhatIsAddedAndReluAreTheLibrarys) {
  for (const bool has_bias : {true, false}) {
    const Convolution conv = {.has_bias = has_bias, .has_c = true, .behind = "Relu"};
    const auto blob = built(conv);
    const auto made = read_blob(blob)->engine;
    EXPECT_TRUE(std::any_of(made.steps.begin(), made.steps.end(), [](const auto& step) {
      const auto* const graph = step.AsLibraryGraph();
      return graph != nullptr && graph->has_c &&
             graph->activation == table::LibraryActivation::Relu;
    }));
    Handle engine(all_chosen(blob, 1));
    EXPECT_EQ(run(engine, conv), 2);
  }
}

TEST_F(CudaLibraryConvolutions, WithoutTheLibraryKernelsRun) {
  const Convolution conv;
  const auto blob = all_chosen(built(conv), 1);
  ::setenv(kCudnnVariable, "/nowhere/libcudnn.so.9", 1);
  Handle engine(blob);
  EXPECT_THAT(engine.log(), HasSubstr("its convolutions and attention run by kernels of its own, "
                                      "and not by cuDNN: /nowhere/libcudnn.so.9, which is to be "
                                      "cuDNN, does not exist"));
  EXPECT_EQ(run(engine, conv), 0);
  // It is not looked for where kernels are chosen.
  Handle other(built(conv));
  EXPECT_EQ(other.log(), "");
  EXPECT_EQ(run(other, conv), 0);
}

TEST_F(CudaLibraryConvolutions, WhatTheLibraryDoesNotComputeKernelsDo) {
  const Convolution conv;
  driver.library_error = 3000;
  Handle engine(all_chosen(built(conv), 1));
  EXPECT_THAT(engine.log(), HasSubstr("1 choice(s) of cuDNN run by kernels: cuDNN 9.19.0 does not "
                                      "convolve [2, 8, 6, 7] by [16, 8, 3, 3]"));
  EXPECT_EQ(run(engine, conv), 0);
}

TEST_F(CudaLibraryConvolutions, ItsEnginesAreAlternatives) {
  const Convolution conv = {.candidates = 3};
  const auto blob = built(conv);
  const uint32_t count = count_alternatives(read_blob(blob)->engine).at(0);
  for (const uint32_t rank : {0, 1, 2}) {
    Handle engine(all_chosen(blob, count - 3 + rank));
    EXPECT_EQ(run(engine, conv), 1);
    EXPECT_EQ(static_cast<uint32_t>(driver.last_engine), rank);
  }
}

TEST_F(CudaLibraryConvolutions, TuningKeepsPlansInTheFile) {
  const Convolution conv = {.has_c = true, .behind = "Relu"};
  const auto blob = built(conv);
  EXPECT_TRUE(read_plans(read_blob(blob)->engine)->empty());
  const auto file = tuned(blob, conv);
  EXPECT_EQ(file.size(), blob.size());
  EXPECT_EQ(read_plans(read_blob(file)->engine)->size(), 2u);
  const int made = driver.plans_made;
  const int restored = driver.plans_restored;
  Handle engine(file);
  EXPECT_EQ(engine.log(), "");
  EXPECT_EQ(run(engine, conv), 2);
  EXPECT_EQ(driver.plans_made, made);
  EXPECT_EQ(driver.plans_restored, restored + 2);
}

TEST_F(CudaLibraryConvolutions, PlansOfAnotherVersionAreMadeAgain) {
  const Convolution conv;
  const auto file = tuned(built(conv), conv);
  driver.cudnn_version = 91400;
  const int made = driver.plans_made;
  Handle engine(file);
  EXPECT_THAT(engine.log(), HasSubstr("1 plan(s) of cuDNN were made again, in "));
  EXPECT_EQ(run(engine, conv), 1);
  EXPECT_GT(driver.plans_made, made);
}

TEST_F(CudaLibraryConvolutions, PlansOfAnotherGpuAreLeftAlone) {
  const Convolution conv;
  const auto file = tuned(built(conv), conv);
  driver.processors = 40;
  Handle engine(file);
  driver.processors = 4;
  EXPECT_THAT(engine.log(), HasSubstr("it was tuned on"));
  EXPECT_THAT(engine.log(), testing::Not(HasSubstr("made again")));
  EXPECT_EQ(run(engine, conv), 0);
}

}  // namespace
}  // namespace slipway::cuda::library_graphs
