// With the real TensorRT-RTX, where `make setup-tensorrt` or the user brought it.

#include "tensorrt/builder/builder.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "engine_build/build_engine.h"
#include "tensorrt/format/blob.h"
#include "tensorrt/format/description.h"
#include "tensorrt/library/library.h"

namespace slipway::tensorrt {
namespace {

using ir::SymInt;

onnx::Node node(const char* op_type, std::vector<std::string> inputs,
                std::vector<std::string> outputs,
                std::vector<std::pair<std::string, onnx::Attribute>> attributes = {}) {
  const std::string name = "make_" + outputs[0];
  const std::string origin = "aten_" + outputs[0];
  return {op_type, name, std::move(inputs), std::move(outputs), std::move(attributes), origin,
          "",      ""};
}

template <class T>
onnx::Initializer constant(const std::string& name, DType dtype, std::vector<int64_t> sizes,
                           const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {name, dtype, std::move(sizes), own_bytes(std::move(bytes))};
}

// One node of inputs x0, x1, ... that all have the type and sizes of the output.
onnx::Graph elementwise(const char* op_type, DType dtype, size_t input_count,
                        const std::vector<SymInt>& sizes = {4, 4}) {
  onnx::Graph graph;
  graph.name = "elementwise";
  std::vector<std::string> inputs;
  for (size_t i = 0; i < input_count; ++i) {
    inputs.push_back("x" + std::to_string(i));
    graph.inputs.push_back({inputs.back(), dtype, sizes});
  }
  graph.outputs = {{"y", dtype, sizes}};
  graph.nodes = {node(op_type, std::move(inputs), {"y"})};
  return graph;
}

// y = x * w
onnx::Graph product(float scale = 1) {
  onnx::Graph graph;
  graph.name = "product";
  graph.inputs = {{"x", DType::kFloat32, {64, 256}}};
  graph.outputs = {{"y", DType::kFloat32, {64, 256}}};
  std::vector<float> weight(256 * 256);
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = scale * static_cast<float>(i % 7);
  graph.initializers = {constant("w", DType::kFloat32, {256, 256}, weight)};
  graph.nodes = {node("MatMul", {"x", "w"}, {"y"})};
  return graph;
}

class TensorRtBuilderTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto library = Library::open();
    if (!library.ok()) GTEST_SKIP() << library.error().message();
    if ((*library)->version().family != Family::kRtx) {
      GTEST_SKIP() << (*library)->path() << " is " << (*library)->version().name()
                   << ", and these tests are for TensorRT-RTX";
    }
  }

  // One target is built faster than all.
  static std::unique_ptr<engine_build::Builder> builder(const Options& options = {},
                                                        const std::string& target = "sm_86") {
    return make_builder(options, target);
  }

  Result<engine_build::Outcome> outcome(const onnx::Graph& graph,
                                        const engine_build::Builder& builder) {
    plan_.clear();
    return builder.build(graph, [this](std::span<const std::byte> bytes) -> Status {
      plan_.insert(plan_.end(), bytes.begin(), bytes.end());
      return {};
    });
  }
  std::vector<std::byte> plan(const onnx::Graph& graph, const engine_build::Builder& builder) {
    const auto result = outcome(graph, builder);
    EXPECT_TRUE(result.ok()) << result.error().message();
    if (!result.ok()) return {};
    if (const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*result)) {
      ADD_FAILURE() << refusals->at(0).reason;
      return {};
    }
    EXPECT_FALSE(plan_.empty());
    return plan_;
  }
  std::vector<std::byte> plan(const Options& options, const std::string& target = "sm_86") {
    return plan(product(), *builder(options, target));
  }
  // The only refusal, whose reason is given; of no node where `names_none`.
  std::string refusal(const onnx::Graph& graph, bool names_none = false) {
    const auto result = outcome(graph, *builder());
    EXPECT_TRUE(result.ok()) << result.error().message();
    if (!result.ok()) return "";
    const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*result);
    EXPECT_NE(refusals, nullptr);
    if (!refusals) return "";
    EXPECT_EQ(refusals->size(), 1U);
    EXPECT_EQ(refusals->at(0).origin, names_none ? "" : "aten_y");
    EXPECT_EQ(refusals->at(0).reason.find('\n'), std::string::npos);
    EXPECT_EQ(refusals->at(0).reason.find("cudaError"), std::string::npos);
    return refusals->at(0).reason;
  }
  std::string failure(const onnx::Graph& graph, const Options& options = {},
                      const std::string& target = "sm_86") {
    const auto result = outcome(graph, *builder(options, target));
    EXPECT_FALSE(result.ok());
    return result.ok() ? "" : result.error().message();
  }

 private:
  std::vector<std::byte> plan_;
};

