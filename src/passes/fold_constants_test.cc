#include "base/memory_limit_test.h"
#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::ConstantData;
using ir::SymInt;
using ir::Value;

class FoldConstantsTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({4}));
  int evaluated_ = 0;
  Ops evaluated_ops_;

  // Stands for a run: every result is full of sevens.
  Evaluator sevens() {
    return [this](const ir::Program& computed) -> Result<std::vector<ConstantData>> {
      EXPECT_TRUE(ir::verify(computed).ok()) << ir::print(computed);
      ++evaluated_;
      evaluated_ops_ = ops(*computed.graph);
      std::vector<ConstantData> results;
      for (const ir::Argument& output : computed.graph->outputs()) {
        const Value* value = std::get<Value*>(output);
        ConstantData data;
        data.dtype = value->dtype();
        for (const SymInt& size : value->sizes()) data.sizes.push_back(*size.constant());
        for (const SymInt& stride : ir::contiguous_strides(value->sizes())) {
          data.strides.push_back(*stride.constant());
        }
        data.storage = own_bytes(std::vector<std::byte>(data.nbytes(), std::byte{7}));
        results.push_back(std::move(data));
      }
      return results;
    };
  }
  void fold() {
    const Status status = apply(fold_constants, sevens());
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  std::vector<float> values(const Value* value) {
    const auto bytes = program.input_of(value)->data->to_contiguous();
    std::vector<float> numbers(bytes.size() / sizeof(float));
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    return numbers;
  }
};

TEST_F(FoldConstantsTest, ViewsOfConstantsCostNothing) {
  Value* c = constant("c", count({2, 3}, {3, 1}));
  const std::byte* storage = program.inputs.back().data->storage.bytes.data();
  Value* turned = call("aten.permute.default", {c, Ints{1, 0}}, type({3, 2}), "turned");
  Value* row = call("aten.select.int", {turned, SymInt(0), SymInt(-1)}, type({2}), "row");
  Value* wide = call("aten.unsqueeze.default", {row, SymInt(0)}, type({1, 2}), "wide");
  output(call("aten.expand.default", {wide, Ints{2, 2}}, type({2, 2}), "repeated"));
  output(call("aten.slice.Tensor", {turned, SymInt(0), SymInt(0), SymInt(3), SymInt(2)},
              type({2, 2}), "odd"));
  fold();
  EXPECT_EQ(evaluated_, 0);
  EXPECT_TRUE(graph().nodes().empty());
  EXPECT_EQ(values(result(0)), (std::vector<float>{2, 5, 2, 5}));
  EXPECT_EQ(values(result(1)), (std::vector<float>{0, 3, 2, 5}));
  EXPECT_EQ(program.input_of(result(0))->data->storage.bytes.data(), storage);
  EXPECT_EQ(program.inputs.size(), 3U);
}

TEST_F(FoldConstantsTest, PartsOfASplitConstant) {
  Value* c = constant("c", count({5}, {1}));
  ir::Node* parts =
      node("aten.split.Tensor", {c, SymInt(3), SymInt(0)}, {type({3}), type({2})}, "part");
  output(parts->output(0));
  output(parts->output(1));
  fold();
  EXPECT_EQ(values(result(0)), (std::vector<float>{0, 1, 2}));
  EXPECT_EQ(values(result(1)), (std::vector<float>{3, 4}));
}

TEST_F(FoldConstantsTest, ReshapesThatNeedACopyAreComputed) {
  Value* c = constant("c", count({2, 3}, {1, 2}));
  output(call("aten.view_copy.default", {c, Ints{6}}, type({6}), "flat"));
  fold();
  EXPECT_LE(evaluated_, 1);
  EXPECT_EQ(program.input_of(result(0)) != nullptr, evaluated_ == 1);
}

TEST_F(FoldConstantsTest, MutableBuffersAreNotConstants) {
  Value* state = buffer("state", count({2, 3}, {3, 1}));
  Value* turned = call("aten.permute.default", {state, Ints{1, 0}}, type({3, 2}), "turned");
  program.outputs.push_back({ir::OutputKind::kBufferMutation, "state"});
  graph().outputs().emplace_back(call("aten.neg.default", {state}, state->type(), "next"));
  output(turned);
  fold();
  EXPECT_EQ(graph().nodes().size(), 2U);
}

