// What engines share: a model, with the bytes that it reads.
#include <array>
#include <atomic>
#include <fstream>
#include <malloc.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/memory_limit_test.h"
#include "base/test_folder.h"
#include "openvino/delegate/delegate_test.h"
#include "pte/reader/program_test.h"
#include "runtime/backends.h"
#include "slipway/module.h"

namespace slipway::openvino {
namespace {

namespace et = executorch::runtime;

constexpr int64_t kWidth = 1024;

// y = max(x w + x, least), where w is a number times the unit matrix, and has 4 MiB. OpenVINO packs
// w, and reads `least` where it is.
onnx::Graph scaling(float number) {
  std::vector<float> weights(kWidth * kWidth);
  for (size_t i = 0; i < kWidth; ++i) weights[i * kWidth + i] = number;
  const std::vector<float> least(kWidth, -1000);
  const auto bytes = [](const std::vector<float>& numbers) {
    const auto span = std::as_bytes(std::span(numbers));
    return own_bytes(std::vector<std::byte>(span.begin(), span.end()));
  };
  onnx::Graph graph;
  graph.name = "scaling";
  graph.inputs = {{"x", DType::kFloat32, {1, kWidth}}};
  graph.outputs = {{"y", DType::kFloat32, {1, kWidth}}};
  graph.initializers.push_back({"w", DType::kFloat32, {kWidth, kWidth}, bytes(weights)});
  graph.initializers.push_back({"least", DType::kFloat32, {1, kWidth}, bytes(least)});
  graph.nodes = {{"MatMul", "product", {"x", "w"}, {"p"}, {}, "", "", ""},
                 {"Add", "sum", {"p", "x"}, {"s"}, {}, "", "", ""},
                 {"Max", "max", {"s", "least"}, {"y"}, {}, "", "", ""}};
  return graph;
}

const std::vector<std::byte>& doubling_engine() {
  static const auto* const blob = new std::vector<std::byte>(compile(scaling(2)));
  return *blob;
}

// One that is loaded as Module loads it.
class Sharing : public delegate::LoadedEngine {
 public:
  explicit Sharing(const std::vector<std::byte>& blob, const Options& specs = {},
                   const LoadOptions& options = {.share_engines = true})
      : Sharing(runtime::BackendSettings(options, "", false), blob, specs) {}
  // Whether another's model came in place of its own.
  bool has_anothers() const { return error() == et::Error::Ok && is_freed_by_init(); }
  bool scales(float number, float x = 1) {
    Value input({1, kWidth}, std::vector<float>(kWidth, x));
    Value output({1, kWidth}, std::vector<float>(kWidth));
    EXPECT_EQ(run({input.value(), output.value()}), et::Error::Ok) << log();
    return output.data() == std::vector<float>(kWidth, x * number + x);
  }

