#include <optional>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::Node;
using ir::SymInt;
using ir::Value;

constexpr const char* kBags = "aten.embedding_bag.padding_idx";

struct Case {
  const char* op = kBags;
  int64_t mode = 0;
  SymInt bags = 3;
  SymInt entries = 15;
  std::optional<SymInt> start = SymInt(0);  // of offsets by steps of 5; nothing: they are given
  ir::Argument padding = ir::None();
};

// The operator that gives the result.
std::string reduced(const Case& c) {
  TestProgram p;
  Value* table = p.input("table", TestProgram::type({10, 4}));
  Value* index = p.input("index", TestProgram::type({c.entries}, DType::kInt64));
  const ir::TensorType starts = TestProgram::type({c.bags}, DType::kInt64);
  Value* offsets = c.start ? p.call("aten.arange.start_step", {*c.start, c.entries, SymInt(5)},
                                    starts, "offsets")
                           : p.input("offsets", starts);
  const ir::TensorType none = TestProgram::type({0}, DType::kInt64);
  const Node* node = p.node(
      c.op, {table, index, offsets, false, SymInt(c.mode), false, ir::None(), false, c.padding},
      {TestProgram::type({c.bags, 4}), none, none, none}, "bag");
  p.output(node->output());
  EXPECT_TRUE(p.apply(reduce_even_bags).ok());
  EXPECT_EQ(p.result(0)->sizes(), (std::vector<SymInt>{c.bags, 4}));
  return p.result(0)->producer()->op();
}

TEST(EvenBags, AreReducedAlongADimension) {
  EXPECT_EQ(reduced({}), "aten.sum.dim_IntList");
  EXPECT_EQ(reduced({.op = "aten._embedding_bag_forward_only.default", .mode = 1}),
            "aten.mean.dim");
  EXPECT_EQ(reduced({.op = "aten._embedding_bag.default", .mode = 2}), "aten.amax.default");
}

TEST(EvenBags, OfAnyNumber) {
  const SymInt n = SymInt::symbol("s0");
  EXPECT_EQ(reduced({.bags = n, .entries = n * 5}), "aten.sum.dim_IntList");
}

TEST(EvenBags, WhatIsPaddingIsNotCounted) {
  // A maximum of nothing is 0, and a mean is a quotient.
  EXPECT_EQ(reduced({.mode = 2, .padding = SymInt(-1)}), "aten.masked_fill.Scalar");
  EXPECT_EQ(reduced({.mode = 1, .padding = SymInt(2)}), "aten.div.Tensor");
}

TEST(EvenBags, OthersStay) {
  EXPECT_EQ(reduced({.start = std::nullopt}), kBags);
  EXPECT_EQ(reduced({.entries = 16}), kBags);  // the last bag has more
  EXPECT_EQ(reduced({.start = SymInt(1)}), kBags);
}

}  // namespace
}  // namespace slipway::passes
