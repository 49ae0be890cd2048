// With the real TensorRT-RTX, where `make setup-tensorrt` or the user brought it.

#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/error.h"
#include "onnx/serializer.h"
#include "tensorrt/library/builder.h"
#include "tensorrt/library/parser.h"
#include "tensorrt/library/runtime.h"

namespace slipway::tensorrt {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// y = Gelu(x * w), where w is large enough to lie outside the message.
onnx::Graph product(std::vector<ir::SymInt> input = {4, 300}) {
  std::vector<std::byte> weight(300 * 200 * sizeof(float));
  for (size_t i = 0; i < weight.size() / sizeof(float); ++i) {
    const float value = static_cast<float>(i % 7) - 3;
    std::memcpy(weight.data() + i * sizeof value, &value, sizeof value);
  }
  onnx::Graph graph;
  graph.name = "product";
  std::vector<ir::SymInt> output = input;
  output.back() = 200;
  graph.inputs = {{"x", DType::kFloat32, input}};
  graph.outputs = {{"y", DType::kFloat32, output}};
  graph.initializers.push_back({"w", DType::kFloat32, {300, 200}, own_bytes(std::move(weight))});
  graph.nodes = {{"MatMul", "product", {"x", "w"}, {"p"}, {}, "", "", ""},
                 {"Gelu", "gelu", {"p"}, {"y"}, {}, "", "", ""}};
  return graph;
}

std::string message(const onnx::Graph& graph, const std::string& location = "memory") {
  auto model = onnx::serialize_by_reference(graph, [&](const onnx::Initializer&) {
    return onnx::ExternalData{location, 0};
  });
  EXPECT_TRUE(model.ok());
  return *model;
}

class RtxTest : public testing::Test {
 protected:
  void SetUp() override {
    auto library = Library::open();
    if (!library.ok()) GTEST_SKIP() << library.error().message();
    library_ = *library;
    if (library_->version().family != Family::kRtx) {
      GTEST_SKIP() << library_->path() << " is " << library_->version().name()
                   << ", and these tests are for TensorRT-RTX";
    }
    const auto builder = Builder::create(library_);
    ASSERT_TRUE(builder.ok()) << builder.error().message();
    builder_.emplace(*builder);
  }

  // The network of a graph, read by a parser that stays alive in `parsers_`.
  Result<Network> read(const onnx::Graph& graph) {
    graphs_.push_back(graph);
    auto network = builder_->make_network();
    if (!network.ok()) return network.error();
    auto parser = Parser::create(*network);
    if (!parser.ok()) return parser.error();
    Status status = parser->load_model(bytes_of(message(graph)));
    if (!status.ok()) return status.error();
    for (const onnx::Initializer& initializer : graphs_.back().initializers) {
      status = parser->load_initializer(initializer.name, initializer.data.span()->bytes);
      if (!status.ok()) return status.error();
    }
    status = parser->parse();
    if (!status.ok()) return status.error();
    parsers_.push_back(std::move(*parser));
    return network;
  }

  Result<std::vector<std::byte>> build(
      const onnx::Graph& graph, const std::function<Status(BuilderConfig&)>& configure = {}) {
    auto network = read(graph);
    if (!network.ok()) return network.error();
    auto config = builder_->make_config();
    if (!config.ok()) return config.error();
    if (configure) {
      const Status status = configure(*config);
      if (!status.ok()) return status.error();
    }
    std::vector<std::byte> plan;
    const Status status =
        builder_->build(*network, *config, [&](std::span<const std::byte> bytes) -> Status {
          plan.insert(plan.end(), bytes.begin(), bytes.end());
          return {};
        });
    if (!status.ok()) return status.error();
    return plan;
  }

  LibraryPointer library_;
  std::vector<onnx::Graph> graphs_;
  std::optional<Builder> builder_;
  std::vector<Parser> parsers_;
  std::vector<ParserError> errors_;
};

TEST_F(RtxTest, ReadsAModel) {
  EXPECT_NE(library_->parser_path().find("libtensorrt_onnxparser_rtx.so.1"), std::string::npos);
  auto network = read(product());
  ASSERT_TRUE(network.ok()) << network.error().message();
  EXPECT_GE(network->layer_count(), 2);
  const auto inputs = network->inputs();
  ASSERT_EQ(inputs.size(), 1U);
  EXPECT_EQ(inputs[0].name, "x");
  EXPECT_EQ(inputs[0].type, DataType::kFloat);
  EXPECT_EQ(inputs[0].shape, (std::vector<int64_t>{4, 300}));
  EXPECT_FALSE(inputs[0].is_shape_tensor);
  const auto outputs = network->outputs();
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].name, "y");
  EXPECT_EQ(outputs[0].shape, (std::vector<int64_t>{4, 200}));
}