 private:
  Sharing(runtime::BackendSettings settings, const std::vector<std::byte>& blob,
          const Options& specs)
      : LoadedEngine("OpenvinoBackend", blob, {specs.begin(), specs.end()},
                     settings.map().get_options("OpenvinoBackend")) {}
};

TEST(Sharing, EqualEnginesAreOneModelUntilTheLastIsGone) {
  const auto& blob = doubling_engine();
  auto first = std::make_unique<Sharing>(blob);
  auto second = std::make_unique<Sharing>(blob);
  EXPECT_FALSE(first->has_anothers());
  EXPECT_TRUE(second->has_anothers());
  const auto bytes = first->blob();
  first.reset();
  EXPECT_FALSE(bytes->is_freed) << "the second one's model reads them";
  EXPECT_TRUE(second->scales(2));
  second.reset();
  EXPECT_TRUE(bytes->is_freed);
  EXPECT_FALSE(Sharing(blob).has_anothers());
}

TEST(Sharing, OthersHaveTheirOwn) {
  const auto& blob = doubling_engine();
  Sharing first(blob);
  Sharing other(compile(scaling(3)));
  EXPECT_FALSE(other.has_anothers());
  EXPECT_TRUE(first.scales(2) && other.scales(3));
  EXPECT_FALSE(Sharing(blob, {{"precision", "bf16"}}).has_anothers());
  EXPECT_FALSE(Sharing(blob, {}, {.engine_threads = 1, .share_engines = true}).has_anothers());
  EXPECT_FALSE(
      Sharing(blob, {}, {.performance_hint = PerformanceHint::kThroughput, .share_engines = true})
          .has_anothers());
  EXPECT_TRUE(Sharing(blob, {{"device", "CPU"}}).has_anothers());
  EXPECT_EQ(Sharing(blob, {{"device", "NOWHERE"}}).error(),
            et::Error::DelegateInvalidCompatibility);
}

TEST(Sharing, IsAskedFor) {
  const auto& blob = doubling_engine();
  const Sharing alone(blob, {}, {});
  EXPECT_FALSE(Sharing(blob).has_anothers()) << "not given";
  const Sharing first(blob);
  EXPECT_FALSE(Sharing(blob, {}, {}).has_anothers()) << "not taken";
  EXPECT_FALSE(Sharing(blob, {}, {.share_engines = false}).has_anothers());
  const LoadOptions measured = {.share_engines = true, .on_profile = [](const RunProfile&) {}};
  const Sharing profiled(blob, {}, measured);
  EXPECT_FALSE(Sharing(blob, {}, measured).has_anothers()) << "what it measures is its own";

  et::BackendOption wrong = {"use_shared_engines", 1};
  const delegate::LoadedEngine refused("OpenvinoBackend", blob, {}, {&wrong, 1});
  EXPECT_EQ(refused.error(), et::Error::InvalidArgument);
  EXPECT_NE(refused.log().find("the option use_shared_engines must be true or false"),
            std::string::npos)
      << refused.log();
}

TEST(Sharing, ThreadsThatLoadTheSameAtOnceEndOnOneModel) {
  const auto& blob = doubling_engine();
  for (const auto hint : {PerformanceHint::kLatency, PerformanceHint::kThroughput}) {
    std::array<std::optional<Sharing>, 4> engines;
    std::atomic<bool> right = true;
    std::atomic<int> own = 0;
    std::vector<std::thread> threads;
    for (size_t i = 0; i < engines.size(); ++i) {
      threads.emplace_back([&, i] {
        engines[i].emplace(blob, Options(),
                           LoadOptions{.performance_hint = hint, .share_engines = true});
        if (!engines[i]->has_anothers()) ++own;
        for (int run = 0; run < 20; ++run) {
          if (!engines[i]->scales(2, static_cast<float>(i + 1))) right = false;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(right);
    EXPECT_EQ(own, 1);
  }
}

TEST(Sharing, EnginesThatAreOneModelTakeItsMemoryOnce) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  const auto& blob = doubling_engine();
  const auto taken_by_three_more = [&](std::optional<bool> shares) {
    const LoadOptions options = {.share_engines = shares};
    Sharing first(blob, {}, options);
    EXPECT_TRUE(first.scales(2));
    // Pages that were given back count when they are taken again. The blobs don't count: a file
    // would share them by itself.
    ::malloc_trim(0);
    const int64_t before = anonymous_size();
    std::array<std::optional<Sharing>, 3> more;
    for (auto& engine : more) EXPECT_TRUE(engine.emplace(blob, Options(), options).scales(2));
    return anonymous_size() - before - 3 * static_cast<int64_t>(blob.size());
  };
  EXPECT_GT(taken_by_three_more(std::nullopt), 2 * 4 << 20);
  EXPECT_LT(taken_by_three_more(true), 1 << 20);
}

// A program of nothing but the engine.
std::vector<std::byte> program_of(const std::vector<std::byte>& blob, bool is_inline) {
  pte::TestProgram program;
  program.constants(program.segment(std::string(1, '\0')), {0});
  const pte::TestTensor row = {.sizes = {1, static_cast<int32_t>(kWidth)}};
  program.inputs = {program.tensor(row)};
  program.outputs = {program.tensor(row)};
  const auto* const begin = reinterpret_cast<const uint8_t*>(blob.data());
  const uint32_t index = is_inline ? program.inline_engine({begin, begin + blob.size()})
                                   : program.segment({begin, begin + blob.size()});
  program.delegate("OpenvinoBackend",
                   is_inline ? pte::fb::DataLocation::INLINE : pte::fb::DataLocation::SEGMENT,
                   index);
  program.call_delegate(0, {program.inputs[0], program.outputs[0]});
  return program.build();
}

TEST(Sharing, AModuleMayGoBeforeThoseThatShareItsEngine) {
  const TestFolder folder;
  const std::string path = folder / "scaling.pte";
  for (const bool is_inline : {false, true}) {
    const auto bytes = program_of(doubling_engine(), is_inline);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    std::vector<Module> modules;
    for (int i = 0; i < 3; ++i) {
      auto module = Module::load(path, {.share_engines = true});
      ASSERT_TRUE(module.ok()) << module.error().message();
      ASSERT_TRUE(module->method()->prepare().ok());
      modules.push_back(std::move(*module));
    }
    while (!modules.empty()) {
      modules.erase(modules.begin());
      for (const Module& module : modules) {
        Tensor x = *Tensor::zeros(DType::kFloat32, {1, kWidth});
        x.data_as<float>()[kWidth - 1] = 5;
        const auto outputs = module.method()->run({x});
        ASSERT_TRUE(outputs.ok()) << outputs.error().message();
        EXPECT_EQ(std::get<Tensor>((*outputs)[0]).data_as<float>()[kWidth - 1], 15);
      }
    }
  }
}

}  // namespace
}  // namespace slipway::openvino