void expect_parts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "no " << part << " in: " << text;
  }
}

TEST_F(TensorRtBuilderTest, BuildsAnEngineAndItsRecord) {
  const auto made = builder();
  const auto result = outcome(product(), *made);
  ASSERT_TRUE(result.ok()) << result.error().message();
  const auto* record = std::get_if<engine::EngineRecord>(&*result);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->engine, "tensorrt");
  EXPECT_EQ(record->backend, "TensorRTBackend");
  EXPECT_EQ(record->library_version, (*Library::open())->version().name());
  EXPECT_EQ(record->device, "cuda");
  EXPECT_EQ(record->capabilities, "") << "of TensorRT-RTX, for which the target says it";
  EXPECT_EQ(record->target, "sm_86");
  EXPECT_EQ(record->options.at("tf32"), "off");
  EXPECT_EQ(record->options.at("weight_streaming"), "off");
  EXPECT_EQ(record->options.at("precision"), "model");
  EXPECT_EQ(record->compile_specs.at("target_device"), "cuda:0");
  EXPECT_EQ(record->weight_bytes, 256 * 256 * sizeof(float));
  ASSERT_EQ(record->inputs.size(), 1U);
  EXPECT_EQ(record->inputs[0].name, "x");
  EXPECT_EQ(record->inputs[0].sizes, (std::vector<std::string>{"64", "256"}));
  EXPECT_TRUE(record->aliases.empty());

  engine::EngineRecord sized = *record;
  sized.size = 1000;
  const auto header = kDescription.header(sized);
  ASSERT_TRUE(header.ok()) << header.error().message();
  EXPECT_EQ(std::memcmp(header->data(), "TR01", 4), 0);
  EXPECT_EQ(header->size() % engine::kEngineHeaderAlignment, 0U);
}

TEST_F(TensorRtBuilderTest, BuildsEqualBytes) {
  const auto first = plan(product(), *builder());
  EXPECT_TRUE(first == plan(product(), *builder()));
  EXPECT_FALSE(first == plan(product(2), *builder()));
}

TEST_F(TensorRtBuilderTest, EachOptionReachesThePlan) {
  const auto plain = plan({});
  Options options;
  options.weight_streaming = true;
  const auto streaming = plan(options);
  EXPECT_FALSE(plain == streaming);
  // A budget implies it.
  options = {};
  options.weight_streaming_budget = 0;
  EXPECT_TRUE(streaming == plan(options));
  options = {};
  options.weight_streaming_total = 1 << 20;
  EXPECT_TRUE(streaming == plan(options));

  EXPECT_FALSE(plain == plan({}, "sm_80"));
  EXPECT_FALSE(plain == plan({}, "sm_80,sm_86"));
  EXPECT_FALSE(plain == plan({}, ""));

  const auto tf32 = plan(product(), *make_builder({}, "sm_86", {.allow_reduced_precision = true}));
  EXPECT_FALSE(plain == tf32);
}

TEST_F(TensorRtBuilderTest, PrecisionConvertsTheModel) {
  onnx::Graph graph = product();
  graph.nodes[0].target = "aten.mm.default";
  const auto prepared_plan = [&](const Options& options) -> std::vector<std::byte> {
    const auto made = builder(options);
    const auto prepared = made->prepare(graph);
    EXPECT_TRUE(prepared.ok()) << prepared.error().message();
    return prepared.ok() ? plan(*prepared, *made) : std::vector<std::byte>();
  };
  const auto plain = prepared_plan({});
  EXPECT_TRUE(plain == plan({}));
  Options options;
  options.precision = Precision::kFloat16;
  const auto half = prepared_plan(options);
  EXPECT_FALSE(half == plain);
  options.precision = Precision::kBFloat16;
  EXPECT_FALSE(half == prepared_plan(options));
  options.keep_fp32 = {"aten.mm"};
  EXPECT_TRUE(plain == prepared_plan(options));
}