TEST_F(FoldConstantsTest, LongRepetitionsAreNotWrittenOut) {
  Value* c = constant("c", count({1}, {1}));
  output(call("aten.expand.default", {c, Ints{1 << 20}}, type({1 << 20}), "repeated"));
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.expand.default"}));
}

TEST_F(FoldConstantsTest, ARegionIsComputedOnce) {
  Value* c = constant("c", count({4}, {1}));
  Value* a = call("aten.neg.default", {c}, c->type(), "a");
  Value* b = call("aten.relu.default", {a}, c->type(), "b");
  output(call("aten.add.Tensor", {x_, b}, x_->type(), "sum"));
  output(a);
  fold();
  EXPECT_EQ(evaluated_, 1);
  EXPECT_EQ(evaluated_ops_, (Ops{"aten.neg.default", "aten.relu.default"}));
  EXPECT_EQ(ops(), (Ops{"aten.add.Tensor"}));
  const ir::Input* folded = program.input_of(at(0)->value(1));
  ASSERT_NE(folded, nullptr);
  EXPECT_EQ(folded->data->storage.bytes[0], std::byte{7});
  EXPECT_NE(program.input_of(result(1)), nullptr);
  EXPECT_EQ(program.inputs.size(), 3U);
}

TEST_F(FoldConstantsTest, LargeResultsAreLeftToTheRunButTheirArgumentsAreNot) {
  Value* c = constant("c", count({4}, {1}));
  Value* a = call("aten.neg.default", {c}, c->type(), "a");
  output(call("aten.repeat.default", {a, Ints{1 << 18}}, type({1 << 20}), "large"));
  fold();
  EXPECT_EQ(evaluated_ops_, (Ops{"aten.neg.default"}));
  EXPECT_EQ(ops(), (Ops{"aten.repeat.default"}));
}

TEST_F(FoldConstantsTest, SmallSourcesAreFoldedAndLargeOnesAreNot) {
  auto full = [this](int64_t size) {
    output(call("aten.full.default", {Ints{size}, 0.5}, type({size}), "full"));
  };
  full(8);
  full(100000);
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.full.default"}));
  EXPECT_NE(program.input_of(result(0)), nullptr);
}

TEST_F(FoldConstantsTest, LargeConstantsAreNotReadIntoMemory) {
  const int64_t size = 10 << 20;
  Value* c = constant("c", count({size}, {1}, 0, size));
  output(call("aten.sum.default", {c}, type({}), "sum"));
  fold();
  EXPECT_EQ(ops(), (Ops{"aten.sum.default"}));
}

TEST_F(FoldConstantsTest, SymbolicSizesAreNotFolded) {
  const SymInt s = SymInt::symbol("s0");
  input("y", type({s}));
  output(call("aten.full.default", {Ints{s}, 0.5}, type({s}), "full"));
  fold();
  EXPECT_EQ(evaluated_, 0);
}

TEST_F(FoldConstantsTest, AFailureNamesItsCause) {
  Value* c = constant("c", count({4}, {1}));
  output(call("aten.neg.default", {c}, c->type(), "a"));
  const Status status =
      apply(fold_constants, [](const ir::Program&) -> Result<std::vector<ConstantData>> {
        return Error(ErrorCode::kInternal, "no kernel today");
      });
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("no kernel today"), std::string::npos);
}

TEST_F(FoldConstantsTest, NumbersReadFromConstantsBecomeLiterals) {
  Value* c = constant("c", count({}, {}, 3));
  ir::Node* item = node("aten.item.default", {c}, {}, "");
  Value* number = graph().add_output(item, ir::ValueKind::kSymFloat, 0);
  output(number);
  fold();
  EXPECT_TRUE(graph().nodes().empty());
  EXPECT_EQ(std::get<double>(graph().outputs()[0]), 3.0);
}

TEST_F(FoldConstantsTest, LongChainsTakeMemoryThatGrowsAsTheyDo) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  Value* sum = constant("c", count({4}, {1}));
  for (int i = 0; i < 3000; ++i) {
    Value* next = constant("c", count({4}, {1}, 0, 4));
    sum = call("aten.add.Tensor", {sum, next}, type({4}), "sum");
  }
  output(call("aten.add.Tensor", {x_, sum}, type({4}), "y"));
  in_child([&]() -> std::string {
    // A list for each of all before it would take 200 MiB.
    if (!limit_data(uint64_t{80} << 20)) return "no limit";
    const Status status = fold_constants(program, sevens());
    return status.ok() ? "" : status.error().message();
  });
}

}  // namespace
}  // namespace slipway::passes
