#include "ir/op_builder.h"

#include <gtest/gtest.h>

#include "ir/program.h"

namespace slipway::ir {
namespace {

class OpBuilderTest : public testing::Test {
 protected:
  Value* input(DType dtype, std::vector<SymInt> sizes) {
    return graph_.add_input("x", TensorType{dtype, std::move(sizes), {}});
  }
  static std::string type(const Value* value) { return print(value->type()); }

  // Every node must fit its schema.
  void TearDown() override {
    Program program;
    for (Value* value : graph_.inputs()) {
      Input input;
      input.name = value->name();
      input.value = value;
      program.inputs.push_back(input);
    }
    program.graph = std::shared_ptr<Graph>(std::shared_ptr<void>(), &graph_);
    Status status = verify(program);
    EXPECT_TRUE(status.ok()) << status.error().message();
  }

  Graph graph_;
  OpBuilder build{graph_, nullptr, nullptr};
  Value* f = input(DType::kFloat32, {2, 3, 4});
  Value* h = input(DType::kFloat16, {2, 3, 4});
  Value* i = input(DType::kInt64, {2, 3, 4});
  Value* i8 = input(DType::kInt8, {2, 3, 4});
  Value* u = input(DType::kUInt8, {2, 3, 4});
  Value* z = input(DType::kFloat32, {});
  Value* zi = input(DType::kInt64, {});
  Value* b = input(DType::kBool, {2, 3, 4});
  Value* m = input(DType::kFloat32, {3, 4});
  Value* r = input(DType::kFloat32, {3, 1});
  Value* img = input(DType::kFloat32, {2, 4, 9, 7});
  Value* w = input(DType::kFloat32, {6, 4, 3, 3});
  Value* w1 = input(DType::kFloat32, {6, 4, 3});
  Value* seq = input(DType::kFloat32, {2, 4, 9});
  Value* wt = input(DType::kFloat32, {4, 6, 3, 3});
  Value* wg = input(DType::kFloat32, {6, 2, 3, 3});
  Value* p = input(DType::kFloat32, {4, 5});
  Value* q = input(DType::kFloat32, {3, 5, 7});
  Value* idx = input(DType::kInt64, {5});
  Value* idx2 = input(DType::kInt64, {2, 1});
  Value* c4 = input(DType::kFloat32, {4});
  Value* l6 = input(DType::kFloat32, {6, 4});
  Value* v6 = input(DType::kFloat32, {6});
};

// What torch 2.14 gives for the same calls.

TEST_F(OpBuilderTest, ElementByElement) {
  EXPECT_EQ(type(build.add(f, i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.add(i, f)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.add(f, m)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.add(m, f)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.add(i, z)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.add(h, z)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.add(z, zi)), "float32[]");
  EXPECT_EQ(type(build.add(i8, 2)), "int8[2, 3, 4]");
  EXPECT_EQ(type(build.add(i8, 2.0)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.add(b, true)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.add(b, b)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.add(h, 1.5)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.add(i, h)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.sub(f, 1, 2.0)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.sub(f, r)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.rsub(i, SymInt(1))), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.mul(f, b)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.mul(i, 2)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.div(i, i8)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.div(i, 2)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.div(h, 2)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.div_mode(i, i8, "floor")), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.div_mode(i, 2, "trunc")), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.remainder(f, i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.pow(i, 2)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.pow(i, 0.5)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.pow(f, i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.pow(Scalar(2.0), i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.pow(Scalar(SymInt(2)), f)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.maximum(f, i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.minimum(m, f)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.atan2(i, i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.atan2(h, h)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.eq(f, i)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.ne(i, 0)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.lt(f, m)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.le(f, 0.5)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.gt(z, f)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.ge(f, f)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.logical_and(f, m)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.logical_or(b, i)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.logical_not(f)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.where(b, f, z)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.where(b, zi, h)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.where(b, m, zi)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.masked_fill(m, b, 0.0)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.masked_fill(i, b, SymInt(1))), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.clamp(i, SymInt(0), {})), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.clamp(i, 0.5, SymInt(2))), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.clamp_tensor(f, m, nullptr)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.exp(i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.exp(h)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.neg(i8)), "int8[2, 3, 4]");
  EXPECT_EQ(type(build.abs(i)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.sqrt(b)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.relu(i)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.floor(f)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.round(i)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.sign(b)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.isnan(f)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.isinf(i)), "bool[2, 3, 4]");
  EXPECT_EQ(type(build.reciprocal(i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.rsqrt(f)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.sigmoid(i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.unary("erfc", i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.unary("lgamma", i)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.unary("square", i)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.gelu(h)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.leaky_relu(f, 0.1)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.elu(f, 1.0, 1.0, 1.0)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.to_dtype(f, DType::kInt8)), "int8[2, 3, 4]");
  EXPECT_EQ(type(build.to_dtype(f, DType::kFloat32)), "float32[2, 3, 4]");
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, NewTensors) {
  EXPECT_EQ(type(build.full({2, 3}, 1, DType::kInt64)), "int64[2, 3]");
  EXPECT_EQ(type(build.zeros({}, DType::kBool)), "bool[]");
  EXPECT_EQ(type(build.ones({2}, DType::kFloat16)), "float16[2]");
  EXPECT_EQ(type(build.full_like(i, 1.5)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.full_like(i, 1.5, DType::kFloat32)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.scalar_tensor(1.5, DType::kFloat64)), "float64[]");
  EXPECT_EQ(type(build.arange(5)), "int64[5]");
  EXPECT_EQ(type(build.arange(1, 10, 3)), "int64[3]");
  EXPECT_EQ(type(build.arange(10, 1, -4)), "int64[3]");
  EXPECT_EQ(type(build.arange(0, 7, 2, DType::kFloat32)), "float32[4]");
  EXPECT_EQ(type(build.arange(0, 0, 1)), "int64[0]");
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, Shapes) {
  EXPECT_EQ(type(build.view(f, {6, -1})), "float32[6, 4]");
  EXPECT_EQ(type(build.view(f, {24})), "float32[24]");
  EXPECT_EQ(type(build.permute(f, {2, 0, -2})), "float32[4, 2, 3]");
  EXPECT_EQ(type(build.transpose(f, 0, -1)), "float32[4, 3, 2]");
  EXPECT_EQ(type(build.unsqueeze(f, -1)), "float32[2, 3, 4, 1]");
  EXPECT_EQ(type(build.unsqueeze(f, 1)), "float32[2, 1, 3, 4]");
  EXPECT_EQ(type(build.unsqueeze(z, 0)), "float32[1]");
  EXPECT_EQ(type(build.squeeze(r, 1)), "float32[3]");
  EXPECT_EQ(type(build.squeeze(r, 0)), "float32[3, 1]");
  EXPECT_EQ(type(build.squeeze(r, {0, -1})), "float32[3]");
  EXPECT_EQ(type(build.expand(r, {2, -1, 4})), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.expand(z, {3})), "float32[3]");
  EXPECT_EQ(type(build.slice(f, 1, 1, INT64_MAX)), "float32[2, 2, 4]");
  EXPECT_EQ(type(build.slice(f, 2, -3, -1)), "float32[2, 3, 2]");
  EXPECT_EQ(type(build.slice(f, 2, 0, 100, 3)), "float32[2, 3, 2]");
  EXPECT_EQ(type(build.slice(f, 2, 3, 1)), "float32[2, 3, 0]");
  EXPECT_EQ(type(build.slice(f, 2, -100, 2)), "float32[2, 3, 2]");
  EXPECT_EQ(type(build.narrow(f, 2, 1, 2)), "float32[2, 3, 2]");
  EXPECT_EQ(type(build.select(f, -2, 0)), "float32[2, 4]");
  EXPECT_EQ(type(build.cat({f, h}, 1)), "float32[2, 6, 4]");
  EXPECT_EQ(type(build.cat({i, i8}, -1)), "int64[2, 3, 8]");
  EXPECT_EQ(type(build.stack({f, f, f}, 1)), "float32[2, 3, 3, 4]");
  EXPECT_EQ(type(build.stack({z, z}, -1)), "float32[2]");
  EXPECT_EQ(type(build.split_with_sizes(f, {1, 3}, 2)[1]), "float32[2, 3, 3]");
  EXPECT_EQ(type(build.split(f, 3, 2)[1]), "float32[2, 3, 1]");
  EXPECT_EQ(type(build.unbind(f, 1)[2]), "float32[2, 4]");
  EXPECT_EQ(type(build.repeat(m, {2, 1, 3})), "float32[2, 3, 12]");
  EXPECT_EQ(type(build.flip(f, {0, -1})), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.roll(f, {1}, {0})), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.diagonal(f)), "float32[4, 2]");
  EXPECT_EQ(type(build.diagonal(f, -1, 1, 2)), "float32[2, 2]");
  EXPECT_EQ(type(build.diagonal(f, 2, 1, 2)), "float32[2, 2]");
  EXPECT_EQ(type(build.diagonal(m, 9)), "float32[0]");
  EXPECT_EQ(type(build.constant_pad_nd(f, {1, 2, -1, 0})), "float32[2, 2, 7]");
  EXPECT_EQ(type(build.tril(m)), "float32[3, 4]");
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, ByIndex) {
  EXPECT_EQ(type(build.gather(p, 0, idx2)), "float32[2, 1]");
  EXPECT_EQ(type(build.index_select(f, 1, idx)), "float32[2, 5, 4]");
  EXPECT_EQ(type(build.index(f, {idx})), "float32[5, 3, 4]");
  EXPECT_EQ(type(build.index(f, {nullptr, idx})), "float32[2, 5, 4]");
  EXPECT_EQ(type(build.index(f, {idx, nullptr, idx})), "float32[5, 3]");
  EXPECT_EQ(type(build.index(f, {nullptr, idx2, idx})), "float32[2, 2, 5]");
  EXPECT_EQ(type(build.index_put(f, {idx}, z)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.embedding(p, idx2)), "float32[2, 1, 5]");
  EXPECT_EQ(type(build.scatter_value(p, 0, idx2, 1.0)), "float32[4, 5]");
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, Reductions) {
  EXPECT_EQ(type(build.sum(f, {1})), "float32[2, 4]");
  EXPECT_EQ(type(build.sum(f, {})), "float32[]");
  EXPECT_EQ(type(build.sum(f, {0, -1}, true)), "float32[1, 3, 1]");
  EXPECT_EQ(type(build.sum(i8, {0})), "int64[3, 4]");
  EXPECT_EQ(type(build.sum(b, {})), "int64[]");
  EXPECT_EQ(type(build.sum(f, {0}, false, DType::kFloat64)), "float64[3, 4]");
  EXPECT_EQ(type(build.sum(z, {0})), "float32[]");
  EXPECT_EQ(type(build.mean(h, {-1}, true)), "float16[2, 3, 1]");
  EXPECT_EQ(type(build.mean(i, {0}, false, DType::kFloat32)), "float32[3, 4]");
  EXPECT_EQ(type(build.amax(i8, {1})), "int8[2, 4]");
  EXPECT_EQ(type(build.amin(f, {})), "float32[]");
  EXPECT_EQ(type(build.var(f, {1, 2}, SymInt(1), true)), "float32[2, 1, 1]");
  EXPECT_EQ(type(build.any(f, 1)), "bool[2, 4]");
  EXPECT_EQ(type(build.any(u, 1)), "uint8[2, 4]");
  EXPECT_EQ(type(build.any(b)), "bool[]");
  EXPECT_EQ(type(build.prod(i8, 1)), "int64[2, 4]");
  EXPECT_EQ(type(build.max_dim(f, 1).first), "float32[2, 4]");
  EXPECT_EQ(type(build.min_dim(i8, -1, true).second), "int64[2, 3, 1]");
  EXPECT_EQ(type(build.topk(f, 2, -1).first), "float32[2, 3, 2]");
  EXPECT_EQ(type(build.topk(f, 2, 1).second), "int64[2, 2, 4]");
  EXPECT_EQ(type(build.cumsum(i8, 0)), "int64[2, 3, 4]");
  EXPECT_EQ(type(build.cumsum(h, 0)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.softmax(h, -1)), "float16[2, 3, 4]");
  EXPECT_EQ(type(build.log_softmax(f, 0)), "float32[2, 3, 4]");
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, Layers) {
  EXPECT_EQ(type(build.mm(m, p)), "float32[3, 5]");
  EXPECT_EQ(type(build.bmm(build.permute(q, {0, 2, 1}), q)), "float32[3, 7, 7]");
  EXPECT_EQ(type(build.linear(f, l6, v6)), "float32[2, 3, 6]");
  EXPECT_EQ(type(build.convolution(img, w, v6, {1, 1}, {0, 0}, {1, 1}, false, {0, 0}, 1)),
            "float32[2, 6, 7, 5]");
  EXPECT_EQ(type(build.convolution(img, w, nullptr, {2, 1}, {1, 2}, {2, 1}, false, {0, 0}, 1)),
            "float32[2, 6, 4, 9]");
  EXPECT_EQ(type(build.convolution(img, wg, nullptr, {2, 2}, {1, 1}, {1, 1}, false, {0, 0}, 2)),
            "float32[2, 6, 5, 4]");
  EXPECT_EQ(type(build.convolution(img, wt, nullptr, {2, 3}, {1, 0}, {1, 2}, true, {1, 0}, 1)),
            "float32[2, 6, 18, 23]");
  EXPECT_EQ(type(build.convolution(seq, w1, nullptr, {2}, {1}, {1}, false, {0}, 1)),
            "float32[2, 6, 5]");
  EXPECT_EQ(type(build.native_layer_norm(f, {3, 4}, nullptr, nullptr, 1e-5)), "float32[2, 3, 4]");
  EXPECT_EQ(type(build.native_group_norm(img, nullptr, c4, 2, 1e-5)), "float32[2, 4, 9, 7]");
  EXPECT_EQ(type(build.batch_norm(img, c4, c4, c4, c4, 0.1, 1e-5)), "float32[2, 4, 9, 7]");
  EXPECT_EQ(type(build.avg_pool2d(img, {3}, {2}, {1}, false, true, {})), "float32[2, 4, 5, 4]");
  EXPECT_EQ(type(build.avg_pool2d(img, {2, 2}, {}, {0}, true, true, {})), "float32[2, 4, 5, 4]");
  EXPECT_EQ(type(build.avg_pool2d(img, {2, 2}, {3, 3}, {1}, true, true, {})),
            "float32[2, 4, 4, 3]");
  EXPECT_EQ(type(build.max_pool2d_with_indices(img, {3, 2}, {2, 2}, {1, 0}, {1, 2}, true).first),
            "float32[2, 4, 5, 3]");
  EXPECT_EQ(type(build.max_pool2d_with_indices(seq, {2}, {}, {0}, {1}, false).second),
            "int64[2, 2, 4]");
  EXPECT_EQ(type(build.adaptive_avg_pool2d(img, {1, 3})), "float32[2, 4, 1, 3]");
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, SymbolicSizes) {
  const SymInt s0 = SymInt::symbol("s0");
  const SymInt s1 = SymInt::symbol("s1");
  Value* x = input(DType::kFloat32, {s0, 1, 6});
  Value* y = input(DType::kFloat32, {s0, s1, 1});
  Value* image = input(DType::kFloat32, {1, 4, s0, s0 * 2});
  EXPECT_EQ(type(build.add(x, y)), "float32[s0, s1, 6]");
  EXPECT_EQ(type(build.mul(y, x)), "float32[s0, s1, 6]");
  EXPECT_EQ(type(build.view(x, {-1, 3})), "float32[2*s0, 3]");
  EXPECT_EQ(type(build.view(x, {s0, 2, 3})), "float32[s0, 2, 3]");
  EXPECT_EQ(type(build.slice(x, 0, 1, INT64_MAX)), "float32[s0 - 1, 1, 6]");
  EXPECT_EQ(type(build.slice(x, 0, 0, -1)), "float32[s0 - 1, 1, 6]");
  EXPECT_EQ(type(build.slice(x, 0, 0, INT64_MAX, 2)), "float32[floordiv(s0 + 1, 2), 1, 6]");
  EXPECT_EQ(type(build.narrow(x, 0, s1, 3)), "float32[3, 1, 6]");
  EXPECT_EQ(type(build.cat({x, x}, 0)), "float32[2*s0, 1, 6]");
  EXPECT_EQ(type(build.expand(x, {-1, s1, -1})), "float32[s0, s1, 6]");
  EXPECT_EQ(type(build.constant_pad_nd(x, {1, 1, 0, 0, 2, 0})), "float32[s0 + 2, 1, 8]");
  EXPECT_EQ(type(build.arange(s0)), "int64[s0]");
  EXPECT_EQ(type(build.convolution(image, w, nullptr, {2, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1)),
            "float32[1, 6, floordiv(s0 + 1, 2), 2*s0]");
  EXPECT_EQ(build.split(image, s0, 3).size(), 2u);
  EXPECT_TRUE(build.status().ok()) << build.status().error().message();
}

TEST_F(OpBuilderTest, FillsInDefaults) {
  Value* sum = build.sum(f, {0});
  const Node& node = *sum->producer();
  ASSERT_EQ(node.args().size(), 4u);
  EXPECT_EQ(node.arg(3), Argument(None()));
  const Node& embedding = *build.embedding(p, idx)->producer();
  ASSERT_EQ(embedding.args().size(), 5u);
  EXPECT_EQ(embedding.arg(2), Argument(SymInt(-1)));
  EXPECT_EQ(embedding.arg(3), Argument(false));
  const Node& arange = *build.arange(4)->producer();
  ASSERT_EQ(arange.args().size(), 7u);
}

TEST_F(OpBuilderTest, KeepsPlaceAndOrigin) {
  Node* last = build.neg(f)->producer();
  OpBuilder before(graph_, last, last);
  Node* node = before.exp(f)->producer();
  EXPECT_EQ(graph_.nodes().front().get(), node);
  EXPECT_EQ(node->origin(), last->origin());
}

TEST_F(OpBuilderTest, NothingIsAddedWhereNothingChanges) {
  EXPECT_EQ(build.to_dtype(f, DType::kFloat32), f);
  EXPECT_EQ(build.transpose(f, 1, -2), f);
  EXPECT_EQ(build.squeeze(f, 0), f);
  EXPECT_EQ(build.expand(f, {2, 3, 4}), f);
  EXPECT_TRUE(graph_.nodes().empty());
}

TEST_F(OpBuilderTest, WhatDoesNotFitIsAnError) {
  const std::vector<std::function<Value*(OpBuilder&)>> kCalls = {
      [&](OpBuilder& b) { return b.add(f, p); },
      [&](OpBuilder& b) {
        return b.view(f, {5, -1});
      },
      [&](OpBuilder& b) {
        return b.view(f, {0, -1});
      },
      [&](OpBuilder& b) { return b.view(f, {23}); },
      [&](OpBuilder& b) {
        return b.permute(f, {0, 1});
      },
      [&](OpBuilder& b) {
        return b.permute(f, {0, 1, 1});
      },
      [&](OpBuilder& b) {
        return b.permute(f, {0, 1, 3});
      },
      [&](OpBuilder& b) { return b.unsqueeze(f, 4); },
      [&](OpBuilder& b) { return b.expand(f, {4}); },
      [&](OpBuilder& b) {
        return b.expand(f, {2, 3, 5});
      },
      [&](OpBuilder& b) { return b.slice(z, 0, 0, 1); },
      [&](OpBuilder& b) { return b.slice(f, 0, 0, 1, 0); },
      [&](OpBuilder& b) { return b.select(f, 3, 0); },
      [&](OpBuilder& b) { return b.cat({}, 0); },
      [&](OpBuilder& b) {
        return b.cat({f, m}, 0);
      },
      [&](OpBuilder& b) {
        return b.cat({m, p}, 0);
      },
      [&](OpBuilder& b) { return b.split(f, 0, 0)[0]; },
      [&](OpBuilder& b) { return b.unbind(z, 0)[0]; },
      [&](OpBuilder& b) { return b.repeat(f, {2}); },
      [&](OpBuilder& b) { return b.diagonal(f, 0, 1, -2); },
      [&](OpBuilder& b) { return b.constant_pad_nd(f, {1}); },
      [&](OpBuilder& b) {
        return b.constant_pad_nd(f, {-3, -3});
      },
      [&](OpBuilder& b) {
        return b.index(m, {idx, idx, idx});
      },
      [&](OpBuilder& b) { return b.index(f, {this->b}); },
      [&](OpBuilder& b) { return b.embedding(f, idx); },
      [&](OpBuilder& b) { return b.sum(f, {3}); },
      [&](OpBuilder& b) { return b.mm(f, p); },
      [&](OpBuilder& b) { return b.mm(p, p); },
      [&](OpBuilder& b) { return b.bmm(q, q); },
      [&](OpBuilder& b) { return b.linear(q, l6, nullptr); },
      [&](OpBuilder& b) { return b.convolution(seq, w, nullptr, {1}, {0}, {1}, false, {0}, 1); },
      [&](OpBuilder& b) { return b.convolution(seq, w1, nullptr, {0}, {0}, {1}, false, {0}, 1); },
      [&](OpBuilder& b) {
        return b.native_layer_norm(m, {2, 3, 4}, nullptr, nullptr, 1e-5);
      },
      [&](OpBuilder& b) { return b.avg_pool2d(m, {2}, {}, {0}, false, true, {}); },
      [&](OpBuilder& b) {
        return b.adaptive_avg_pool2d(img, {1, 2, 3});
      },
      [&](OpBuilder& b) { return b.arange(0, 5, 0); },
  };
  for (size_t i = 0; i < kCalls.size(); ++i) {
    OpBuilder builder(graph_, nullptr, nullptr);
    EXPECT_NE(kCalls[i](builder), nullptr) << i;
    EXPECT_FALSE(builder.status().ok()) << i;
  }
}

TEST_F(OpBuilderTest, TheFirstErrorStays) {
  build.fail(Error(ErrorCode::kUnsupported, "first"));
  build.fail(Error(ErrorCode::kUnsupported, "second"));
  EXPECT_EQ(build.status().error().message(), "first");
}

}  // namespace
}  // namespace slipway::ir
