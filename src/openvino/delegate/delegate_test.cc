// The backend as ExecuTorch's own runtime uses it.

#include "openvino/delegate/delegate_test.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <gtest/gtest.h>

#include "openvino/library/library.h"
#include "openvino/shim/processor.h"
#include "runtime/backends.h"
#include "runtime/platform.h"

namespace slipway::openvino {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;
using ir::SymInt;

// y = x + x
onnx::Graph doubling(const std::vector<SymInt>& sizes, DType dtype = DType::kFloat32) {
  onnx::Graph graph;
  graph.name = "doubling";
  graph.inputs = {{"x", dtype, sizes}};
  graph.outputs = {{"y", dtype, sizes}};
  graph.nodes = {{"Add", "add", {"x", "x"}, {"y"}, {}, "", "", ""}};
  return graph;
}

// d = a - b, over two inputs, and n = -a.
onnx::Graph two_of_each() {
  onnx::Graph graph;
  graph.name = "two";
  graph.inputs = {{"a", DType::kFloat32, {2, 3}}, {"b", DType::kFloat32, {3}}};
  graph.outputs = {{"d", DType::kFloat32, {2, 3}}, {"n", DType::kFloat32, {2, 3}}};
  graph.nodes = {{"Sub", "sub", {"a", "b"}, {"d"}, {}, "", "", ""},
                 {"Neg", "neg", {"a"}, {"n"}, {}, "", "", ""}};
  return graph;
}

constexpr int kDepth = 128;

class Loaded : public delegate::LoadedEngine {
 public:
  explicit Loaded(std::vector<std::byte> blob, const Options& specs = {},
                  et::Span<const et::BackendOption> options = {})
      : LoadedEngine("OpenvinoBackend", std::move(blob), {specs.begin(), specs.end()}, options) {
    EXPECT_FALSE(is_freed_by_init()) << "the engine uses the bytes in place";
  }
};

TEST(Delegate, BindsInputsAndOutputsByPosition) {
  Loaded engine(compile(two_of_each()));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  Value a({2, 3}, {1, 2, 3, 4, 5, 6});
  Value b({3}, {10, 20, 30});
  Value d({2, 3}, std::vector<float>(6));
  Value n({2, 3}, std::vector<float>(6));
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(engine.run({a.value(), b.value(), d.value(), n.value()}), et::Error::Ok)
        << engine.log();
    EXPECT_EQ(d.data(), (std::vector<float>{-9, -18, -27, -6, -15, -24}));
    EXPECT_EQ(n.data(), (std::vector<float>{-1, -2, -3, -4, -5, -6}));
  }
  // The same memory with other numbers, and then other memory.
  a.set({0, 0, 0, 0, 0, 1});
  ASSERT_EQ(engine.run({a.value(), b.value(), d.value(), n.value()}), et::Error::Ok);
  EXPECT_EQ(d.data(), (std::vector<float>{-10, -20, -30, -10, -20, -29}));
  Value other({3}, {1, 1, 1});
  Value elsewhere({2, 3}, std::vector<float>(6));
  ASSERT_EQ(engine.run({a.value(), other.value(), elsewhere.value(), n.value()}), et::Error::Ok);
  EXPECT_EQ(elsewhere.data(), (std::vector<float>{-1, -1, -1, -1, -1, 0}));
  EXPECT_EQ(d.data()[0], -10);
}