TEST_F(TensorRtBuilderTest, WritesCachesInPlace) {
  const auto made = builder();
  ASSERT_TRUE(made->lowering().fused.contains("TensorScatter"));
  onnx::Graph graph;
  graph.inputs = {{"new", DType::kFloat32, {2, 4, 1, 8}},
                  {"at", DType::kInt64, {2}},
                  {"cache", DType::kFloat32, {2, 4, 16, 8}}};
  graph.outputs = {{"z", DType::kFloat32, {2, 4, 16, 8}}, {"y", DType::kFloat32, {2, 4, 16, 8}}};
  graph.nodes = {node("TensorScatter", {"cache", "new", "at"}, {"y"}, {{"axis", int64_t{-2}}}),
                 node("Relu", {"y"}, {"z"})};
  const auto prepared = made->prepare(graph);
  ASSERT_TRUE(prepared.ok());
  EXPECT_EQ(prepared->opset, 24);
  const auto result = outcome(*prepared, *made);
  ASSERT_TRUE(result.ok()) << result.error().message();
  const auto* record = std::get_if<engine::EngineRecord>(&*result);
  ASSERT_NE(record, nullptr);
  ASSERT_EQ(record->aliases.size(), 1U);
  EXPECT_EQ(record->aliases[0].output, 1U);
  EXPECT_EQ(record->aliases[0].input, 2U);
  EXPECT_EQ(record->aliases[0].kind, "kv_cache_update");
  engine::EngineRecord sized = *record;
  sized.size = 1000;
  const auto header = kDescription.header(sized);
  ASSERT_TRUE(header.ok()) << header.error().message();
  EXPECT_EQ(std::memcmp(header->data(), "TR02", 4), 0);

  // Only inputs and outputs can share their memory.
  graph.outputs.pop_back();
  expect_parts(refusal(graph), {"make_y (TensorScatter)", "must be a network output"});
  graph.outputs = {{"y", DType::kFloat32, {2, 4, 16, 8}}};
  graph.inputs[2].name = "old";
  graph.nodes = {node("Relu", {"old"}, {"cache"}), graph.nodes[0]};
  expect_parts(refusal(graph), {"make_y (TensorScatter)", "must be a network input"});
}

TEST_F(TensorRtBuilderTest, FingerprintsAreOfAllOptions) {
  std::vector<std::string> fingerprints;
  const auto add = [&](const Options& options, const std::string& target = "",
                       bool reduced = false) {
    const auto text =
        make_builder(options, target, {.allow_reduced_precision = reduced})->fingerprint();
    ASSERT_TRUE(text.ok()) << text.error().message();
    for (const std::string& other : fingerprints) EXPECT_NE(*text, other);
    fingerprints.push_back(*text);
  };
  const auto add_with = [&](auto set) {
    Options options;
    set(options);
    add(options);
  };
  add({});
  EXPECT_EQ(fingerprints[0].find((*Library::open())->version().name()), 0U);
  add({}, "sm_86");
  add({}, "sm_80,sm_86");
  add({}, "", true);
  add_with([](Options& o) { o.weight_streaming = true; });
  add_with([](Options& o) { o.workspace = 1 << 30; });
  add_with([](Options& o) { o.optimization_level = 1; });
  add_with([](Options& o) { o.precision = Precision::kFloat16; });
  add_with([](Options& o) { o.precision = Precision::kBFloat16; });
  add_with([](Options& o) { o.keep_fp32 = {"aten.linear"}; });
  add_with([](Options& o) { o.profiles["s0"] = {{1, 2, 3}}; });
  add_with([](Options& o) { o.profiles["s0"] = {{1, 3, 3}}; });
  add_with([](Options& o) { o.profiles["s0"] = {{1, 3, 3}, {1, 2, 3}}; });

  // A budget is beside the engine, not in it.
  Options budget;
  budget.weight_streaming_budget = 5;
  Options streaming;
  streaming.weight_streaming = true;
  EXPECT_EQ(*builder(budget)->fingerprint(), *builder(streaming)->fingerprint());
}

