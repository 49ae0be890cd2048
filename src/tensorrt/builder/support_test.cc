#include "tensorrt/builder/support.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "passes/program_test.h"

namespace slipway::tensorrt {
namespace {

using ir::Argument;
using ir::Node;
using ir::SymInt;
using ir::Value;

struct Nodes : passes::TestProgram {
  Value* tensor(DType dtype = DType::kFloat32, std::vector<SymInt> sizes = {4}) {
    return input("x" + std::to_string(program.inputs.size()), type(std::move(sizes), dtype));
  }
  // The reason, or "" for a node that is taken.
  std::string why(const std::string& op, std::vector<Argument> args, ir::TensorType result) {
    return why_kept(program, *node(op, std::move(args), {std::move(result)}, "r")).value_or("");
  }
  std::string why_relu(DType dtype) {
    return why("aten.relu.default", {tensor(dtype)}, type({4}, dtype));
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Support, KeepsTypesThatTensorrtLacksOrNarrows) {
  Nodes n;
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kBFloat16, DType::kInt32,
                            DType::kInt64, DType::kBool}) {
    EXPECT_EQ(n.why_relu(dtype), "") << dtype_name(dtype);
  }
  EXPECT_EQ(n.why_relu(DType::kFloat64), "TensorRT's parser narrows float64 to float32");
  EXPECT_EQ(n.why_relu(DType::kInt16), "TensorRT has no int16");
  EXPECT_TRUE(contains(n.why_relu(DType::kUInt8), "uint8"));
  EXPECT_TRUE(contains(n.why_relu(DType::kInt8), "int8"));
  EXPECT_TRUE(contains(n.why_relu(DType::kComplex64), "complex64"));
  // Of results as of arguments.
  EXPECT_NE(
      n.why("aten.to.dtype", {n.tensor(), DType::kFloat64}, Nodes::type({4}, DType::kFloat64)), "");
}

// What is quantized and read again never is a tensor of 8 bits for TensorRT, or one that it has.
TEST(Support, TakesQuantizationThatIsReadAgain) {
  Nodes n;
  const auto quantize = [&](Value* x) {
    return n.node("quantized_decomposed.quantize_per_tensor.default",
                  {x, 0.1, SymInt(3), SymInt(0), SymInt(255), DType::kUInt8},
                  {Nodes::type({4}, DType::kUInt8)}, "q");
  };
  const auto dequantize = [&](Value* q) {
    return n.node("quantized_decomposed.dequantize_per_tensor.default",
                  {q, 0.1, SymInt(3), SymInt(0), SymInt(255), DType::kUInt8, ir::None{}},
                  {Nodes::type({4})}, "d");
  };
  Node* quantized = quantize(n.tensor());
  Node* read = dequantize(quantized->output());
  EXPECT_EQ(why_kept(n.program, *quantized), std::nullopt);
  EXPECT_EQ(why_kept(n.program, *read), std::nullopt);
  n.node("aten.relu.default", {quantized->output()}, {Nodes::type({4}, DType::kUInt8)}, "r");
  EXPECT_TRUE(contains(why_kept(n.program, *quantized).value_or(""), "uint8"));
  EXPECT_TRUE(contains(why_kept(n.program, *read).value_or(""), "uint8"));
  // What a caller gives.
  EXPECT_TRUE(
      contains(why_kept(n.program, *dequantize(n.tensor(DType::kUInt8))).value_or(""), "uint8"));
  Node* returned = quantize(n.tensor());
  n.program.graph->outputs().emplace_back(returned->output());
  EXPECT_TRUE(contains(why_kept(n.program, *returned).value_or(""), "uint8"));
}

TEST(Support, TakesWeightsOfInt8) {
  Nodes n;
  const auto why = [&](DType dtype, const std::vector<int64_t>& sizes, DType to) {
    ir::ConstantData data;
    data.dtype = dtype;
    data.sizes = sizes;
    data.strides = std::vector<int64_t>(sizes.size(), 1);
    if (sizes.size() == 2) data.strides[0] = sizes[1];
    data.storage = own_bytes(std::vector<std::byte>(8));
    Value* weight = n.program.add_constant("w", std::move(data));
    const std::vector<SymInt> same(sizes.begin(), sizes.end());
    return n.why("aten.to.dtype", {weight, to}, Nodes::type(same, to));
  };
  EXPECT_EQ(why(DType::kInt8, {2, 4}, DType::kFloat32), "");
  EXPECT_NE(why(DType::kInt8, {8}, DType::kFloat32), "");
  EXPECT_NE(why(DType::kUInt8, {2, 4}, DType::kFloat32), "");
  EXPECT_NE(why(DType::kInt8, {2, 4}, DType::kInt32), "");
  EXPECT_NE(n.why("aten.to.dtype", {n.tensor(DType::kInt8, {2, 4}), DType::kFloat32},
                  Nodes::type({2, 4})),
            "");
}

TEST(Support, KeepsWhatTheParserRefuses) {
  Nodes n;
  Value* x = n.tensor();
  Value* places = n.tensor(DType::kInt64);
  const auto put = [&](const std::string& op, bool accumulate) {
    return n.why(op, {x, std::vector<Value*>{places}, x, accumulate}, Nodes::type({4}));
  };
  EXPECT_EQ(put("aten.index_put.default", false), "");
  EXPECT_TRUE(contains(put("aten.index_put.default", true), "scatter that reduces"));
  EXPECT_TRUE(contains(put("aten._unsafe_index_put.default", true), "scatter that reduces"));
  EXPECT_TRUE(contains(n.why("aten.index_add.default", {x, SymInt(0), places, x}, Nodes::type({4})),
                       "reduces"));
  EXPECT_TRUE(contains(n.why("aten.embedding_bag.padding_idx",
                             {n.tensor(DType::kFloat32, {2, 4}), places, places, false, SymInt(0)},
                             Nodes::type({4, 4})),
                       "scatter that reduces, which bags of uneven sizes take"));
  EXPECT_NE(n.why("aten.scatter.value_reduce",
                  {x, SymInt(0), places, SymInt(2), std::string("multiply")}, Nodes::type({4})),
            "");
  EXPECT_EQ(n.why("aten.scatter.value", {x, SymInt(0), places, SymInt(2)}, Nodes::type({4})), "");
  EXPECT_EQ(n.why("aten.index_copy.default", {x, SymInt(0), places, x}, Nodes::type({4})), "");
  EXPECT_TRUE(
      contains(n.why("aten.bitwise_xor.Tensor", {places, places}, Nodes::type({4}, DType::kInt64)),
               "BitwiseXor"));
  EXPECT_EQ(n.why("aten.bitwise_and.Tensor", {places, places}, Nodes::type({4}, DType::kInt64)),
            "");
  EXPECT_TRUE(contains(
      n.why("aten.nonzero.default", {x}, Nodes::type({SymInt::symbol("u0"), 1}, DType::kInt64)),
      "output allocator"));
}

TEST(Support, KeepsTransposedConvolutionsWithStrideAndDilation) {
  Nodes n;
  Value* x = n.tensor(DType::kFloat32, {1, 2, 8});
  Value* w = n.tensor(DType::kFloat32, {2, 2, 3});
  using passes::Ints;
  const auto why = [&](int64_t stride, int64_t dilation) {
    return n.why("aten.conv_transpose1d.default",
                 {x, w, ir::None(), Ints{stride}, Ints{0}, Ints{0}, SymInt(1), Ints{dilation}},
                 Nodes::type({1, 2, 20}));
  };
  const auto why_core = [&](bool transposed) {
    return n.why("aten.convolution.default",
                 {x, w, ir::None(), Ints{2}, Ints{0}, Ints{2}, transposed, Ints{0}, SymInt(1)},
                 Nodes::type({1, 2, 20}));
  };
  EXPECT_EQ(why(2, 1), "");
  EXPECT_EQ(why(1, 2), "");
  EXPECT_TRUE(contains(why(2, 2), "stride and a dilation"));
  EXPECT_TRUE(contains(why_core(true), "stride and a dilation"));
  EXPECT_EQ(why_core(false), "");
}

TEST(Support, KeepsFlipsWithoutElements) {
  Nodes n;
  const auto why = [&](SymInt size) {
    return n.why("aten.flip.default", {n.tensor(DType::kBool, {3, size}), passes::Ints{0}},
                 Nodes::type({3, size}, DType::kBool));
  };
  EXPECT_TRUE(contains(why(0), "without elements"));
  EXPECT_EQ(why(1), "");
  EXPECT_EQ(why(SymInt::symbol("s0")), "");
  EXPECT_EQ(n.why("aten.neg.default", {n.tensor(DType::kFloat32, {0})}, Nodes::type({0})), "");
}

TEST(Support, KeepsLongSorts) {
  Nodes n;
  const auto top = [&](int64_t k) {
    return n.why("aten.topk.default", {n.tensor(DType::kFloat32, {9000}), SymInt(k)},
                 Nodes::type({k}));
  };
  EXPECT_EQ(top(3840), "");
  EXPECT_TRUE(contains(top(3841), "at most 3840"));
  const auto sort = [&](std::vector<SymInt> sizes, int64_t dim) {
    return n.why("aten.sort.default", {n.tensor(DType::kFloat32, sizes), SymInt(dim)},
                 Nodes::type(sizes));
  };
  EXPECT_EQ(sort({9000, 20}, -1), "");
  EXPECT_NE(sort({9000, 20}, 0), "");
  EXPECT_NE(sort({SymInt::symbol("s0")}, 0), "");
  const auto stable = [&](int64_t dim) {
    return n.why("aten.argsort.stable",
                 {n.tensor(DType::kFloat32, {20, 9000}), true, SymInt(dim), false},
                 Nodes::type({20, 9000}, DType::kInt64));
  };
  EXPECT_EQ(stable(0), "");
  EXPECT_NE(stable(1), "");
}

TEST(Support, LooksIntoBranches) {
  Nodes n;
  const auto branch = [](DType dtype) {
    auto graph = std::make_shared<ir::Graph>();
    Value* x = graph->add_input("x", Nodes::type({4}));
    ir::Node* node = graph->add_node("aten.to.dtype", {x, dtype}, {});
    graph->outputs().push_back(graph->add_output(node, Nodes::type({4}, dtype)));
    return graph;
  };
  const auto cond = [&](DType dtype) {
    return n.why("higher_order.cond",
                 {n.tensor(DType::kBool, {}), branch(DType::kFloat32), branch(dtype),
                  std::vector<Value*>{n.tensor()}},
                 Nodes::type({4}));
  };
  EXPECT_EQ(cond(DType::kFloat32), "");
  EXPECT_TRUE(contains(cond(DType::kFloat64), "float64"));
}

}  // namespace
}  // namespace slipway::tensorrt