TEST(Delegate, ResizesOutputsOfDynamicShape) {
  Loaded engine(compile(doubling({SymInt::symbol("s0"), 2})));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  Value x({3, 2}, {1, 2, 3, 4, 5, 6});
  Value y({3, 2}, std::vector<float>(6));
  ASSERT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (std::vector<float>{2, 4, 6, 8, 10, 12}));

  x.resize({1, 2});
  ASSERT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.sizes(), (std::vector<int>{1, 2}));
  x.resize({3, 2});
  ASSERT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.sizes(), (std::vector<int>{3, 2}));

  x.resize({0, 2});
  ASSERT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.sizes(), (std::vector<int>{0, 2}));
  Value empty({0, 2}, {});
  ASSERT_EQ(engine.run({empty.value(), y.value()}), et::Error::Ok) << engine.log();

  Value small({2, 2}, std::vector<float>(4));
  x.resize({3, 2});
  EXPECT_NE(engine.run({x.value(), small.value()}), et::Error::Ok);
  EXPECT_NE(engine.log().find("output 0 is float32[3, 2], which does not fit its memory for "
                              "float32[2, 2]"),
            std::string::npos)
      << engine.log();
}

TEST(Delegate, TakesTensorsWithoutDimensionsOrElements) {
  Loaded scalar(compile(doubling({})));
  ASSERT_EQ(scalar.error(), et::Error::Ok) << scalar.log();
  Value x({}, {3});
  Value y({}, {0});
  ASSERT_EQ(scalar.run({x.value(), y.value()}), et::Error::Ok) << scalar.log();
  EXPECT_EQ(y.data()[0], 6);

  Loaded none(compile(doubling({0, 2})));
  ASSERT_EQ(none.error(), et::Error::Ok) << none.log();
  Value nothing({0, 2}, {});
  Value made({0, 2}, {});
  EXPECT_EQ(none.run({nothing.value(), made.value()}), et::Error::Ok) << none.log();
}

TEST(Delegate, NamesWhatItExpectsAndWhatItIsGiven) {
  Loaded engine(compile(doubling({SymInt::symbol("s0"), 2})));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  Value y({3, 2}, std::vector<float>(6));
  const auto refuses = [&](Value x, const std::string& given) {
    EXPECT_EQ(engine.run({x.value(), y.value()}), et::Error::InvalidArgument);
    const std::string expected =
        "input 0 must be float32[?, 2], contiguous, and " + given + " was given";
    EXPECT_NE(engine.log().find(expected), std::string::npos) << engine.log();
  };
  refuses(Value({3, 3}, std::vector<float>(9)), "float32[3, 3]");
  refuses(Value({2}, std::vector<float>(2)), "float32[2]");
  refuses(Value({1, 1, 2}, std::vector<float>(2)), "float32[1, 1, 2]");
  refuses(Value({1, 2}, std::vector<float>(2), aten::ScalarType::Int), "int32[1, 2]");

  Value x({3, 2}, std::vector<float>(6));
  Value flat({6}, std::vector<float>(6));
  EXPECT_EQ(engine.run({x.value(), flat.value()}), et::Error::InvalidArgument);
  EXPECT_NE(engine.log().find("output 0 must be float32[?, 2]"), std::string::npos);
  EXPECT_EQ(engine.run({x.value()}), et::Error::InvalidArgument);
  EXPECT_NE(engine.log().find("1 inputs and 1 outputs, and 1 values were given"),
            std::string::npos);
  et::EValue number(int64_t{3});
  EXPECT_EQ(engine.run({&number, y.value()}), et::Error::InvalidArgument);
  EXPECT_NE(engine.log().find("input 0 must be a tensor"), std::string::npos);
  // And goes on working.
  EXPECT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
}

