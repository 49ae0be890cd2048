#include "xnnpack/format/graph.h"

#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "xnnpack/format/graph_test.h"

namespace slipway::xnnpack {
namespace {

using testing::HasSubstr;
using Graph = TestGraph;
using Kind = xnn::XNodeUnion;
using Type = xnn::XNNDatatype;
using Quantization = xnn::XNNQuantParams;

Result<std::vector<engine::BlobEnd>> check(const std::string& blob, uint64_t most_steps = 1 << 20) {
  const engine::BlobSurroundings surroundings = {
      [](std::string_view name) {
        return name == "w" ? std::optional<uint64_t>(24) : std::nullopt;
      },
      [&](uint64_t steps) -> Status {
        if (steps > most_steps) return invalid_file("it takes too many steps to check");
        most_steps -= steps;
        return {};
      }};
  return check_graph(std::as_bytes(std::span(blob)), surroundings);
}

std::string error_of(Graph& graph) {
  const auto ends = check(graph.build());
  return ends.ok() ? "" : ends.error().message();
}

// A graph of one node: what makes it, and what is said of it. Most declare an output of one
// element, so that the sizes that follow are said, too.
struct Case {
  std::function<void(Graph&)> make;
  const char* error;  // "" for none
};

void expect(const std::vector<Case>& cases) {
  for (size_t i = 0; i < cases.size(); ++i) {
    Graph graph;
    cases[i].make(graph);
    const std::string error = error_of(graph);
    if (*cases[i].error == '\0') {
      EXPECT_EQ(error, "") << "case " << i;
    } else {
      EXPECT_THAT(error, HasSubstr(cases[i].error)) << "case " << i;
    }
  }
}

TEST(XnnpackGraphTest, GivesWhatACallGivesAndGets) {
  const auto ends = check(linear());
  ASSERT_TRUE(ends.ok()) << ends.error().message();
  ASSERT_EQ(ends->size(), 2u);
  EXPECT_EQ((*ends)[0].argument, 0u);
  EXPECT_FALSE((*ends)[0].is_output);
  EXPECT_EQ((*ends)[0].sizes, (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ((*ends)[1].argument, 1u);
  EXPECT_TRUE((*ends)[1].is_output);
  EXPECT_EQ((*ends)[1].dtype, DType::kFloat32);
  EXPECT_EQ((*ends)[1].sizes, (std::vector<uint64_t>{2, 4}));
}

// Only constants at the end may be cut and be missed: they are not.
TEST(XnnpackGraphTest, RefusesEveryTruncation) {
  for (const std::string& blob : {linear(), quantized_rows()}) {
    EXPECT_TRUE(check(blob).ok());
    for (size_t size = 0; size < blob.size(); ++size) {
      EXPECT_FALSE(check(blob.substr(0, size)).ok()) << size;
    }
  }
}

// What the check reads of a flipped blob lies within, which the sanitizers watch.
TEST(XnnpackGraphTest, SurvivesEveryFlip) {
  for (const std::string& blob : {linear(), quantized_rows()}) {
    size_t refused = 0;
    for (size_t i = 0; i < blob.size(); ++i) {
      for (const int mask : {0x01, 0x80, 0xff}) {
        std::string flipped = blob;
        flipped[i] = static_cast<char>(flipped[i] ^ mask);
        refused += check(flipped).ok() ? 0 : 1;
      }
    }
    EXPECT_GT(refused, blob.size());
  }
}

TEST(XnnpackGraphTest, HeaderPointsIntoTheBlob) {
  const auto with = [](size_t offset, auto number) {
    std::string blob = linear();
    std::memcpy(blob.data() + offset, &number, sizeof number);
    const auto ends = check(blob);
    return ends.ok() ? "" : ends.error().message();
  };
  const char* damaged = "its header is damaged";
  EXPECT_THAT(with(8, uint16_t{29}), HasSubstr(damaged));
  EXPECT_THAT(with(10, uint32_t{16}), HasSubstr(damaged));
  EXPECT_THAT(with(14, UINT32_MAX), HasSubstr(damaged));
  EXPECT_THAT(with(18, uint32_t{32}), HasSubstr(damaged));
  EXPECT_THAT(with(22, UINT64_MAX), HasSubstr(damaged));
  EXPECT_THAT(with(14, uint32_t{8}), HasSubstr("no graph of XNNPACK"));
  Graph other;
  other.identifier = "XN02";
  EXPECT_THAT(error_of(other), HasSubstr("of another version"));
}

TEST(XnnpackGraphTest, TakesABoundedNumberOfSteps) {
  EXPECT_THAT(check(linear(), 16).error().message(), HasSubstr("too many steps"));
}

TEST(XnnpackGraphTest, ValuesAreWhatTheySay) {
  expect({
      {[](Graph& g) { g.with_nodes = false; }, "its nodes are missing"},
      {[](Graph& g) { g.ends = 5000; }, "it has 5000 inputs and outputs"},
      {[](Graph& g) { g.values.push_back(xnn::CreateXValue(g.builder)); }, "it is no tensor"},
      {[](Graph& g) { g.add({.sizes = {1}, .type = Type::xnn_datatype_pfp32}); },
       "its type is 13, which is not supported"},
      {[](Graph& g) { g.add({.sizes = {1}, .type = static_cast<Type>(99)}); }, "its type is 99"},
      {[](Graph& g) { g.add({.sizes = {2}, .claimed_rank = 3}); },
       "it has 3 dimensions, and 1 sizes"},
      {[](Graph& g) { g.add({.sizes = std::vector<uint32_t>(7, 1)}); }, "it has 7 dimensions"},
      {[](Graph& g) {
         g.add({.sizes = {UINT32_MAX, UINT32_MAX}});
       },
       "more than 2^40 elements"},
      {[](Graph& g) { g.add({.sizes = {1}, .id = 0}), g.add({.sizes = {1}, .id = 0}); },
       "its id, 0, is taken"},
      {[](Graph& g) { g.add({.sizes = {1}, .id = UINT32_MAX}); }, "is taken"},
      {[](Graph& g) { g.add({.sizes = {1}, .quantized_later = Type::xnn_datatype_qint8}); },
       "in the way of before 2024"},
  });
}

TEST(XnnpackGraphTest, InputsAndOutputsHaveTheirPlaces) {
  expect({
      {[](Graph& g) { g.add({.sizes = {1}, .place = 0}); }, "has the place of one"},
      {[](Graph& g) { g.add({.sizes = {1}, .flags = 1, .place = 0}); },
       "it is input or output 0 of 0"},
      {[](Graph& g) { g.ends = 1, g.add({.sizes = {1}, .flags = 3, .place = 0}); },
       "one of an input, an output and a constant"},
      {[](Graph& g) { g.ends = 1, g.add({.sizes = {1}, .flags = 4, .place = 0}); },
       "one of an input, an output and a constant"},
      {[](Graph& g) {
         g.ends = 1;
         g.add({.sizes = {1}, .data = g.add_data(4), .flags = 1, .place = 0});
       },
       "one of an input, an output and a constant"},
      {[](Graph& g) { g.input({1}), g.add({.sizes = {1}, .flags = 1, .place = 0}); },
       "input or output 0 is there twice"},
      {[](Graph& g) { g.output({1}); }, "no node makes output 0"},
  });
}

TEST(XnnpackGraphTest, ConstantsHaveTheirBytes) {
  expect({
      {[](Graph& g) {
         g.add({.sizes = {2, 3}, .data = g.add_data(24)});
       },
       ""},
      {[](Graph& g) {
         g.add({.sizes = {2, 3}, .data = g.add_data(23)});
       },
       "its data has 23 bytes, and it needs 24"},
      {[](Graph& g) {
         g.add({.sizes = {2, 3}, .data = g.add_named("w")});
       },
       ""},
      {[](Graph& g) { g.add({.sizes = {7}, .data = g.add_named("w")}); },
       "has 24 bytes, and it needs 28"},
      {[](Graph& g) { g.add({.sizes = {1}, .data = g.add_named("v")}); },
       "its data is not in the file"},
      {[](Graph& g) { g.add({.sizes = {1}, .data = 1}); }, "its data is not in the file"},
      {[](Graph& g) {
         g.data.push_back(xnn::CreateConstantDataOffset(g.builder, 8, 4));
         g.add({.sizes = {1}, .data = 1});
       },
       "its data is not within the constants"},
      {[](Graph& g) {
         g.add({.sizes = {2, 3}, .type = Type::xnn_datatype_fp16, .data = g.add_data(12)});
       },
       ""},
  });
}

TEST(XnnpackGraphTest, QuantizationFits) {
  const auto per_tensor = [](float scale, int zero_point = 0,
                             Type type = Type::xnn_datatype_qint8) {
    return [=](Graph& g) {
      const auto quantization = xnn::CreatePerTensorQuant(g.builder, scale, zero_point).Union();
      g.add({.sizes = {4}, .type = type}, Quantization::PerTensorQuant, quantization);
    };
  };
  const auto per_channel = [](int dim, const std::vector<float>& scales, uint32_t data_bytes = 0) {
    return [=](Graph& g) {
      const uint32_t data = data_bytes == 0 ? 0 : g.add_data(data_bytes);
      const auto quantization =
          xnn::CreatePerChannelQuantDirect(g.builder, &scales, dim, data).Union();
      g.add({.sizes = {2, 3}, .type = Type::xnn_datatype_qcint4, .data = g.add_data(4)},
            Quantization::PerChannelQuant, quantization);
    };
  };
  const auto per_group = [](int group, size_t scales, std::vector<uint32_t> sizes = {2, 64}) {
    return [=](Graph& g) {
      const std::vector<float> list(scales, 0.5F);
      const auto quantization =
          xnn::CreatePerChannelGroupQuantDirect(g.builder, &list, 0, group).Union();
      g.add({.sizes = sizes, .type = Type::xnn_datatype_qbint4, .data = g.add_data(64)},
            Quantization::PerChannelGroupQuant, quantization);
    };
  };
  const auto dynamic = [](int dims) {
    return [dims](Graph& g) {
      const auto quantization = xnn::CreatePerTokenDynamicQuant(g.builder, dims).Union();
      g.add({.sizes = {2, 3}, .type = Type::xnn_datatype_qdint8},
            Quantization::PerTokenDynamicQuant, quantization);
    };
  };
  expect({
      {per_tensor(0.5F), ""},
      {per_tensor(0.5F, -128), ""},
      {per_tensor(0.5F, 127), ""},
      {per_tensor(0.5F, -129), "its zero point, -129, is not in -128 to 127"},
      {per_tensor(0.5F, 128), "its zero point, 128, is not in -128 to 127"},
      {per_tensor(0.5F, 255, Type::xnn_datatype_quint8), ""},
      {per_tensor(0.5F, -1, Type::xnn_datatype_quint8), "its zero point, -1, is not in 0 to 255"},
      {per_tensor(0.5F, 1, Type::xnn_datatype_qint32), "its zero point, 1, is not in 0 to 0"},
      {per_tensor(0), "its scale is 0"},
      {per_tensor(-1), "its scale is -1"},
      {per_tensor(std::numeric_limits<float>::infinity()), "its scale is inf"},
      {[](Graph& g) { g.add({.sizes = {4}, .type = Type::xnn_datatype_qint8}); },
       "does not go with its quantization"},
      {[](Graph& g) {
         const auto quantization = xnn::CreatePerTensorQuant(g.builder, 1, 0).Union();
         g.add({.sizes = {4}}, Quantization::PerTensorQuant, quantization);
       },
       "does not go with its quantization"},
      {[](Graph& g) {
         g.add({.sizes = {4}, .type = Type::xnn_datatype_qint8}, Quantization::NONE, 0);
       },
       "does not go with its quantization"},
      {per_channel(0, {1, 2}), ""},
      {per_channel(0, {1}), "it has 1 scales, and needs 2"},
      {per_channel(1, {1, 2}), "it has 2 scales, and needs 3"},
      {per_channel(0, {1, 0}), "its scale is 0"},
      {per_channel(2, {1, 2}), "along dimension 2 of 2"},
      {per_channel(-1, {1, 2}), "along dimension -1 of 2"},
      {per_channel(0, {}, 8), ""},
      {per_channel(0, {}, 7), "its data has 7 bytes, and it needs 8"},
      {per_group(32, 4), ""},
      {per_group(32, 3), "it has 3 scales, and needs 4"},
      {per_group(0, 4), "its groups of 0 do not fit"},
      {per_group(-32, 4), "its groups of -32 do not fit"},
      {per_group(48, 4), "its groups of 48 do not fit"},
      {per_group(32, 4, {128}), "its groups of 32 do not fit"},
      {dynamic(1), ""},
      {dynamic(0), "its scales are of 0 of 2 dimensions"},
      {dynamic(3), "its scales are of 3 of 2 dimensions"},
  });
}

// x of these sizes, and a node that reads it and makes y.
Case unary(std::vector<uint32_t> sizes, const std::function<void(Graph&, uint32_t, uint32_t)>& make,
           const char* error) {
  return {[=](Graph& g) {
            const uint32_t x = g.input(sizes);
            make(g, x, g.output({1}));
          },
          error};
}

TEST(XnnpackGraphTest, NodesReadWhatIsThere) {
  const auto negate = [](Graph& g, uint32_t x, uint32_t y, uint32_t flags = 0) {
    g.node(Kind::XNNNegate, xnn::Create_XNNNode1x1(g.builder, x, y, flags));
  };
  expect({
      unary({1}, negate, ""),
      unary({2}, negate, "node 0 (XNNNegate): it makes a tensor of sizes [2], and value 1 has [1]"),
      unary(
          {2}, [&](Graph& g, uint32_t, uint32_t y) { negate(g, 9, y); },
          "node 0 (XNNNegate): it reads value 9, which does not exist"),
      unary(
          {2}, [&](Graph& g, uint32_t, uint32_t y) { negate(g, y, y); },
          "it reads value 1 before it is made"),
      unary(
          {2}, [&](Graph& g, uint32_t x, uint32_t) { negate(g, x, 9); },
          "it makes value 9, which does not exist"),
      unary(
          {2}, [&](Graph& g, uint32_t x, uint32_t) { negate(g, x, x); },
          "it makes value 0, which is there already"),
      unary(
          {1}, [&](Graph& g, uint32_t x, uint32_t y) { negate(g, x, y), negate(g, x, y); },
          "node 1 (XNNNegate): it makes value 1, which is there already"),
      unary(
          {2}, [&](Graph& g, uint32_t x, uint32_t y) { negate(g, x, y, 8); }, "its flags are 0x8"),
      unary(
          {2},
          [&](Graph& g, uint32_t, uint32_t) {
            g.nodes.push_back(xnn::CreateXNode(g.builder, Kind::XNNNegate));
          },
          "it has no parameters"),
      unary(
          {2},
          [&](Graph& g, uint32_t x, uint32_t y) {
            g.node(static_cast<Kind>(200), xnn::Create_XNNNode1x1(g.builder, x, y));
          },
          "node 0 (unknown): it is of kind 200"),
      unary(
          {2},
          [&](Graph& g, uint32_t x, uint32_t y) {
            g.node(Kind::XNNScaledDotProductAttention,
                   xnn::CreateXNNScaledDotProductAttention(g.builder, x, x, x, x, x, y));
          },
          "which is not supported"),
      // An optional second value is there or is none.
      unary(
          {2},
          [&](Graph& g, uint32_t x, uint32_t y) {
            g.node(Kind::XNNAdd, xnn::Create_XNNNode2x1(g.builder, x, UINT32_MAX, y));
          },
          "which does not exist"),
  });
}

TEST(XnnpackGraphTest, SizesOfProductsFit) {
  const auto batches = [](std::vector<uint32_t> a, std::vector<uint32_t> b, uint32_t flags,
                          const char* error) {
    return Case{[=](Graph& g) {
                  const uint32_t x = g.input(a);
                  const uint32_t w = g.input(b);
                  const uint32_t y = g.output({1});
                  g.node(Kind::XNNBatchMatrixMultiply,
                         xnn::Create_XNNNode2x1(g.builder, x, w, y, flags));
                },
                error};
  };
  expect({
      {[](Graph& g) {
         add_linear(g, {2, 3}, {4, 3}, {});
       },
       ""},
      {[](Graph& g) {
         add_linear(g, {2, 3}, {3, 4}, {4}, 1);
       },
       ""},
      {[](Graph& g) {
         add_linear(g, {5, 2, 3});
       },
       "it makes a tensor of sizes [5, 2, 4]"},
      {[](Graph& g) {
         add_linear(g, {2, 4});
       },
       "the sizes of its weight do not fit"},
      {[](Graph& g) {
         add_linear(g, {2, 3}, {3, 4});
       },
       "the sizes of its weight do not fit"},
      {[](Graph& g) {
         add_linear(g, {2, 3}, {12});
       },
       "reads value 1 of 1 dimensions, not 2"},
      {[](Graph& g) { add_linear(g, {}); }, "the sizes of its weight do not fit"},
      {[](Graph& g) {
         add_linear(g, {2, 0}, {4, 0});
       },
       "the sizes of its weight do not fit"},
      {[](Graph& g) {
         add_linear(g, {2, 3}, {4, 3}, {3});
       },
       "the elements of its bias do not fit"},
      {[](Graph& g) {
         const auto quantization = xnn::CreatePerTokenDynamicQuant(g.builder, 2).Union();
         const uint32_t x = g.input({2, 3});
         const uint32_t q = g.add({.sizes = {2, 3}, .type = Type::xnn_datatype_qdint8},
                                  Quantization::PerTokenDynamicQuant, quantization);
         const uint32_t w = g.constant({4, 3});
         const uint32_t y = g.output({2, 4});
         g.node(Kind::XNNConvert, xnn::Create_XNNNode1x1(g.builder, x, q));
         g.node(Kind::XNNFullyConnected,
                xnn::CreateXNNFullyConnected(g.builder, q, w, UINT32_MAX, y));
       },
       "the scales of its rows do not fit"},
      batches({5, 2, 3}, {5, 3, 4}, 0, "it makes a tensor of sizes [5, 2, 4]"),
      batches({1, 2, 3}, {5, 4, 3}, 1, "it makes a tensor of sizes [5, 2, 4]"),
      batches({2, 3}, {5, 3, 4}, 0, "it makes a tensor of sizes [5, 2, 4]"),
      batches({5, 2, 3}, {5, 4, 3}, 0, "the sizes of its second input do not fit"),
      batches({5, 2, 3}, {4, 3, 4}, 0, "the sizes of its second input do not fit"),
      batches({3}, {3, 4}, 0, "its dimensions do not fit"),
  });
}

struct Convolution {
  std::vector<uint32_t> x = {1, 5, 6, 4};
  std::vector<uint32_t> w = {6, 3, 3, 2};
  uint32_t padding = 1;
  uint32_t kernel = 3;
  uint32_t stride = 1;
  uint32_t dilation = 1;
  uint32_t inputs = 2;
  uint32_t outputs = 3;
  uint32_t groups = 2;
  uint32_t adjustment = 0;
  std::vector<uint32_t> bias = {6};
};

Case convolve(Kind kind, const Convolution& c, const char* error) {
  return {[=](Graph& g) {
            const uint32_t x = g.input(c.x);
            const uint32_t w = g.constant(c.w);
            const uint32_t b = g.constant(c.bias);
            const uint32_t y = g.output({1});
            g.node(kind, xnn::Create_XNNNodeConv(g.builder, c.padding, c.padding, c.padding,
                                                 c.padding, c.kernel, c.kernel, c.stride, c.stride,
                                                 c.dilation, c.dilation, c.inputs, c.outputs,
                                                 c.groups, c.adjustment, c.adjustment, x, w, b, y));
          },
          error};
}

TEST(XnnpackGraphTest, SizesOfConvolutionsFit) {
  const Convolution depthwise = {
      .w = {1, 3, 3, 8}, .inputs = 1, .outputs = 2, .groups = 4, .bias = {8}};
  Convolution of_two = depthwise;
  of_two.inputs = 2;
  of_two.groups = 2;
  for (const Kind kind : {Kind::XNNConv2d, Kind::XNNConvTranspose2d}) {
    expect({
        convolve(kind, {}, "it makes a tensor of sizes [1, 5, 6, 6]"),
        convolve(kind, {.x = {1, 5, 6, 3}}, "its groups of channels do not fit"),
        convolve(kind, {.groups = 0}, "its groups of channels do not fit"),
        convolve(kind, {.inputs = 0}, "its groups of channels do not fit"),
        convolve(kind, {.inputs = 1}, "its groups of channels do not fit"),
        convolve(kind, {.outputs = 0}, "its groups of channels do not fit"),
        convolve(kind, {.outputs = UINT32_MAX}, "do not fit"),
        convolve(kind, {.w = {6, 3, 3, 1}}, "the sizes of its weight do not fit"),
        convolve(kind, {.kernel = 4}, "the sizes of its weight do not fit"),
        convolve(kind, {.bias = {5}}, "the elements of its bias do not fit"),
        convolve(kind, {.stride = 0}, "stride"),
        convolve(kind, {.dilation = 0}, "dilation"),
        convolve(kind, {.x = {1, 0, 6, 4}}, "its window"),
        convolve(kind, {.x = {5, 6, 4}}, "of 3 dimensions, not 4"),
        convolve(kind, {.w = {6, 0, 0, 2}, .kernel = 0}, "its window"),
    });
  }
  expect({
      convolve(Kind::XNNConv2d, {.dilation = UINT32_MAX}, "its windows do not fit"),
      convolve(Kind::XNNConv2d, {.padding = 1 << 16}, "far more memory"),
      convolve(Kind::XNNConvTranspose2d, {.stride = 2, .adjustment = 2}, "adjustment"),
      convolve(Kind::XNNConvTranspose2d, {.padding = 4}, "its paddings do not fit"),
      convolve(Kind::XNNConvTranspose2d, {.stride = 1 << 16}, "far more memory"),
      convolve(Kind::XNNDepthwiseConv2d, depthwise, "it makes a tensor of sizes [1, 5, 6, 8]"),
      convolve(Kind::XNNDepthwiseConv2d, of_two, "its groups of channels do not fit"),
  });
}

TEST(XnnpackGraphTest, SizesOfPoolsFit) {
  struct Pool {
    uint32_t padding = 0;
    uint32_t kernel = 2;
    uint32_t stride = 2;
    uint32_t dilation = 1;
  };
  const auto pool = [](Kind kind, const Pool& p, const char* error) {
    return unary(
        {1, 4, 6, 3},
        [=](Graph& g, uint32_t x, uint32_t y) {
          g.node(kind, xnn::Create_XNNPooling2D(g.builder, p.padding, p.padding, p.padding,
                                                p.padding, p.kernel, p.kernel, p.stride, p.stride,
                                                p.dilation, p.dilation, x, y, 64));
        },
        error);
  };
  for (const Kind kind : {Kind::XNNAvgPooling2d, Kind::XNNMaxPooling2d}) {
    expect({
        pool(kind, {}, "it makes a tensor of sizes [1, 2, 3, 3]"),
        pool(kind, {.kernel = 5}, "its windows do not fit"),
        pool(kind, {.kernel = 0}, "its window"),
        pool(kind, {.stride = 0}, "its window"),
        pool(kind, {.padding = 1 << 14}, "far more memory"),
    });
  }
  expect({
      pool(Kind::XNNAvgPooling2d, {.dilation = 0}, "it makes a tensor of sizes [1, 2, 3, 3]"),
      pool(Kind::XNNMaxPooling2d, {.dilation = 0}, "its window"),
      pool(Kind::XNNMaxPooling2d, {.dilation = 4}, "its windows do not fit"),
      unary(
          {1, 4, 1, 1},
          [](Graph& g, uint32_t x, uint32_t y) {
            const uint32_t indices = g.output({1});
            g.node(Kind::XNNArgMaxPooling2d,
                   xnn::CreateXNNArgMaxPooling2d(g.builder, 0, 0, 0, 0, 4, 1, x, y, indices));
          },
          ""),
      unary(
          {1, 4, 1, 1},
          [](Graph& g, uint32_t x, uint32_t y) {
            g.node(Kind::XNNArgMaxPooling2d,
                   xnn::CreateXNNArgMaxPooling2d(g.builder, 0, 0, 0, 0, 4, 1, x, y, y));
          },
          "which is there already"),
      unary(
          {1, 4, 0, 3},
          [](Graph& g, uint32_t x, uint32_t y) {
            g.node(Kind::XNNGlobalAvgPooling2d, xnn::Create_XNNNode1x1(g.builder, x, y, 64));
          },
          "its input has no pixels"),
      unary(
          {1, 4, 6, 3},
          [](Graph& g, uint32_t x, uint32_t y) {
            g.node(Kind::XNNGlobalAvgPooling2d, xnn::Create_XNNNode1x1(g.builder, x, y, 64));
          },
          "it makes a tensor of sizes [1, 1, 1, 3]"),
  });
}

TEST(XnnpackGraphTest, SizesOfMovementsFit) {
  const auto transpose = [](uint32_t count, std::vector<uint32_t> order, const char* error) {
    return unary(
        {2, 3, 4},
        [=](Graph& g, uint32_t x, uint32_t y) {
          g.node(Kind::XNNStaticTranspose,
                 xnn::CreateXNNStaticTransposeDirect(g.builder, count, &order, x, y));
        },
        error);
  };
  const auto slice = [](uint32_t count, std::vector<uint32_t> offsets, std::vector<uint32_t> sizes,
                        const char* error) {
    return unary(
        {2, 3},
        [=](Graph& g, uint32_t x, uint32_t y) {
          g.node(Kind::XNNStaticSlice,
                 xnn::CreateXNNStaticSliceDirect(g.builder, count, &offsets, &sizes, x, y));
        },
        error);
  };
  const auto reshape = [](uint32_t count, std::vector<uint32_t> sizes, const char* error) {
    return unary(
        {2, 3},
        [=](Graph& g, uint32_t x, uint32_t y) {
          g.node(Kind::XNNStaticReshape,
                 xnn::CreateXNNStaticReshapeDirect(g.builder, count, &sizes, x, y));
        },
        error);
  };
  const auto pad = [](std::vector<uint32_t> before, std::vector<uint32_t> after,
                      const char* error) {
    return unary(
        {2, 3},
        [=](Graph& g, uint32_t x, uint32_t y) {
          g.node(Kind::XNNStaticConstantPad,
                 xnn::CreateXNNStaticConstantPadDirect(g.builder, &before, &after, 0, x, y));
        },
        error);
  };
  const auto resize = [](std::vector<uint32_t> sizes, uint32_t height, const char* error) {
    return unary(
        std::move(sizes),
        [=](Graph& g, uint32_t x, uint32_t y) {
          g.node(Kind::XNNStaticResizeBilinear2D,
                 xnn::CreateXNNStaticResizeBilinear2D(g.builder, height, 3, x, y));
        },
        error);
  };
  const auto join = [](std::vector<uint32_t> other, uint32_t axis, const char* error) {
    return unary(
        {2, 3},
        [=](Graph& g, uint32_t x, uint32_t y) {
          const uint32_t z = g.input(other);
          g.node(Kind::XNNConcatenate3,
                 xnn::Create_XNNCat(g.builder, axis, x, z, x, UINT32_MAX, y));
        },
        error);
  };
  const auto add = [](std::vector<uint32_t> other, const char* error) {
    return unary(
        {2, 3},
        [=](Graph& g, uint32_t x, uint32_t y) {
          const uint32_t z = g.input(other);
          g.node(Kind::XNNAdd, xnn::Create_XNNNode2x1(g.builder, x, z, y));
        },
        error);
  };
  expect({
      transpose(3, {2, 0, 1}, "it makes a tensor of sizes [4, 2, 3]"),
      transpose(3, {2, 0}, "its permutation is incomplete"),
      transpose(2, {1, 0}, "of 3 dimensions, not 2"),
      transpose(3, {2, 0, 2}, "its permutation is none"),
      transpose(3, {3, 0, 1}, "its permutation is none"),
      slice(2, {0, 1}, {2, 2}, "it makes a tensor of sizes [2, 2]"),
      slice(2, {0, 1}, {2, 3}, "its offsets and sizes do not fit"),
      slice(2, {0, UINT32_MAX}, {2, 1}, "its offsets and sizes do not fit"),
      slice(2, {0, 0}, {2, 0}, "its offsets and sizes do not fit"),
      slice(2, {0}, {2, 2}, "its offsets or sizes are incomplete"),
      slice(1, {0}, {2}, "of 2 dimensions, not 1"),
      reshape(1, {6}, "it makes a tensor of sizes [6]"),
      reshape(2, {3, 0}, "it makes a tensor of sizes [3, 2]"),
      reshape(2, {4, 0}, "the sizes of its shape do not fit"),
      reshape(2, {0, 0}, "the sizes of its shape do not fit"),
      reshape(1, {5}, "the sizes of its shape do not fit"),
      reshape(2, {6}, "its shape is incomplete"),
      reshape(7, {6, 1, 1, 1, 1, 1, 1}, "it makes a tensor of 7 dimensions"),
      pad({1, 0}, {0, 1}, "it makes a tensor of sizes [3, 4]"),
      pad({1, 0}, {0}, "its paddings are incomplete"),
      pad({1}, {0}, "its paddings are incomplete"),
      pad({UINT32_MAX, 0}, {0, UINT32_MAX}, "more than 2^40 elements"),
      pad({0, 1 << 25}, {0, 0}, "far more memory"),
      resize({1, 2, 2, 3}, 4, "it makes a tensor of sizes [1, 4, 3, 3]"),
      resize({1, 2, 2, 3}, 0, "there are no pixels"),
      resize({1, 0, 2, 3}, 4, "there are no pixels"),
      resize({2, 2, 3}, 4, "of 3 dimensions, not 4"),
      resize({1, 2, 2, 3}, 1 << 24, "far more memory"),
      join({2, 5}, 1, "it makes a tensor of sizes [2, 11]"),
      join({2, 5}, 0, "the sizes of its other inputs do not fit"),
      join({2, 3, 1}, 1, "the sizes of its other inputs do not fit"),
      join({2, 3}, 2, "its axis do not fit"),
      join({2, 3}, UINT32_MAX, "its axis do not fit"),
      add({3}, "it makes a tensor of sizes [2, 3]"),
      add({2, 1}, "it makes a tensor of sizes [2, 3]"),
      add({4}, "the sizes of its second input do not fit"),
  });
}

}  // namespace
}  // namespace slipway::xnnpack