TEST_F(RtxTest, BuildsTheSamePlanTwice) {
  const auto first = build(product());
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_GT(first->size(), 300U * 200 * sizeof(float));
  const auto second = build(product());
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(*first == *second);
}

TEST_F(RtxTest, TheConfigurationDecidesAboutThePlan) {
  const auto plain = build(product());
  ASSERT_TRUE(plain.ok());
  const auto streaming = build(product(), [](BuilderConfig& config) -> Status {
    EXPECT_FALSE(config.flag(BuilderFlag::kWeightStreaming));
    config.set_flag(BuilderFlag::kWeightStreaming);
    EXPECT_TRUE(config.flag(BuilderFlag::kWeightStreaming));
    return {};
  });
  ASSERT_TRUE(streaming.ok()) << streaming.error().message();
  EXPECT_TRUE(*plain != *streaming);
  const auto ampere = build(product(), [](BuilderConfig& config) {
    return config.set_compute_capabilities(std::to_array({80, 86}));
  });
  ASSERT_TRUE(ampere.ok()) << ampere.error().message();
  EXPECT_TRUE(*plain != *ampere);

  auto config = builder_->make_config();
  ASSERT_TRUE(config.ok());
  config->set_workspace_limit(uint64_t{3} << 30);
  EXPECT_EQ(config->workspace_limit(), uint64_t{3} << 30);
  ASSERT_TRUE(config->set_optimization_level(2).ok());
  EXPECT_EQ(config->optimization_level(), 2);
  EXPECT_FALSE(config->set_optimization_level(6).ok());
  config->clear_flag(BuilderFlag::kTf32);
  EXPECT_FALSE(config->flag(BuilderFlag::kTf32));
  EXPECT_TRUE(builder_->set_max_threads(1).ok());
  EXPECT_FALSE(builder_->set_max_threads(0).ok());
}

TEST_F(RtxTest, RefusesGpusThatItDoesNotBuildFor) {
  const auto plan = build(product(), [](BuilderConfig& config) {
    return config.set_compute_capabilities(std::to_array({90}));
  });
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(plan.error().message().find("TensorRT-RTX"), std::string::npos)
      << plan.error().message();
}