TEST(Delegate, RunsSeveralEnginesInSeveralThreads) {
  const auto blob = compile(doubling({SymInt::symbol("s0")}));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Loaded engine(blob);
      for (int i = 1; i <= 50; ++i) {
        Value x({i}, std::vector<float>(static_cast<size_t>(i), static_cast<float>(t)));
        Value y({i}, std::vector<float>(static_cast<size_t>(i)));
        const bool ran = engine.run({x.value(), y.value()}) == et::Error::Ok;
        if (!ran || y.data() != std::vector<float>(y.data().size(), 2.0F * t)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Delegate, TellsItsVersionAndTheProcessors) {
  ASSERT_TRUE(runtime::require_backend("OpenvinoBackend").ok());
  const auto library = Library::open();
  ASSERT_TRUE(library.ok());
  const auto here = runtime::environment_of("OpenvinoBackend");
  EXPECT_EQ(here.library_version, (*library)->version());
  EXPECT_EQ(here.capabilities, capabilities());
  EXPECT_FALSE(here.capabilities.empty());
  const auto nowhere = runtime::environment_of("NoBackend");
  EXPECT_EQ(nowhere.library_version + nowhere.capabilities, "");
  // All that there are fit into an option.
  size_t size = 0;
  for (const char* feature : kKernelFeatures) size += std::strlen(feature) + 1;
  EXPECT_LE(size, et::kMaxOptionValueLength);
}

TEST(Delegate, TakesThreadsAndAHintWhenItLoads) {
  const auto blob = compile(doubling({4}));
  const auto load = [&](LoadOptions options) {
    runtime::BackendSettings settings(options, "", false);
    const auto given = settings.map().get_options("OpenvinoBackend");
    return Loaded(blob, {}, {given.data(), given.size()}).error();
  };
  LoadOptions options;
  options.engine_threads = 1;
  options.performance_hint = PerformanceHint::kThroughput;
  EXPECT_EQ(load(options), et::Error::Ok);
  EXPECT_EQ(runtime::engine_settings(), "1 thread, throughput");
  options.performance_hint = PerformanceHint::kLatency;
  EXPECT_EQ(load(options), et::Error::Ok);
  EXPECT_EQ(runtime::engine_settings(), "1 thread, latency");
  options.engine_threads = 0;
  EXPECT_EQ(load(options), et::Error::InvalidArgument);
}

TEST(Delegate, TakesDeviceAndPrecisionFromTheFile) {
  const auto blob = compile(doubling({4}));
  EXPECT_EQ(Loaded(blob, {{"device", "CPU"}, {"precision", "f32"}}).error(), et::Error::Ok);
  EXPECT_EQ(Loaded(blob, {{"device", std::string("CPU\0", 4)}}).error(), et::Error::Ok);
  const Loaded elsewhere(blob, {{"device", "NOWHERE"}});
  EXPECT_EQ(elsewhere.error(), et::Error::DelegateInvalidCompatibility);
  EXPECT_NE(elsewhere.log().find("NOWHERE"), std::string::npos) << elsewhere.log();
  EXPECT_NE(Loaded(blob, {{"precision", "f3"}}).error(), et::Error::Ok);
}

TEST(Delegate, RefusesSizesThatTheProgramDoesNotAllow) {
  onnx::Graph graph;
  graph.name = "repeat";
  graph.inputs = {{"x", DType::kFloat32, {2}}, {"n", DType::kInt64, {1}}};
  graph.outputs = {{"y", DType::kFloat32, {ir::SymInt::symbol("u0") * 2}}};
  graph.nodes = {{"Tile", "tile", {"x", "n"}, {"y"}, {}, "", "", ""}};
  const auto run = [&](const std::string& spec, int64_t size) {
    Loaded engine(compile(graph), {{"device", "CPU"}, {"size_inputs", spec}});
    if (engine.error() != et::Error::Ok) return engine.error();
    Value x({2}, {1, 2});
    std::vector<float> bits(2);
    std::memcpy(bits.data(), &size, sizeof(size));
    Value n({1}, bits, aten::ScalarType::Long);
    Value y({8}, std::vector<float>(8));
    return engine.run({x.value(), n.value(), y.value()});
  };
  EXPECT_EQ(run("1:0:4", 3), et::Error::Ok);
  EXPECT_EQ(run("1:0:4", 0), et::Error::Ok);
  EXPECT_EQ(run("1:0:4", -1), et::Error::InvalidArgument);
  EXPECT_EQ(run("1:0:4", 5), et::Error::InvalidArgument);
  EXPECT_EQ(run("1:0:", -1), et::Error::InvalidArgument);
  for (const char* damaged : {"2:0:4", "0:0:4", "x", "1:0", "1:0:4x", "1,2", ":::"}) {
    EXPECT_EQ(run(damaged, 3), et::Error::DelegateInvalidCompatibility) << damaged;
  }
}

TEST(Delegate, IsNotRunWhereNoOutputHasElements) {
  const ir::SymInt n = ir::SymInt::symbol("n");
  onnx::Graph graph;
  graph.name = "pool";
  graph.inputs = {{"x", DType::kFloat32, {n, 1, 4, 4}}};
  graph.outputs = {{"y", DType::kFloat32, {n, 1, 2, 2}}};
  graph.nodes = {{"MaxPool", "pool", {"x"}, {"y"}, {}, "", "", ""}};
  graph.nodes[0].attributes = {{"kernel_shape", std::vector<int64_t>{2, 2}},
                               {"strides", std::vector<int64_t>{2, 2}}};
  const auto blob = compile(graph);
  const auto run = [&](const Options& specs, int batch, std::vector<int>* sizes) {
    Loaded engine(blob, specs);
    if (engine.error() != et::Error::Ok) return engine.error();
    Value x({batch, 1, 4, 4}, std::vector<float>(static_cast<size_t>(batch) * 16));
    Value y({8, 1, 2, 2}, std::vector<float>(32));
    const et::Error error = engine.run({x.value(), y.value()});
    *sizes = y.sizes();
    return error;
  };
  const Options told = {{"output_sizes", "i0.0,1,2,2"}};
  std::vector<int> sizes;
  EXPECT_EQ(run(told, 0, &sizes), et::Error::Ok);
  EXPECT_EQ(sizes, (std::vector{0, 1, 2, 2}));
  EXPECT_EQ(run(told, 3, &sizes), et::Error::Ok);
  EXPECT_EQ(sizes, (std::vector{3, 1, 2, 2}));
  // OpenVINO itself refuses it, and so does ExecuTorch for sizes that the memory is not for.
  EXPECT_NE(run({}, 0, &sizes), et::Error::Ok);
  EXPECT_NE(run({{"output_sizes", "i0.0,1,2"}}, 0, &sizes), et::Error::Ok);
  EXPECT_NE(run({{"output_sizes", "i0.0;0"}}, 0, &sizes), et::Error::Ok);
  EXPECT_EQ(run({{"output_sizes", "i0.0,x"}}, 0, &sizes), et::Error::DelegateInvalidCompatibility);
}

TEST(Delegate, RefusesEnginesThatTheProcessorComputesWrongly) {
  EXPECT_FALSE(has_any_feature(""));
  EXPECT_FALSE(has_any_feature("no_such_feature,no_other"));
  ASSERT_FALSE(processor_features().empty());
  const std::string last = *processor_features().rbegin();
  EXPECT_TRUE(has_any_feature("no_such_feature," + last));
  EXPECT_FALSE(has_any_feature(last.substr(0, last.size() - 1) + "?"));

  const auto blob = compile(doubling({4}));
  EXPECT_EQ(Loaded(blob, {{kAnyFeature, "no_such_feature," + last}}).error(), et::Error::Ok);
  const Loaded refused(blob, {{kAnyFeature, "no_such_feature"}});
  EXPECT_EQ(refused.error(), et::Error::DelegateInvalidCompatibility);
  EXPECT_NE(refused.log().find("no_such_feature"), std::string::npos) << refused.log();
}

// y = x w, where w is the product of int8 numbers and a scale.
onnx::Graph product_with_int8_weights() {
  std::vector<std::byte> weights(kDepth * kDepth);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<std::byte>(i * 37 % 251);
  std::vector<std::byte> scale(sizeof(float));
  const float value = 0.01F;
  std::memcpy(scale.data(), &value, sizeof value);
  onnx::Graph graph;
  graph.name = "product";
  graph.inputs = {{"x", DType::kFloat32, {1, kDepth}}};
  graph.outputs = {{"y", DType::kFloat32, {1, kDepth}}};
  graph.initializers.push_back({"w8", DType::kInt8, {kDepth, kDepth}, own_bytes(weights)});
  graph.initializers.push_back({"scale", DType::kFloat32, {}, own_bytes(scale)});
  graph.nodes = {{"DequantizeLinear", "w", {"w8", "scale"}, {"w"}, {}, "", "", ""},
                 {"MatMul", "product", {"x", "w"}, {"y"}, {}, "", "", ""}};
  return graph;
}

// The largest difference from the sums in double precision.
double error_of_product(const std::vector<std::byte>& blob, const Options& specs) {
  std::vector<float> numbers(kDepth);
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = 1.0F / static_cast<float>(i + 3);
  }
  Value x({1, kDepth}, numbers);
  Value y({1, kDepth}, std::vector<float>(kDepth));
  Loaded engine(blob, specs);
  EXPECT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
  double worst = 0;
  for (size_t column = 0; column < kDepth; ++column) {
    double sum = 0;
    for (size_t row = 0; row < kDepth; ++row) {
      const auto weight = static_cast<int8_t>((row * kDepth + column) * 37 % 251);
      sum += static_cast<double>(numbers[row]) * weight * 0.01F;
    }
    worst = std::max(worst, std::abs(sum - static_cast<double>(y.data()[column])));
  }
  return worst;
}

TEST(Delegate, ComputesInFloat32UnlessTheFileSaysOtherwise) {
  const auto blob = compile(product_with_int8_weights());
  EXPECT_LT(error_of_product(blob, {}), 1e-5);
  const double reduced = error_of_product(blob, {{"precision", "bf16"}});
  EXPECT_LT(reduced, 0.1);
  if (__builtin_cpu_supports("avx512bf16")) {
    EXPECT_GT(reduced, 1e-4);
  }
}

std::vector<std::byte> replaced(const std::vector<std::byte>& blob, const std::string& old,
                                const std::string& with) {
  std::string text(reinterpret_cast<const char*>(blob.data()), blob.size());
  const size_t at = text.find(old);
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(old.size(), with.size());
  text.replace(at, old.size(), with);
  const auto bytes = std::as_bytes(std::span<const char>(text));
  return {bytes.begin(), bytes.end()};
}

TEST(Delegate, TakesEnginesOfProcessorsWithOtherInstructionSets) {
  Loaded engine(replaced(compile(doubling({4})), ";isa=Intel", ";isa=Other"));
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  Value x({4}, {1, 2, 3, 4});
  Value y({4}, std::vector<float>(4));
  ASSERT_EQ(engine.run({x.value(), y.value()}), et::Error::Ok) << engine.log();
  EXPECT_EQ(y.data(), (std::vector<float>{2, 4, 6, 8}));
}

TEST(Delegate, RefusesEnginesOfOtherVersionsOfOpenvino) {
  const Loaded engine(replaced(compile(doubling({4})), ";ov=20", ";ov=30"));
  EXPECT_EQ(engine.error(), et::Error::DelegateInvalidCompatibility);
  // It is longer than a line of ExecuTorch's log, and whole.
  const std::string reason = runtime::first_reason(engine.log());
  EXPECT_NE(reason.find("OpenVINO version"), std::string::npos) << engine.log();
}

// OpenVINO does not notice every change in the middle: that is what the checksums of Module are
// for.
TEST(Delegate, RefusesEnginesThatAreCutShort) {
  const auto blob = compile(doubling({4}));
  for (size_t size = 0; size < blob.size(); size += 61) {
    const Loaded cut(std::vector<std::byte>(blob.begin(), blob.begin() + size));
    EXPECT_EQ(cut.error(), et::Error::DelegateInvalidCompatibility) << size;
    EXPECT_NE(cut.log().find("does not take the engine for CPU: "), std::string::npos);
  }
  const Loaded other(std::vector<std::byte>(5000, std::byte{'x'}));
  EXPECT_EQ(other.error(), et::Error::DelegateInvalidCompatibility);
}

}  // namespace
}  // namespace slipway::openvino