TEST_F(TensorRtBuilderTest, RefusesTargetsThatAreNone) {
  for (const char* target :
       {"86", "sm_", "sm_x", "sm_86,", "sm_86,,sm_80", "sm_8.6", "sm_1", ","}) {
    const auto fingerprint = builder({}, target)->fingerprint();
    ASSERT_FALSE(fingerprint.ok()) << target;
    EXPECT_EQ(fingerprint.error().code(), ErrorCode::kInvalidArgument);
    expect_parts(fingerprint.error().message(),
                 {std::string("option 'target' ") + target, "sm_80,sm_86"});
  }
}

TEST_F(TensorRtBuilderTest, SaysWhichGpusItDoesNotBuildFor) {
  expect_parts(failure(product(), {}, "sm_90"),
               {"TensorRT-RTX", "does not build for sm_90, but for sm_75, sm_80",
                "Compute capability is invalid"});
  // Turing lacks one operator only.
  const auto result = outcome(product(), *builder({}, "sm_75"));
  ASSERT_TRUE(result.ok()) << result.error().message();
  const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*result);
  ASSERT_NE(refusals, nullptr);
  expect_parts(refusals->at(0).reason, {"make_y (MatMul)", "FP32 GEMM is not supported"});
}

// As argmax of int64 is lowered.
TEST_F(TensorRtBuilderTest, RefusesWhatIsLoweredToFloat64) {
  onnx::Graph graph = elementwise("Relu", DType::kInt64, 1);
  onnx::Node cast = node("Cast", {"x0"}, {"wide"});
  cast.attributes = {{"to", int64_t{onnx::onnx_type(DType::kFloat64)}}};
  graph.nodes = {cast, node("ArgMax", {"wide"}, {"y"})};
  graph.nodes.at(0).origin = graph.nodes.at(1).origin = "aten_y";
  expect_parts(refusal(graph), {"float64", "float32"});
}

TEST_F(TensorRtBuilderTest, RefusesWhatItsParserRefuses) {
  expect_parts(refusal(elementwise("BitwiseXor", DType::kInt32, 2)), {"make_y (BitwiseXor)"});
  expect_parts(refusal(elementwise("Add", DType::kUInt8, 2)),
               {"make_y (Add)", "But type is UInt8"});
  onnx::Graph where = elementwise("NonZero", DType::kFloat32, 1);
  where.outputs = {{"y", DType::kInt64, {2, SymInt::symbol("u0")}}};
  expect_parts(refusal(where), {"make_y (NonZero)", "plugin"});

  onnx::Graph pool = elementwise("MaxPool", DType::kFloat32, 1, {1, 3, 8, 8});
  pool.nodes[0].attributes = {{"kernel_shape", std::vector<int64_t>{1, 1}}};
  pool.nodes[0].outputs.emplace_back("i");
  pool.outputs.push_back({"i", DType::kInt64, {1, 3, 8, 8}});
  expect_parts(refusal(pool), {"make_y (MaxPool)", "1 outputs"});

  onnx::Graph scatter;
  scatter.inputs = {
      {"x", DType::kFloat32, {5, 3}}, {"i", DType::kInt64, {2, 1}}, {"u", DType::kFloat32, {2, 3}}};
  scatter.outputs = {{"y", DType::kFloat32, {5, 3}}};
  scatter.nodes = {node("ScatterND", {"x", "i", "u"}, {"y"}, {{"reduction", std::string("add")}})};
  expect_parts(refusal(scatter), {"make_y (ScatterND)", "reduction is not supported"});
  scatter.nodes[0].attributes.clear();
  EXPECT_FALSE(plan(scatter, *builder()).empty());
}