TEST_F(RtxTest, BuildsForARangeOfShapes) {
  const onnx::Graph graph = product({ir::SymInt::symbol("s0"), 300});
  const auto missing = build(graph);
  ASSERT_FALSE(missing.ok());
  // TensorRT's first message: what follows it here is about the driver.
  EXPECT_NE(missing.error().message().find("no optimization profile has been defined"),
            std::string::npos)
      << missing.error().message();

  const auto plan = build(graph, [&](BuilderConfig& config) -> Status {
    auto profile = builder_->make_profile();
    if (!profile.ok()) return profile.error();
    const auto shape = [](int64_t batch) { return std::vector<int64_t>{batch, 300}; };
    Status status = profile->set_shapes("x", shape(1), shape(4), shape(64));
    if (status.ok()) status = config.add_profile(*profile);
    return status;
  });
  ASSERT_TRUE(plan.ok()) << plan.error().message();

  auto profile = builder_->make_profile();
  ASSERT_TRUE(profile.ok());
  EXPECT_FALSE(profile->set_shapes("x", std::vector<int64_t>(9), {}, {}).ok());
  const Status negative =
      profile->set_shapes("x", std::to_array<int64_t>({-1, 300}), std::to_array<int64_t>({4, 300}),
                          std::to_array<int64_t>({64, 300}));
  ASSERT_FALSE(negative.ok());
  EXPECT_EQ(negative.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(RtxTest, TakesTheValuesOfShapes) {
  onnx::Graph graph = product();
  graph.initializers.clear();
  graph.inputs.push_back({"s", DType::kInt64, {2}});
  graph.outputs[0].sizes = {ir::SymInt::symbol("m"), ir::SymInt::symbol("n")};
  graph.nodes = {{"Reshape", "reshape", {"x", "s"}, {"y"}, {}, "", "", ""}};
  const auto network = read(graph);
  ASSERT_TRUE(network.ok()) << network.error().message();
  ASSERT_EQ(network->inputs().size(), 2U);
  EXPECT_EQ(network->inputs()[1].type, DataType::kInt64);
  EXPECT_TRUE(network->inputs()[1].is_shape_tensor);

  const auto plan = build(graph, [&](BuilderConfig& config) -> Status {
    auto profile = builder_->make_profile();
    if (!profile.ok()) return profile.error();
    Status status =
        profile->set_values("s", std::to_array<int64_t>({4, 1}), std::to_array<int64_t>({4, 300}),
                            std::to_array<int64_t>({1200, 300}));
    if (status.ok()) status = config.add_profile(*profile);
    return status;
  });
  ASSERT_TRUE(plan.ok()) << plan.error().message();
}

TEST_F(RtxTest, BuildersOfThreadsDoNotMixTheirMessages) {
  std::vector<std::thread> threads;
  for (const bool good : {true, false}) {
    threads.emplace_back([this, good] {
      const auto builder = Builder::create(library_);
      ASSERT_TRUE(builder.ok());
      onnx::Graph graph = product();
      if (!good) graph.nodes[1].op_type = "NoSuchOperator";
      for (int i = 0; i < 20; ++i) {
        auto network = builder->make_network();
        ASSERT_TRUE(network.ok());
        auto parser = Parser::create(*network);
        ASSERT_TRUE(parser.ok());
        ASSERT_TRUE(parser->load_model(bytes_of(message(graph))).ok());
        const auto& weight = graph.initializers[0];
        ASSERT_TRUE(parser->load_initializer("w", weight.data.span()->bytes).ok());
        EXPECT_EQ(parser->parse().ok(), good);
        EXPECT_EQ(builder->messages().empty(), good);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RtxTest, NamesTheNodeThatItsParserRefuses) {
  onnx::Graph graph = product();
  graph.nodes[1].op_type = "NoSuchOperator";
  const auto network = read(graph);
  ASSERT_FALSE(network.ok());
  EXPECT_EQ(network.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(network.error().message().find("node gelu (NoSuchOperator)"), std::string::npos)
      << network.error().message();

  auto empty = builder_->make_network();
  ASSERT_TRUE(empty.ok());
  auto parser = Parser::create(*empty);
  ASSERT_TRUE(parser.ok());
  // What is no model is noticed late.
  EXPECT_TRUE(parser->load_model(bytes_of("this is no model")).ok());
  const Status nothing = parser->parse();
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().message().find("An ONNX model has not been loaded yet"),
            std::string::npos)
      << nothing.error().message();
}

TEST_F(RtxTest, NamesTheInitializerThatDoesNotFit) {
  auto network = builder_->make_network();
  ASSERT_TRUE(network.ok());
  auto parser = Parser::create(*network);
  ASSERT_TRUE(parser.ok());
  const onnx::Graph graph = product();
  ASSERT_TRUE(parser->load_model(bytes_of(message(graph))).ok());
  const Status unknown = parser->load_initializer("v", {});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message().find("refuses initializer v: "), std::string::npos);
  const auto weight = graph.initializers[0].data.span()->bytes;
  const Status cut = parser->load_initializer("w", weight.first(100));
  ASSERT_FALSE(cut.ok());
  EXPECT_NE(cut.error().message().find("size 100 mismatches"), std::string::npos)
      << cut.error().message();
}

TEST_F(RtxTest, SaysWhichNodesItTakes) {
  onnx::Graph graph = product();
  const auto query = [&](const std::string& location) -> Result<std::vector<Subgraph>> {
    auto network = builder_->make_network();
    if (!network.ok()) return network.error();
    auto parser = Parser::create(*network);
    if (!parser.ok()) return parser.error();
    auto subgraphs = parser->query_support(bytes_of(message(graph, location)));
    errors_ = parser->errors();
    return subgraphs;
  };
  // The values of the weights don't matter.
  const int file = ::memfd_create("zeros", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(file, static_cast<off_t>(graph.initializers[0].data.size())), 0);
  const std::string zeros = "/proc/self/fd/" + std::to_string(file);

  const auto whole = query(zeros);
  ASSERT_TRUE(whole.ok()) << whole.error().message();
  ASSERT_EQ(whole->size(), 1U);
  EXPECT_TRUE(whole->front().certain);
  EXPECT_EQ(whole->front().nodes, (std::vector<int64_t>{0, 1}));

  graph.nodes.push_back({"NonZero", "where", {"y"}, {"z"}, {}, "", "", ""});
  graph.nodes.push_back({"Relu", "after", {"y"}, {"q"}, {}, "", "", ""});
  graph.outputs.push_back({"z", DType::kInt64, {2, ir::SymInt::symbol("n")}});
  graph.outputs.push_back({"q", DType::kFloat32, {4, 200}});
  const auto parts = query(zeros);
  ASSERT_TRUE(parts.ok()) << parts.error().message();
  std::vector<int64_t> taken;
  for (const Subgraph& part : *parts) {
    EXPECT_FALSE(part.certain);
    taken.insert(taken.end(), part.nodes.begin(), part.nodes.end());
  }
  EXPECT_EQ(taken, (std::vector<int64_t>{0, 1, 3}));
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].node, 2);
  EXPECT_EQ(errors_[0].node_name, "where");
  EXPECT_EQ(errors_[0].node_operator, "NonZero");
  ::close(file);

  const auto missing = query("/no/such/file");
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.error().message().find("Failed to import initializer: w"), std::string::npos)
      << missing.error().message();
}

TEST_F(RtxTest, PassesOnWhatStopsTheSink) {
  auto network = read(product());
  ASSERT_TRUE(network.ok());
  auto config = builder_->make_config();
  ASSERT_TRUE(config.ok());
  int calls = 0;
  const Status status =
      builder_->build(*network, *config, [&](std::span<const std::byte>) -> Status {
        ++calls;
        return resource_exhausted("the disk is full");
      });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(status.error().message(), "the disk is full");
  EXPECT_EQ(calls, 1);
}

TEST_F(RtxTest, ChecksTheHeaderOfAPlan) {
  auto plan = build(product());
  ASSERT_TRUE(plan.ok());
  const auto runtime = Runtime::create(library_);
  ASSERT_TRUE(runtime.ok()) << runtime.error().message();
  const auto size = runtime->header_size();
  ASSERT_TRUE(size.has_value());
  EXPECT_EQ(*size, 64U);
  EXPECT_FALSE(runtime->validity(std::span(*plan).first(*size - 1)).ok());

  const auto good = runtime->validity(*plan);
  ASSERT_TRUE(good.ok()) << good.error().message();
  EXPECT_EQ(good->diagnostics & Validity::kMalformed, 0U);
  if (good->state == Validity::State::kInvalid) {
    EXPECT_NE(good->message, "");
  }

  (*plan)[0] ^= std::byte{0xFF};
  const auto damaged = runtime->validity(*plan);
  ASSERT_TRUE(damaged.ok());
  EXPECT_EQ(damaged->state, Validity::State::kInvalid);
  EXPECT_EQ(damaged->diagnostics & Validity::kMalformed, Validity::kMalformed);
}

TEST_F(RtxTest, SaysWhyAPlanDoesNotLoad) {
  const auto plan = build(product());
  ASSERT_TRUE(plan.ok());
  const auto runtime = Runtime::create(library_);
  ASSERT_TRUE(runtime.ok());
  const auto engine = runtime->deserialize(*plan);
  if (engine.ok()) GTEST_SKIP() << "this machine has a GPU that runs the plan";
  EXPECT_EQ(engine.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(engine.error().message().find("TensorRT-RTX"), 0U);
  EXPECT_NE(engine.error().message().find("Error Code"), std::string::npos)
      << engine.error().message();
}

TEST_F(RtxTest, PartsOutliveTheirBuilder) {
  auto network = read(product());
  ASSERT_TRUE(network.ok());
  auto config = builder_->make_config();
  ASSERT_TRUE(config.ok());
  auto profile = builder_->make_profile();
  ASSERT_TRUE(profile.ok());
  builder_.reset();
  EXPECT_GE(network->layer_count(), 2);
  EXPECT_FALSE(config->flag(BuilderFlag::kRefit));
}

}  // namespace
}  // namespace slipway::tensorrt
