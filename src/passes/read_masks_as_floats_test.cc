#include <set>
#include <string>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;

// An engine that takes int64 tensors only to make floats of them.
class ReadMasksAsFloatsTest : public testing::Test, protected TestProgram {
 protected:
  static bool takes(const ir::Node& node) {
    if (node.op() == "aten._to_copy.default" || node.op() == "aten.to.dtype") return true;
    bool is_int64 = false;
    for (const ir::Argument& argument : node.args()) {
      ir::Graph::for_each_value(argument, [&](const Value* value) {
        is_int64 = is_int64 || value->dtype() == DType::kInt64;
      });
    }
    return !is_int64;
  }

  Value* mask_ = input("mask", type({2, 3}, DType::kInt64));
  std::set<std::string> excluded_;

  Ops rewrite() {
    const EngineChoice engine{.takes = takes, .is_excluded = [&](const ir::Node& node) {
                                return excluded_.contains(node.op());
                              }};
    const Status status = apply(read_masks_as_floats, engine);
    EXPECT_TRUE(status.ok()) << status.error().message();
    return ops();
  }
};

TEST_F(ReadMasksAsFloatsTest, ConversionsGoBeforeMovements) {
  Value* wide =
      call("aten.unsqueeze.default", {mask_, SymInt(1)}, type({2, 1, 3}, DType::kInt64), "wide");
  output(call("aten.to.dtype", {wide, DType::kFloat32}, type({2, 1, 3}), "floats"));
  EXPECT_EQ(rewrite(), (Ops{"aten._to_copy.default", "aten.unsqueeze.default"}));
  EXPECT_EQ(at(0)->value(0), mask_);
  EXPECT_EQ(at(1)->output()->dtype(), DType::kFloat32);
}

TEST_F(ReadMasksAsFloatsTest, ComparisonsWithSmallNumbersAskTheFloat) {
  const auto compare = [&](const char* op, int64_t number) {
    output(call(op, {mask_, SymInt(number)}, type({2, 3}, DType::kBool), "asked"));
  };
  compare("aten.ne.Scalar", 0);
  compare("aten.greater.Scalar", (1 << 24) - 1);
  EXPECT_EQ(rewrite(), (Ops{"aten._to_copy.default", "aten.ne.Scalar", "aten.gt.Scalar"}));
  // 2^24 + 1 would be rounded to it.
  compare("aten.gt.Scalar", 1 << 24);
  EXPECT_EQ(rewrite().back(), "aten.gt.Scalar");
  EXPECT_EQ(result(2)->producer()->value(0), mask_);
}

TEST_F(ReadMasksAsFloatsTest, TruthIsWhatIsNotZero) {
  output(call("aten.to.dtype", {mask_, DType::kInt32}, type({2, 3}, DType::kInt32), "narrow"));
  output(call("aten.logical_not.default", {mask_}, type({2, 3}, DType::kBool), "none"));
  EXPECT_EQ(rewrite(), (Ops{"aten.to.dtype", "aten._to_copy.default", "aten.eq.Scalar"}));
}

TEST_F(ReadMasksAsFloatsTest, PromotedOperandsAreFloatsAndOthersStay) {
  output(call("aten.mul.Tensor", {mask_, input("x", type({3}))}, type({2, 3}), "scaled"));
  output(call("aten.mul.Tensor", {mask_, mask_}, type({2, 3}, DType::kInt64), "square"));
  EXPECT_EQ(rewrite(), (Ops{"aten._to_copy.default", "aten.mul.Tensor", "aten.mul.Tensor"}));
  EXPECT_EQ(result(0)->producer()->value(0), at(0)->output());
  EXPECT_EQ(result(1)->producer()->value(0), mask_);
}

TEST_F(ReadMasksAsFloatsTest, WhatTheUserExcludesStays) {
  excluded_ = {"aten.ne.Scalar"};
  output(call("aten.ne.Scalar", {mask_, SymInt(0)}, type({2, 3}, DType::kBool), "asked"));
  EXPECT_EQ(rewrite(), Ops{"aten.ne.Scalar"});
}

}  // namespace
}  // namespace slipway::passes