TEST_F(TensorRtBuilderTest, RefusesAModelThatIsNotJudged) {
  // The parser stops at these, and does not say where.
  expect_parts(refusal(elementwise("Add", DType::kInt16, 2), true),
               {"the ONNX parser of TensorRT-RTX"});
  onnx::Graph scatter;
  for (const char* name : {"x", "u"}) scatter.inputs.push_back({name, DType::kFloat32, {5, 3}});
  scatter.inputs.push_back({"i", DType::kInt64, {5, 3}});
  scatter.outputs = {{"y", DType::kFloat32, {5, 3}}};
  scatter.nodes = {
      node("ScatterElements", {"x", "i", "u"}, {"y"}, {{"reduction", std::string("add")}})};
  expect_parts(refusal(scatter, true), {"Unsupported reduction type"});
}

TEST_F(TensorRtBuilderTest, RefusesTheNodeThatTheBuildNames) {
  onnx::Graph sort;
  sort.inputs = {{"x", DType::kFloat32, {2, 9000}}};
  sort.outputs = {{"y", DType::kFloat32, {2, 5000}}, {"i", DType::kInt64, {2, 5000}}};
  sort.initializers = {constant<int64_t>("k", DType::kInt64, {1}, {5000})};
  sort.nodes = {node("TopK", {"x", "k"}, {"y", "i"})};
  expect_parts(refusal(sort), {"make_y (TopK)", "K exceeds the maximum value allowed (3840)"});
}

TEST_F(TensorRtBuilderTest, RefusesWhereTheBuildNamesNoNode) {
  onnx::Graph attention;
  attention.opset = 23;
  for (const char* name : {"q", "k", "v"}) {
    attention.inputs.push_back({name, DType::kFloat32, {1, 2, 8, 16}});
  }
  attention.outputs = {{"y", DType::kFloat32, {1, 2, 8, 16}}};
  attention.nodes = {node("Attention", {"q", "k", "v"}, {"y"})};
  expect_parts(refusal(attention, true), {"TensorRT-RTX", "does not build the engine",
                                          "Attention operation was not supported"});
}

TEST_F(TensorRtBuilderTest, LeavesSizesWithoutATensorOutside) {
  onnx::Graph graph;
  graph.inputs = {{"x", DType::kFloat32, {1, 4}}, {"s0", DType::kInt64, {1}}};
  graph.symbol_inputs = {"s0"};
  graph.initializers = {constant<int64_t>("four", DType::kInt64, {1}, {4})};
  graph.outputs = {{"y", DType::kFloat32, {SymInt::symbol("s0"), 4}}};
  graph.nodes = {node("Concat", {"s0", "four"}, {"sizes"}, {{"axis", int64_t{0}}}),
                 node("Expand", {"x", "sizes"}, {"y"})};
  const auto result = outcome(graph, *builder());
  ASSERT_TRUE(result.ok()) << result.error().message();
  const auto* refusals = std::get_if<std::vector<engine_build::Refusal>>(&*result);
  ASSERT_NE(refusals, nullptr);
  ASSERT_EQ(refusals->size(), 1U);
  EXPECT_EQ(refusals->at(0).origin, "aten_sizes");
  expect_parts(refusals->at(0).reason, {"the size s0"});
}

TEST_F(TensorRtBuilderTest, BuildsForARangeOfSizes) {
  onnx::Graph graph = elementwise("Relu", DType::kFloat32, 1, {SymInt::symbol("s0"), 4});
  expect_parts(failure(graph), {"size s0 has no largest value", "option 'profile' s0=MIN:OPT:MAX"});
  graph.ranges["s0"] = {1, 8};
  const auto known = plan(graph, *builder());
  Options options;
  options.profiles["s0"] = {{1, 8, 8}};
  EXPECT_TRUE(known == plan(graph, *builder(options)));
  options.profiles["s0"] = {{1, 4, 8}};
  EXPECT_FALSE(known == plan(graph, *builder(options)));
  const auto single = plan(graph, *builder(options));
  options.profiles["s0"] = {{1, 1, 1}, {1, 4, 8}};
  const auto several = plan(graph, *builder(options));
  EXPECT_FALSE(several.empty());
  EXPECT_FALSE(single == several);
  options.profiles["s0"] = {{1, 1, 1}, {4, 2, 8}};
  expect_parts(failure(graph, options), {"TensorRT refuses the optimization profile"});
  options.profiles["s0"] = {{4, 2, 8}};
  expect_parts(failure(graph, options), {"TensorRT refuses the optimization profile"});
}

