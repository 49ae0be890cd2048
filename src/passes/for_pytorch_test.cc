#include <set>
#include <variant>
#include <vector>

#include <gmock/gmock.h>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::SymInt;
using ir::Value;
using testing::ElementsAre;

class ForPyTorchTest : public testing::Test, protected TestProgram {
 protected:
  // Engines have results in the memory of the first tensor they are given, as far as these say so.
  void run(const std::set<const Value*>& in_memory_of_first = {}) {
    const Status status = apply(for_pytorch, [&](const Value& result) -> const Value* {
      if (!in_memory_of_first.contains(&result)) return nullptr;
      return std::get<std::vector<Value*>>(result.producer()->arg(1)).at(0);
    });
    EXPECT_TRUE(status.ok()) << status.error().message();
  }
  void mutation(Value* value, ir::OutputKind kind, const std::string& target) {
    output(value);
    program.outputs.back() = {kind, target};
  }
};

// What was contiguous() before it is gone in a functional program.
TEST_F(ForPyTorchTest, AViewMayBeOfWhatIsTransposed) {
  Value* x = input("x", type({2, 3}));
  Value* turned = call("aten.permute.default", {x, Ints{1, 0}}, type({3, 2}), "turned");
  Value* flat = call("aten.view.default", {turned, Ints{6}}, type({6}), "flat");
  output(call("aten.view.default", {flat, Ints{1, 6}}, type({1, 6}), "row"));
  run();
  EXPECT_THAT(ops(),
              ElementsAre("aten.permute.default", "aten.reshape.default", "aten.reshape.default"));
  EXPECT_EQ(at(2)->value(0), at(1)->output());
  EXPECT_EQ(result(0), at(2)->output());
}

TEST_F(ForPyTorchTest, WhatLooksAtMemoryIsGivenItsOwn) {
  Value* x = input("x", type({2, 4}));
  output(call("aten.as_strided.default", {x, Ints{2}, Ints{3}, SymInt(1)}, type({2}), "strided"));
  output(call("aten.view.dtype", {x, DType::kInt32}, type({2, 4}, DType::kInt32), "bits"));
  run();
  EXPECT_THAT(ops(), ElementsAre("aten.clone.default", "aten.as_strided.default",
                                 "aten.contiguous.default", "aten.view.dtype"));
  EXPECT_EQ(at(1)->value(0), at(0)->output());
  EXPECT_EQ(at(3)->value(0), at(2)->output());
}

// PyTorch writes to the buffers before it gives out what the program returns.
TEST_F(ForPyTorchTest, WhatABufferHeldIsCopiedBeforeItIsWrittenTo) {
  Value* old = buffer("state", count({2, 3}, {3, 1}));
  Value* next = call("aten.add.Scalar", {old, SymInt(1), SymInt(1)}, type({2, 3}), "next");
  Value* part = call("aten.select.int", {old, SymInt(0), SymInt(0)}, type({3}), "part");
  mutation(next, ir::OutputKind::kBufferMutation, "state");
  output(part);
  output(old);
  output(next);
  run();
  EXPECT_EQ(result(0), next);
  EXPECT_EQ(result(1)->producer()->op(), "aten.clone.default");
  EXPECT_EQ(result(1)->producer()->value(0), part);
  EXPECT_EQ(result(2)->producer()->op(), "aten.clone.default");
  EXPECT_EQ(result(3), next);
  // Before there is what the buffer becomes, or as soon as it can be.
  EXPECT_THAT(ops(), ElementsAre("aten.clone.default", "aten.add.Scalar", "aten.select.int",
                                 "aten.clone.default"));
}

// It writes what it gives over what it takes, which is the buffer's at the next run.
TEST_F(ForPyTorchTest, WhatAnEngineHasInABufferIsCopied) {
  Value* old = buffer("state", count({2, 3}, {3, 1}));
  Value* x = input("x", type({2, 3}));
  ir::Node* engine =
      graph().add_node(ir::kCallEngine, {SymInt(0), std::vector<Value*>{old, x}}, {});
  Value* next = graph().add_output(engine, type({2, 3}), "next");
  Value* own = graph().add_output(engine, type({2, 3}), "own");
  Value* part = call("aten.select.int", {next, SymInt(0), SymInt(0)}, type({3}), "part");
  mutation(next, ir::OutputKind::kBufferMutation, "state");
  output(next);
  output(part);
  output(own);
  run({next});
  EXPECT_EQ(result(0), next);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(result(i)->producer()->op(), "aten.clone.default");
    EXPECT_EQ(result(i)->producer()->value(0), i == 1 ? next : part);
  }
  EXPECT_EQ(result(3), own);
}

TEST_F(ForPyTorchTest, EntriesThatChangePlacesAreCopied) {
  Value* a = input("a", type({2}));
  Value* b = input("b", type({2}));
  Value* c = input("c", type({2}));
  mutation(b, ir::OutputKind::kUserInputMutation, "a");
  mutation(a, ir::OutputKind::kUserInputMutation, "b");
  output(c);
  run();
  EXPECT_EQ(result(0)->producer()->value(0), b);
  EXPECT_EQ(result(1)->producer()->value(0), a);
  EXPECT_EQ(result(2), c) << "nothing writes to it";
}

}  // namespace
}  // namespace slipway::passes
