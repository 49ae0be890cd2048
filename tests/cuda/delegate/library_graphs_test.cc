// Convolutions and attention that a library computes: cuDNN, by a stand-in.
#include <cmath>
#include <cstdlib>
#include <set>

#include "base/half.h"
#include "cuda/builder/generator_test.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/delegate/generated_test.h"
#include "cuda/format/description.h"
#include "cuda/format/plans.h"
#include "cuda/libraries/cudnn.h"
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

class CudaLibraryGraphs : public CudaDelegateTest {
 protected:
  void SetUp() override {
    CudaDelegateTest::SetUp();
    if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
    use_stand_in_cudnn(SLIPWAY_TEST_DRIVERS);
  }
  void TearDown() override {
    ::unsetenv(kCudnnVariable);
    driver.library_error = 0;
    driver.cudnn_version = 91900;
    EXPECT_EQ(driver.live_libraries, 0);
    EXPECT_EQ(driver.live_descriptors, 0);
    CudaDelegateTest::TearDown();
  }
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
  // Each choice is of this alternative, where it has it, or else of its last one.
  static std::vector<std::byte> all_chosen(const std::vector<std::byte>& blob, uint32_t wanted) {
    std::vector<uint8_t> choices;
    for (const uint32_t count : count_alternatives(read_blob(blob)->engine)) {
      choices.push_back(static_cast<uint8_t>(std::min(wanted, count - 1)));
    }
    return chosen(blob, choices, "");
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

TEST_F(CudaLibraryGraphs, TheLibraryGivesWhatTilesGive) {
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

TEST_F(CudaLibraryGraphs, ConvolutionsMayHaveAnyGeometry) {
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

TEST_F(CudaLibraryGraphs, WhatIsAddedAndReluAreTheLibrarys) {
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

TEST_F(CudaLibraryGraphs, WithoutTheLibraryKernelsRun) {
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

TEST_F(CudaLibraryGraphs, WhatTheLibraryDoesNotComputeKernelsDo) {
  const Convolution conv;
  driver.library_error = 3000;
  Handle engine(all_chosen(built(conv), 1));
  EXPECT_THAT(engine.log(), HasSubstr("1 choice(s) of cuDNN run by kernels: cuDNN 9.19.0 does not "
                                      "convolve [2, 8, 6, 7] by [16, 8, 3, 3]"));
  EXPECT_EQ(run(engine, conv), 0);
}

TEST_F(CudaLibraryGraphs, ItsEnginesAreAlternatives) {
  const Convolution conv = {.candidates = 3};
  const auto blob = built(conv);
  const uint32_t count = count_alternatives(read_blob(blob)->engine).at(0);
  for (const uint32_t rank : {0, 1, 2}) {
    Handle engine(all_chosen(blob, count - 3 + rank));
    EXPECT_EQ(run(engine, conv), 1);
    EXPECT_EQ(static_cast<uint32_t>(driver.last_engine), rank);
  }
}

TEST_F(CudaLibraryGraphs, TuningKeepsPlansInTheFile) {
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

TEST_F(CudaLibraryGraphs, PlansOfAnotherVersionAreMadeAgain) {
  const Convolution conv;
  const auto file = tuned(built(conv), conv);
  driver.cudnn_version = 91400;
  const int made = driver.plans_made;
  Handle engine(file);
  EXPECT_THAT(engine.log(), HasSubstr("1 plan(s) of cuDNN were made again, in "));
  EXPECT_EQ(run(engine, conv), 1);
  EXPECT_GT(driver.plans_made, made);
}

TEST_F(CudaLibraryGraphs, PlansOfAnotherGpuAreLeftAlone) {
  const Convolution conv;
  const auto file = tuned(built(conv), conv);
  driver.processors = 40;
  Handle engine(file);
  driver.processors = 4;
  EXPECT_THAT(engine.log(), HasSubstr("it was tuned on"));
  EXPECT_THAT(engine.log(), testing::Not(HasSubstr("made again")));
  EXPECT_EQ(run(engine, conv), 0);
}

// y = f(x w + bias) + c of float16, with c = x v.
TEST_F(CudaLibraryGraphs, ProductsAreTheLibrarysToo) {
  constexpr int kRows = 40;
  constexpr int kDepth = 48;
  constexpr int kColumns = 24;
  const auto number = [](int i, int period) {
    return static_cast<float>(i * 7 % period - period / 2) / 16;
  };
  const std::vector<std::pair<std::string, onnx::Attribute>> to_float = {{"to", int64_t{1}}};
  for (const std::string behind : {"", "Gelu", "Relu", "Add", "Tanh gelu"}) {
    Maker m;
    m.input("x", {kRows, kDepth});
    add_half(m, "x", "a", DType::kFloat16);
    const auto constant = [&](const std::string& name, std::vector<int64_t> sizes, int period) {
      std::vector<uint16_t> values;
      int64_t count = 1;
      for (const int64_t size : sizes) count *= size;
      for (int i = 0; i < count; ++i) values.push_back(to_float16(number(i, period)));
      m.constant(name + "_half", DType::kFloat16, std::move(sizes), values);
      m.node("Cast", {name + "_half"}, name, to_float);
    };
    constant("w", {kDepth, kColumns}, 13);
    constant("v", {kDepth, kColumns}, 11);
    constant("bias", {kColumns}, 5);
    if (behind == "Add") {
      m.node("MatMul", {"a", "v"}, "other_sums");
      add_half(m, "other_sums", "other", DType::kFloat16);
    }
    m.node("MatMul", {"a", "w"}, "sums");
    m.node("Add", {"sums", "bias"}, "with_bias");
    add_half(m, "with_bias", "rounded", DType::kFloat16);
    std::string y = "rounded";
    if (!behind.empty()) {
      std::vector<std::string> inputs = {"rounded"};
      if (behind == "Add") inputs.emplace_back("other");
      const bool is_tanh = behind == "Tanh gelu";
      m.node(is_tanh ? "Gelu" : behind, inputs, "behind",
             is_tanh ? std::vector<std::pair<std::string, onnx::Attribute>>{{"approximate",
                                                                             std::string("tanh")}}
                     : std::vector<std::pair<std::string, onnx::Attribute>>{});
      add_half(m, "behind", "y_rounded", DType::kFloat16);
      y = "y_rounded";
    }
    m.integers("axes", {1});
    m.node("ReduceMax", {y, "axes"}, "most", {{"keepdims", int64_t{1}}});
    m.node("Sub", {y, "most"}, "y");
    m.output("y", {kRows, kColumns});
    const auto blob = blob_of(m.graph, {.candidates = 1, .with_cudnn = true});
    const auto made = read_blob(blob)->engine;
    const auto fused = std::count_if(made.steps.begin(), made.steps.end(), [](const auto& step) {
      const auto* const graph = step.AsLibraryGraph();
      return graph != nullptr && graph->has_bias &&
             (graph->has_c || graph->activation != table::LibraryActivation::None);
    });
    EXPECT_EQ(fused, behind.empty() || behind == "Tanh gelu" ? 0 : 1) << behind;
    Floats given;
    for (int i = 0; i < kRows * kDepth; ++i) given.push_back(number(i, 17));
    std::vector<Floats> results;
    for (const uint32_t choice : {0, 1}) {
      Handle engine(all_chosen(blob, choice));
      ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
      TestTensor x({kRows, kDepth}, given);
      TestTensor result({kRows, kColumns}, Floats(kRows * kColumns));
      const int before = driver.library_graphs;
      ASSERT_EQ(engine.run({&x, &result}), et::Error::Ok) << engine.log();
      EXPECT_EQ(driver.library_graphs > before, choice == 1) << behind << engine.log();
      results.push_back(result.data());
    }
    EXPECT_THAT(results[1], testing::Pointwise(testing::FloatNear(4e-3F), results[0])) << behind;
    EXPECT_LT(*std::min_element(results[0].begin(), results[0].end()), -0.4F);
  }
}

// What lies in the caller's memory is written by a kernel, whatever is behind the sums.
TEST_F(CudaLibraryGraphs, ResultsOfHalvesMayBeTheCallers) {
  for (const bool adds : {true, false}) {
    Maker m;
    m.input("x", {64, 32});
    add_half(m, "x", "a", DType::kFloat16);
    const std::vector<std::pair<std::string, onnx::Attribute>> to_float = {{"to", int64_t{1}}};
    for (const std::string name : {"v", "w"}) {
      m.constant(name + "_half", DType::kFloat16, {32, 16}, std::vector<uint16_t>(32 * 16, 0x3800));
      m.node("Cast", {name + "_half"}, name, to_float);
    }
    m.node("MatMul", {"a", "v"}, "other_sums");
    add_half(m, "other_sums", "other", DType::kFloat16);
    m.node("Relu", {"other"}, "above");
    add_half(m, "above", "before", DType::kFloat16);
    m.node("MatMul", {"a", "w"}, "sums");
    std::string y = "sums";
    if (adds) {
      add_half(m, y, "rounded", DType::kFloat16);
      m.node("Add", {"rounded", "before"}, "both");
      y = "both";
    }
    m.node("Cast", {y}, "y", {{"to", int64_t{10}}});
    m.output("y", {64, 16}, DType::kFloat16);
    m.output("before_rounded", {64, 16}, DType::kFloat16);
    const auto constants = engine_build::Constants::of(m.graph);
    for (const bool by_cudnn : {true, false}) {
      Generator generator(m.graph, *constants,
                          {.with_cublaslt = !by_cudnn, .with_cudnn = by_cudnn});
      EXPECT_TRUE(generator.run().empty());
      EXPECT_THAT(generator.source(), testing::Not(HasSubstr("#error"))) << adds << by_cudnn;
      const table::EngineT engine = generator.take_engine();
      for (const auto& step : engine.steps) {
        if (info_of(step).library == Library::kNone) continue;
        for (const uint32_t written : writes_of(step)) {
          EXPECT_EQ(engine.buffers.at(written)->home, table::Home::Scratch);
        }
      }
    }
  }
}

// [1, heads, rows, 16] of queries, and keys and values of as many heads or fewer.
struct Heads {
  int queries = 24;
  int keys = 40;
  int shared = 1;  // heads of x that share those of k and v
  float scale = 0.25F;
  std::string op = "Mul";  // on the products
};
constexpr int kHeads = 4;
constexpr int kDepth = 16;

std::vector<std::byte> built(const Heads& heads) {
  Maker m;
  std::vector<uint16_t> same(kDepth * kDepth);
  for (int i = 0; i < kDepth; ++i) same[i * kDepth + i] = to_float16(1);
  m.constant("same_half", DType::kFloat16, {kDepth, kDepth}, same);
  m.node("Cast", {"same_half"}, "same", {{"to", int64_t{1}}});
  // In memory, as products give it.
  const auto input = [&](const std::string& name, int64_t count, int64_t rows) {
    m.input(name, {1, count, rows, kDepth});
    add_half(m, name, name + "_given", DType::kFloat16);
    m.node("MatMul", {name + "_given", "same"}, name + "_product");
    add_half(m, name + "_product", name + "_float", DType::kFloat16);
  };
  const int own = kHeads / heads.shared;
  input("q", kHeads, heads.queries);
  input("k", own, heads.keys);
  input("v", own, heads.keys);
  std::string k = "k_float";
  std::string v = "v_float";
  if (heads.shared > 1) {
    m.integers("wide", {1, own, heads.shared, heads.keys, kDepth});
    m.integers("all", {1, kHeads, heads.keys, kDepth});
    m.integers("axis", {2});
    for (std::string* const name : {&k, &v}) {
      m.node("Unsqueeze", {*name, "axis"}, *name + "_apart");
      m.node("Expand", {*name + "_apart", "wide"}, *name + "_wide");
      m.node("Reshape", {*name + "_wide", "all"}, *name + "_all");
      *name += "_all";
    }
  }
  m.node("Transpose", {k}, "turned", {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  m.node("MatMul", {"q_float", "turned"}, "products");
  m.constant("scale", DType::kFloat32, {},
             Floats{heads.op == "Div" ? 1 / heads.scale : heads.scale});
  std::vector<std::string> operands = {"products"};
  if (heads.op != "Tanh") operands.emplace_back("scale");
  m.node(heads.op, operands, "scores");
  m.node("Softmax", {"scores"}, "weights");
  m.node("MatMul", {"weights", v}, "sums");
  add_half(m, "sums", "result", DType::kFloat16);
  m.output("result", {1, kHeads, heads.queries, kDepth});
  return blob_of(m.graph, {.candidates = 1, .with_cudnn = true});
}

TEST_F(CudaLibraryGraphs, AttentionIsTheLibrarysToo) {
  const auto number = [](int i, int period) {
    return static_cast<float>(i * 7 % period - period / 2) / 8;
  };
  for (const Heads& heads :
       std::vector<Heads>{{}, {.op = "Div"}, {.queries = 1}, {.shared = 2}, {.scale = 1.5F}}) {
    const auto numbers = [&](int count, int rows, int period) {
      Floats made;
      for (int i = 0; i < count * rows * kDepth; ++i) made.push_back(number(i, period));
      return made;
    };
    const int own = kHeads / heads.shared;
    const Floats q = numbers(kHeads, heads.queries, 13);
    const Floats k = numbers(own, heads.keys, 17);
    const Floats v = numbers(own, heads.keys, 29);
    Floats wanted;
    for (int row = 0; row < kHeads * heads.queries; ++row) {
      const int first = row / heads.queries / heads.shared * heads.keys;
      std::vector<double> sums(kDepth);
      double total = 0;
      for (int key = first; key < first + heads.keys; ++key) {
        double score = 0;
        for (int i = 0; i < kDepth; ++i) score += q[row * kDepth + i] * k[key * kDepth + i];
        const double weight = std::exp(score * heads.scale);
        total += weight;
        for (int i = 0; i < kDepth; ++i) sums[i] += weight * v[key * kDepth + i];
      }
      for (const double sum : sums) wanted.push_back(static_cast<float>(sum / total));
    }
    const auto blob = built(heads);
    ASSERT_TRUE(uses(read_blob(blob)->engine, Library::kCudnn));
    for (const uint32_t choice : {0, 1}) {
      Handle engine(all_chosen(blob, choice));
      ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
      EXPECT_EQ(engine.log(), "");
      TestTensor queries({1, kHeads, heads.queries, kDepth}, q);
      TestTensor keys({1, own, heads.keys, kDepth}, k);
      TestTensor values({1, own, heads.keys, kDepth}, v);
      TestTensor result({1, kHeads, heads.queries, kDepth}, Floats(wanted.size()));
      const int before = driver.library_graphs;
      ASSERT_EQ(engine.run({&queries, &keys, &values, &result}), et::Error::Ok) << engine.log();
      // With three products, but that of one query.
      const int products = heads.queries > 1 ? 3 : 2;
      EXPECT_EQ(driver.library_graphs - before, choice == 0 ? 0 : products + 1);
      EXPECT_THAT(result.data(), testing::Pointwise(testing::FloatNear(1e-3F), wanted)) << choice;
    }
  }
}

// Scores that are masked, or more than scaled, stay with kernels.
TEST_F(CudaLibraryGraphs, OtherScoresAreNoneOfTheLibrarys) {
  for (const std::string op : {"Mul", "Add", "Tanh"}) {
    const auto made = read_blob(built(Heads{.op = op}))->engine;
    const bool attends = std::any_of(made.steps.begin(), made.steps.end(), [](const auto& step) {
      const auto* const graph = step.AsLibraryGraph();
      return graph != nullptr && graph->kind == table::LibraryGraphKind::Attention;
    });
    EXPECT_EQ(attends, op == "Mul") << op;
  }
}

}  // namespace
}  // namespace slipway::cuda::library_graphs