TEST_F(TensorRtBuilderTest, LimitsReachTheLibrary) {
  Options options;
  options.workspace = 1 << 20;
  expect_parts(failure(product(), options), {"within workspace limit", "raise option 'workspace'"});
  options.workspace = uint64_t{1} << 34;
  EXPECT_FALSE(plan({}) == plan(options));

  options = {};
  options.optimization_level = 9;
  expect_parts(failure(product(), options), {"optimization level is 9", "0 to 5"});
  options.optimization_level = 0;
  EXPECT_FALSE(plan(options).empty());
}

// Another library's engines are others, whatever else is equal.
TEST_F(TensorRtBuilderTest, AnotherVersionMissesTheCache) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(testing::TempDir()) / "slipway_tensorrt_version";
  fs::remove_all(folder);
  fs::create_directories(folder);
  fs::copy_file(SLIPWAY_TENSORRT_STAND_IN, folder / "libtensorrt_rtx.so.1");
  const fs::path parser = (*Library::open())->parser_path();
  fs::create_symlink(parser, folder / parser.filename());
  Options options;
  options.library = folder;
  const auto key = [&](const char* version) {
    ::setenv("SLIPWAY_STAND_IN_VERSION", version, 1);
    const auto result = engine_build::engine_key(*builder(options), product());
    EXPECT_TRUE(result.ok()) << result.error().message();
    return result.ok() ? *result : "";
  };
  const std::string first = key("10701");
  EXPECT_EQ(first, key("10701"));
  EXPECT_NE(first, key("10702"));
  EXPECT_EQ(first, *engine_build::engine_key(*builder(), product()));
  ::unsetenv("SLIPWAY_STAND_IN_VERSION");
  fs::remove_all(folder);
}

TEST_F(TensorRtBuilderTest, PassesOnTheSinksError) {
  const auto result = builder()->build(product(), [](std::span<const std::byte>) -> Status {
    return resource_exhausted("the disk is full");
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message(), "the disk is full");
}

TEST(TensorRtBuilder, OnlyRtxHasTargets) {
  ::setenv("SLIPWAY_STAND_IN_VERSION", "110100", 1);
  Options options;
  options.library = SLIPWAY_TENSORRT_STAND_IN;
  const auto builder = make_builder(options, "sm_86");
  const auto fingerprint = builder->fingerprint();
  ASSERT_FALSE(fingerprint.ok());
  EXPECT_EQ(fingerprint.error().code(), ErrorCode::kUnsupported);
  expect_parts(fingerprint.error().message(),
               {"TensorRT 11.1.0 builds for the GPU of the machine", "sm_86", "RTX"});
  // What its parser knows of caches nobody has tried.
  EXPECT_FALSE(builder->lowering().fused.contains("TensorScatter"));
  ::unsetenv("SLIPWAY_STAND_IN_VERSION");
}

TEST(TensorRtBuilder, SaysHowToGetTheLibrary) {
  Options options;
  options.library = "/no/such/folder";
  const auto builder = make_builder(options, "");
  const auto fingerprint = builder->fingerprint();
  ASSERT_FALSE(fingerprint.ok());
  expect_parts(fingerprint.error().message(), {"/no/such/folder", "option 'tensorrt_lib'"});
  // What is asked before it is there is answered without it.
  EXPECT_EQ(builder->lowering().opset, onnx::kBaselineOpset);
  EXPECT_FALSE(builder->lowering().fused.contains("TensorScatter"));
  onnx::Graph graph = product();
  EXPECT_TRUE(builder->prepare(graph).ok());
  const auto outcome =
      builder->build(graph, [](std::span<const std::byte>) -> Status { return {}; });
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().message(), fingerprint.error().message());
}

}  // namespace
}  // namespace slipway::tensorrt
