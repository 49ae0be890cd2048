#include "pt2/schema_arguments.h"

#include <gtest/gtest.h>

#include "ir/program.h"

namespace slipway::pt2 {
namespace {

class SchemaArguments : public testing::Test {
 protected:
  // "op(arguments)" of the completed call, or the error.
  std::string call(std::string_view op, std::vector<NamedArgument> given) {
    const schema::Schema* schema = find_schema(op, given);
    if (schema == nullptr) return "unknown";
    const auto complete = complete_arguments(*schema, std::move(given));
    if (!complete.ok()) return complete.error().message();
    std::string text = schema->target() + "(";
    for (const ir::Argument& argument : *complete) {
      if (text.back() != '(') text += ", ";
      text += ir::print(argument);
    }
    return text + ")";
  }
  static NamedArgument keyword(std::string_view name, ir::Argument argument) {
    return {.name = name, .positional = false, .argument = std::move(argument)};
  }

  ir::Graph graph_;
  ir::Value* x_ = graph_.add_input("x", ir::TensorType{});
  ir::Value* n_ = graph_.add_input("n", ir::ValueKind::kSymInt, ir::SymInt::symbol("s0"));
  using Ints = std::vector<ir::SymInt>;
};

TEST_F(SchemaArguments, DefaultsOfEveryKind) {
  EXPECT_EQ(call("aten.add.Tensor", {{"self", true, x_}, {"other", true, x_}}),
            "aten.add.Tensor(%x, %x, 1)");
  EXPECT_EQ(call("aten.conv2d.default", {{"input", true, x_}, {"weight", true, x_}}),
            "aten.conv2d.default(%x, %x, None, [1, 1], [0, 0], [1, 1], 1)");
  EXPECT_EQ(
      call("aten.max_pool2d.default", {{"self", true, x_}, {"kernel_size", true, Ints{2, 2}}}),
      "aten.max_pool2d.default(%x, [2, 2], [], [0, 0], [1, 1], False)");
  EXPECT_EQ(call("aten.layer_norm.default", {{"input", true, x_}, {"shape", true, Ints{4}}}),
            "aten.layer_norm.default(%x, [4], None, None, 1e-05, True)");
  EXPECT_EQ(call("aten.contiguous.default", {{"self", true, x_}}),
            "aten.contiguous.default(%x, contiguous_format)");
  EXPECT_EQ(call("aten.nll_loss.default", {{"self", true, x_}, {"target", true, x_}}),
            "aten.nll_loss.default(%x, %x, None, 1, -100)");
  EXPECT_EQ(call("aten.gelu.default", {{"self", true, x_}}), "aten.gelu.default(%x, \"none\")");
}

TEST_F(SchemaArguments, GivenOnesGoToTheirPlaceAndFitIt) {
  EXPECT_EQ(call("aten.add.Tensor",
                 {{"self", true, x_}, {"other", true, x_}, keyword("alpha", ir::SymInt(2))}),
            "aten.add.Tensor(%x, %x, 2)");
  EXPECT_EQ(call("aten.conv2d.default", {{"input", true, x_},
                                         {"weight", true, x_},
                                         keyword("padding", Ints{1}),
                                         keyword("stride", ir::SymInt(3))}),
            "aten.conv2d.default(%x, %x, None, [3, 3], [1, 1], [1, 1], 1)");
  EXPECT_EQ(call("aten.elu.default", {{"self", true, x_}, {"alpha", true, ir::SymInt(1)}}),
            "aten.elu.default(%x, 1, 1, 1)");
  EXPECT_EQ(call("aten.dropout.default",
                 {{"input", true, x_}, {"p", true, ir::SymInt(0)}, {"train", true, false}}),
            "aten.dropout.default(%x, 0.0, False)");
  EXPECT_EQ(
      call("aten.permute.default", {{"self", true, x_}, {"dims", true, std::vector<ir::Value*>()}}),
      "aten.permute.default(%x, [])");
}

TEST_F(SchemaArguments, NumbersForTensors) {
  const auto with = [&](std::string_view op, ir::Argument a, ir::Argument b) {
    return call(op, {{"self", true, std::move(a)}, {"other", true, std::move(b)}});
  };
  EXPECT_EQ(with("aten.add.Tensor", x_, ir::SymInt(1)), "aten.add.Scalar(%x, 1, 1)");
  EXPECT_EQ(with("aten.add_.Tensor", x_, 0.5), "aten.add_.Scalar(%x, 0.5, 1)");
  EXPECT_EQ(with("aten.mul.Tensor", x_, n_), "aten.mul.Scalar(%x, %n)");
  EXPECT_EQ(with("aten.floor_divide.default", x_, ir::SymInt(2)),
            "aten.floor_divide.Scalar(%x, 2)");
  EXPECT_EQ(with("aten.sub.Tensor", ir::SymInt(4), x_), "aten.rsub.Scalar(%x, 4, 1)");
  EXPECT_EQ(with("aten.mul.Tensor", 0.5, x_), "aten.mul.Scalar(%x, 0.5)");
  EXPECT_EQ(call("aten.sub.Tensor",
                 {{"self", true, 1.5}, {"other", true, x_}, keyword("alpha", ir::SymInt(3))}),
            "aten.rsub.Scalar(%x, 1.5, 3)");
  EXPECT_EQ(call("aten.pow.Tensor_Tensor", {{"self", true, x_}, {"exponent", true, ir::SymInt(2)}}),
            "aten.pow.Tensor_Scalar(%x, 2)");
  EXPECT_EQ(
      call("aten.where.self", {{"condition", true, x_}, {"self", true, x_}, {"other", true, 0.0}}),
      "aten.where.ScalarOther(%x, %x, 0.0)");
  EXPECT_EQ(call("aten.copy_.default", {{"self", true, x_}, {"src", true, 0.5}}),
            "aten.fill_.Scalar(%x, 0.5)");
}

TEST_F(SchemaArguments, WhatDoesNotFitIsNamed) {
  EXPECT_EQ(call("aten.add.Tensor", {{"self", true, x_}}),
            "lacks the argument \"other\" of aten.add.Tensor");
  EXPECT_EQ(call("aten.relu.default", {{"self", true, x_}, keyword("novelty", true)}),
            "gives an argument \"novelty\" that aten.relu.default does not take");
  EXPECT_EQ(call("aten.relu.default", {{"self", true, x_}, keyword("self", x_)}),
            "gives the argument \"self\" twice");
  EXPECT_EQ(call("mine.op.default", {}), "unknown");
  // Names of other versions count by their place.
  EXPECT_EQ(call("aten.relu.default", {{"input", true, x_}}), "aten.relu.default(%x)");
}

}  // namespace
}  // namespace slipway::pt2
