#include "ir/arguments.h"

#include <memory>

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

using Ints = std::vector<SymInt>;
using Values = std::vector<Value*>;

const SymInt kSize = SymInt::symbol("s0");

// A node with these arguments, and a reader of them that keeps the first reason.
class Call : public ArgumentReader {
 public:
  explicit Call(std::vector<Argument> args) {
    node_ = graph_.add_node("aten.any.default", std::move(args), {});
  }
  void fail(std::string reason) override {
    if (reason_.empty()) reason_ = std::move(reason);
  }
  Arguments args() const { return arguments(); }
  const std::string& reason() const { return reason_; }

 private:
  Graph graph_;
  std::string reason_;
};

TEST(Arguments, PastTheEndThereIsNone) {
  Call call({});
  EXPECT_FALSE(call.has(0));
  EXPECT_FALSE(call.is_tensor(7));
  EXPECT_EQ(call.args().integer(0), std::nullopt);
  EXPECT_FALSE(call.flag(0));
  EXPECT_EQ(call.text(0), "");
  EXPECT_TRUE(call.values(0).empty());
  EXPECT_EQ(call.reason(), "");
}

TEST(Arguments, ABoolIsAnIntegerAndAKnownIntegerABool) {
  const Call call({true, SymInt(2), SymInt(0), kSize, 1.0});
  const Arguments args = call.args();
  EXPECT_EQ(args.integer(0), SymInt(1));
  EXPECT_EQ(args.number(0), 1.0);
  EXPECT_EQ(args.flag(1), true);
  EXPECT_EQ(args.flag(2), false);
  EXPECT_EQ(args.flag(3), std::nullopt);
  EXPECT_EQ(args.flag(4), std::nullopt);
  EXPECT_EQ(args.integer(4), std::nullopt);
}

TEST(Arguments, ALoneNumberIsAListOfOne) {
  Call call({SymInt(3), Ints{2, kSize}, 0.5, std::vector<double>{1, 2}, Ints{4, 5}});
  EXPECT_EQ(call.integers(0), Ints{3});
  EXPECT_EQ(call.integers(1), (Ints{2, kSize}));
  EXPECT_EQ(call.numbers(2), std::vector<double>{0.5});
  EXPECT_EQ(call.numbers(3), (std::vector<double>{1, 2}));
  EXPECT_EQ(call.numbers(4), (std::vector<double>{4, 5}));
  EXPECT_EQ(call.reason(), "");
}

TEST(Arguments, AnEmptyListIsOneOfAnyType) {
  Call call({Values{}, Ints{}});
  EXPECT_TRUE(call.integers(0).empty());
  EXPECT_TRUE(call.values(1).empty());
  EXPECT_EQ(call.reason(), "");
}

TEST(Arguments, NoneIsNoListOfNumbers) {
  Call call({None()});
  EXPECT_TRUE(call.integers(0).empty());
  EXPECT_EQ(call.reason(), "argument 0 is not a list of integers");
}

TEST(Arguments, TellsTensorsFromOtherValues) {
  Graph graph;
  Value* x = graph.add_input("x", TensorType{DType::kFloat32, {2}, {}});
  Value* number = graph.add_input("n", ValueKind::kSymFloat);
  Call call({x, number, Values{x, nullptr}, static_cast<Value*>(nullptr)});
  EXPECT_EQ(call.args().tensor(0), x);
  EXPECT_EQ(call.args().tensor(1), nullptr);
  EXPECT_EQ(call.args().tensor(3), nullptr);
  EXPECT_EQ(call.values(0), Values{x});
  EXPECT_EQ(call.values(2), (Values{x, nullptr}));
  EXPECT_EQ(call.reason(), "");
  EXPECT_TRUE(call.values(1).empty());
  EXPECT_EQ(call.reason(), "argument 1 is not a list of tensors");
}

// What a rule goes on with is harmless: a divisor may be read.
TEST(Arguments, WhatIsNotKnownFails) {
  Call one({kSize});
  EXPECT_EQ(one.constant(0), 1);
  EXPECT_EQ(one.reason(), "argument 0 is s0, and must be a fixed number");
  Call list({Ints{2, kSize}});
  EXPECT_EQ(list.constants(0), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(list.reason(), "an item of argument 0 is s0, and must be a fixed number");
  Call number({kSize});
  EXPECT_EQ(number.number(0), std::nullopt);
  EXPECT_EQ(number.real(0), 0);
  EXPECT_EQ(number.reason(), "argument 0 is not a fixed number");
  Call flag({kSize});
  EXPECT_FALSE(flag.flag(0));
  EXPECT_EQ(flag.reason(), "argument 0 is not a fixed bool");
  Call text({SymInt(1)});
  EXPECT_EQ(text.text(0), "");
  EXPECT_EQ(text.reason(), "argument 0 is not a text");
  Call integer({std::string("two")});
  EXPECT_EQ(integer.integer(0), SymInt(0));
  EXPECT_EQ(integer.reason(), "argument 0 is not an integer");
}

TEST(Arguments, DimensionsCountFromEitherEnd) {
  EXPECT_EQ(wrap_dim(-1, 3), 2);
  EXPECT_EQ(wrap_dim(3, 3), std::nullopt);
  EXPECT_EQ(wrap_dim(-1, 0), 0);  // as of rank 1
  EXPECT_EQ(wrap_dim(1, 0), std::nullopt);
  Call call({SymInt(-2)});
  EXPECT_EQ(call.args().dim(0, 3), 1);
  EXPECT_EQ(call.dims({0, -1}, 3), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(call.reason(), "");
  EXPECT_EQ(call.dim(4, 3), 0);
  EXPECT_EQ(call.reason(), "dimension 4 is out of range for a tensor of rank 3");
}

}  // namespace
}  // namespace slipway::ir
