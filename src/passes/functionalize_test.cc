#include <algorithm>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::OutputKind;
using ir::SymInt;
using ir::Value;

class FunctionalizeTest : public testing::Test, protected TestProgram {
 protected:
  Value* x_ = input("x", type({3, 4}, DType::kFloat32, {4, 1}));

  // A tensor that the program made, so that writing to it shows nowhere else.
  Value* own(const std::string& name = "own") {
    return call("aten.relu.default", {x_}, x_->type(), name);
  }
  void run() {
    const Status status = apply(functionalize);
    ASSERT_TRUE(status.ok()) << status.error().message();
  }
  std::string refusal() {
    const Status status = apply(functionalize);
    return status.ok() ? "" : status.error().message();
  }
};

TEST_F(FunctionalizeTest, InPlaceBecomesFunctional) {
  Value* y = own();
  Value* sum = call("aten.add_.Tensor", {y, x_}, y->type(), "sum");
  output(y);
  output(sum);
  run();
  EXPECT_EQ(ops(), (Ops{"aten.relu.default", "aten.add.Tensor"}));
  EXPECT_EQ(at(1)->value(0), at(0)->output());
  EXPECT_EQ(result(0), at(1)->output());
  EXPECT_EQ(result(1), at(1)->output());
  EXPECT_TRUE(result(0)->type().strides.empty());
}

TEST_F(FunctionalizeTest, WritesThroughAChainOfViews) {
  Value* y = own();
  Value* rows = call("aten.slice.Tensor", {y, SymInt(0), SymInt(1), SymInt(3)},
                     type({2, 4}, DType::kFloat32, {4, 1}), "rows");
  Value* column = call("aten.select.int", {rows, SymInt(1), SymInt(0)},
                       type({2}, DType::kFloat32, {4}), "column");
  call("aten.add_.Tensor", {column, x_}, column->type(), "sum");
  output(y);
  run();
  EXPECT_EQ(ops(),
            (Ops{"aten.relu.default", "aten.slice.Tensor", "aten.select.int", "aten.add.Tensor",
                 "aten.select_scatter.default", "aten.slice_scatter.default"}));
  const ir::Node* select = at(4);
  EXPECT_EQ(select->value(0), at(1)->output());
  EXPECT_EQ(select->value(1), at(3)->output());
  EXPECT_EQ(std::get<SymInt>(select->arg(2)), SymInt(1));
  const ir::Node* slice = at(5);
  EXPECT_EQ(slice->value(0), at(0)->output());
  EXPECT_EQ(slice->value(1), select->output());
  EXPECT_EQ(std::get<SymInt>(slice->arg(3)), SymInt(1));
  EXPECT_EQ(result(0), slice->output());
  EXPECT_EQ(result(0)->sizes(), (Ints{3, 4}));
}

TEST_F(FunctionalizeTest, InvertsPermutationsAndReshapes) {
  Value* y = own();
  Value* turned = call("aten.permute.default", {y, Ints{1, 0}},
                       type({4, 3}, DType::kFloat32, {1, 4}), "turned");
  Value* first = call("aten.unsqueeze.default", {turned, SymInt(0)},
                      type({1, 4, 3}, DType::kFloat32, {4, 1, 4}), "first");
  call("aten.relu_.default", {first}, first->type(), "written");
  output(y);
  run();
  EXPECT_EQ(ops(), (Ops{"aten.relu.default", "aten.permute.default", "aten.unsqueeze.default",
                        "aten.relu.default", "aten.view.default", "aten.permute.default"}));
  EXPECT_EQ(at(4)->output()->sizes(), (Ints{4, 3}));
  EXPECT_EQ(std::get<Ints>(at(5)->arg(1)), (Ints{1, 0}));
  EXPECT_EQ(result(0)->sizes(), (Ints{3, 4}));
}

TEST_F(FunctionalizeTest, AViewSeesWhatIsWrittenAfterIt) {
  Value* y = own();
  Value* row =
      call("aten.select.int", {y, SymInt(0), SymInt(2)}, type({4}, DType::kFloat32, {1}), "row");
  call("aten.zero_.default", {y}, y->type(), "zeroed");
  Value* twice = call("aten.add.Tensor", {row, row}, type({4}), "twice");
  output(twice);
  run();
  EXPECT_EQ(ops(), (Ops{"aten.relu.default", "aten.select.int", "aten.full.default",
                        "aten.select.int", "aten.add.Tensor"}));
  EXPECT_EQ(at(3)->value(0), at(2)->output());
  EXPECT_EQ(at(4)->value(0), at(3)->output());
  EXPECT_EQ(at(4)->value(1), at(3)->output());
}

TEST_F(FunctionalizeTest, ViewsOfOneTensorSeeEachOther) {
  Value* y = own();
  ir::Node* parts =
      node("aten.split.Tensor", {y, SymInt(2), SymInt(0)},
           {type({2, 4}, DType::kFloat32, {4, 1}), type({1, 4}, DType::kFloat32, {4, 1})}, "part");
  call("aten.relu_.default", {parts->output(1)}, type({1, 4}), "written");
  output(parts->output(0));
  output(parts->output(1));
  run();
  EXPECT_EQ(ops(), (Ops{"aten.relu.default", "aten.split.Tensor", "aten.relu.default",
                        "aten.slice_scatter.default", "aten.slice.Tensor"}));
  EXPECT_EQ(std::get<SymInt>(at(3)->arg(3)), SymInt(2));
  EXPECT_EQ(std::get<SymInt>(at(3)->arg(4)), SymInt(3));
  EXPECT_EQ(result(0), at(4)->output());
  EXPECT_EQ(result(1), at(2)->output());
}

TEST_F(FunctionalizeTest, ABufferThatChangedIsAnOutput) {
  Value* cache = buffer("cache", count({2, 4}, {4, 1}));
  Value* row = call("aten.select.int", {cache, SymInt(0), SymInt(0)},
                    type({4}, DType::kFloat32, {1}), "row");
  Value* source = call("aten.select.int", {x_, SymInt(0), SymInt(1)},
                       type({4}, DType::kFloat32, {1}), "source");
  call("aten.copy_.default", {row, source}, row->type(), "copied");
  output(cache);
  run();
  ASSERT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(program.outputs[0].kind, OutputKind::kBufferMutation);
  EXPECT_EQ(program.outputs[0].target, "cache");
  EXPECT_EQ(program.outputs[1].kind, OutputKind::kUserOutput);
  EXPECT_EQ(result(0)->producer()->op(), "aten.select_scatter.default");
  EXPECT_EQ(result(0), result(1));
}

TEST_F(FunctionalizeTest, AnInputThatChangedIsAnOutput) {
  call("aten.mul_.Tensor", {x_, x_}, x_->type(), "squared");
  output(call("aten.sum.default", {x_}, type({}), "sum"));
  run();
  ASSERT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(program.outputs[0].kind, OutputKind::kUserInputMutation);
  EXPECT_EQ(program.outputs[0].target, "x");
  EXPECT_EQ(at(1)->value(0), at(0)->output());
}

TEST_F(FunctionalizeTest, AConstantThatIsWrittenToIsState) {
  Value* c = constant("c", count({4}, {1}));
  call("aten.relu_.default", {c}, c->type(), "written");
  output(c);
  run();
  EXPECT_EQ(program.inputs[1].kind, ir::InputKind::kBuffer);
  EXPECT_FALSE(program.inputs[1].persistent);
  EXPECT_EQ(program.outputs[0].kind, OutputKind::kBufferMutation);
}

TEST_F(FunctionalizeTest, DeclaredMutationsStay) {
  buffer("n", count({3, 4}, {4, 1}));
  Value* y = own();
  program.outputs.push_back({OutputKind::kBufferMutation, "n"});
  graph().outputs().emplace_back(y);
  output(y);
  run();
  ASSERT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(program.outputs[0].target, "n");
}

TEST_F(FunctionalizeTest, ReshapeSharesMemoryWhereStridesAllowIt) {
  Value* y = own();
  Value* flat =
      call("aten.reshape.default", {y, Ints{12}}, type({12}, DType::kFloat32, {1}), "flat");
  call("aten.relu_.default", {flat}, flat->type(), "written");
  output(y);
  run();
  EXPECT_EQ(result(0)->producer()->op(), "aten.view.default");
}

TEST_F(FunctionalizeTest, ReshapeCopiesWhereStridesDoNot) {
  Value* y = own();
  Value* turned = call("aten.t.default", {y}, type({4, 3}, DType::kFloat32, {1, 4}), "turned");
  Value* flat =
      call("aten.reshape.default", {turned, Ints{12}}, type({12}, DType::kFloat32, {1}), "flat");
  call("aten.relu_.default", {flat}, flat->type(), "written");
  output(y);
  output(flat);
  run();
  EXPECT_EQ(result(0), at(0)->output());
  EXPECT_EQ(result(1)->producer()->op(), "aten.relu.default");
}

TEST_F(FunctionalizeTest, ConversionsShareMemoryWhereNothingChanges) {
  Value* y = own();
  Value* same = call("aten.to.dtype", {y, DType::kFloat32}, y->type(), "same");
  Value* contiguous = call("aten.contiguous.default", {same}, y->type(), "contiguous");
  Value* dropped = call("aten.dropout.default", {contiguous, 0.5, false}, y->type(), "dropped");
  call("aten.relu_.default", {dropped}, y->type(), "written");
  Value* copied = call("aten.to.dtype", {y, DType::kFloat32, false, true}, y->type(), "copied");
  call("aten.neg_.default", {copied}, y->type(), "negated");
  output(y);
  run();
  EXPECT_EQ(result(0)->producer()->op(), "aten.relu.default");
  EXPECT_NE(result(0), at(0)->output());
}

TEST_F(FunctionalizeTest, AnotherMemoryFormatIsACopy) {
  Value* image = input("image", type({1, 2, 3, 3}, DType::kFloat32, {18, 9, 3, 1}));
  const ir::TensorType last = type({1, 2, 3, 3}, DType::kFloat32, {18, 1, 6, 2});
  Value* y = call("aten.to.dtype_layout",
                  {image, ir::None{}, ir::None{}, ir::None{}, ir::None{}, false, false,
                   ir::MemoryFormat{ir::MemoryFormat::kChannelsLast}},
                  last, "y");
  call("aten.relu_.default", {y}, last, "written");
  output(image);
  output(y);
  run();
  EXPECT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(result(0), image);
  EXPECT_EQ(result(1)->producer()->op(), "aten.relu.default");
}

TEST_F(FunctionalizeTest, CopyBroadcastsAndConverts) {
  Value* numbers = input("numbers", type({4}, DType::kInt64, {1}));
  Value* y = own();
  call("aten.copy_.default", {y, numbers}, y->type(), "copied");
  output(y);
  run();
  EXPECT_EQ(result(0)->sizes(), (Ints{3, 4}));
  EXPECT_EQ(result(0)->dtype(), DType::kFloat32);
  EXPECT_EQ(result(0)->producer()->op(), "aten.expand_copy.default");
  EXPECT_EQ(result(0)->producer()->value(0)->producer()->op(), "aten._to_copy.default");
}

TEST_F(FunctionalizeTest, ResultsKeepTheTypeOfWhatIsWrittenTo) {
  Value* half = input("half", type({4}, DType::kFloat16, {1}));
  Value* y = call("aten.relu.default", {half}, half->type(), "y");
  call("aten.add_.Tensor", {y, x_}, y->type(), "sum");
  Value* z = own();
  call("aten.gt_.Scalar", {z, 1.0}, z->type(), "greater");
  output(y);
  output(z);
  run();
  const Value* sum = result(0)->producer()->value(0);
  EXPECT_EQ(sum->producer()->op(), "aten.add.Tensor");
  EXPECT_EQ(sum->dtype(), DType::kFloat32);
  EXPECT_EQ(result(0)->dtype(), DType::kFloat16);
  EXPECT_EQ(result(1)->producer()->value(0)->dtype(), DType::kBool);
  EXPECT_EQ(result(1)->dtype(), DType::kFloat32);
}

TEST_F(FunctionalizeTest, FunctionalFormsOfAnotherName) {
  Value* y = own();
  call("aten.pow_.Scalar", {y, SymInt(2)}, y->type(), "power");
  call("aten.floor_divide_.Tensor", {y, x_}, y->type(), "quotient");
  output(y);
  run();
  EXPECT_EQ(ops(),
            (Ops{"aten.relu.default", "aten.pow.Tensor_Scalar", "aten.floor_divide.default"}));
}

TEST_F(FunctionalizeTest, WritesThroughADiagonalByPosition) {
  Value* y = own();
  Value* diagonal =
      call("aten.diagonal.default", {y, SymInt(1)}, type({3}, DType::kFloat32, {5}), "diagonal");
  call("aten.fill_.Scalar", {diagonal, 7.0}, diagonal->type(), "filled");
  output(y);
  run();
  const ir::Input& positions = program.inputs.back();
  const auto bytes = positions.data->to_contiguous();
  std::vector<int64_t> list(3);
  ASSERT_EQ(bytes.size(), list.size() * sizeof(int64_t));
  std::memcpy(list.data(), bytes.data(), bytes.size());
  EXPECT_EQ(list, (std::vector<int64_t>{1, 6, 11}));
  EXPECT_EQ(result(0)->sizes(), (Ints{3, 4}));
}

TEST_F(FunctionalizeTest, AsStridedLooksAtTheStorage) {
  Value* y = own();
  Value* row =
      call("aten.select.int", {y, SymInt(0), SymInt(1)}, type({4}, DType::kFloat32, {1}), "row");
  Value* turned = call("aten.t.default", {y}, type({4, 3}, DType::kFloat32, {1, 4}), "turned");
  Value* of_row = call("aten.as_strided.default", {row, Ints{2}, Ints{3}},
                       type({2}, DType::kFloat32, {3}), "of_row");
  Value* whole = call("aten.as_strided.default", {turned, Ints{4, 3}, Ints{3, 1}, SymInt(0)},
                      type({4, 3}, DType::kFloat32, {3, 1}), "whole");
  output(of_row);
  output(whole);
  run();
  const ir::Node* first = result(0)->producer();
  EXPECT_EQ(first->op(), "aten.as_strided.default");
  EXPECT_EQ(first->value(0), at(0)->output());
  EXPECT_EQ(std::get<SymInt>(first->arg(3)), SymInt(4));
  EXPECT_EQ(result(1)->producer()->op(), "aten.view.default");
  EXPECT_EQ(result(1)->producer()->value(0), at(0)->output());
}

TEST_F(FunctionalizeTest, AsStridedOfAChannelsLastTensor) {
  Value* image = call("aten.relu.default", {input("image", type({1, 2, 3, 3}))},
                      type({1, 2, 3, 3}, DType::kFloat32, {18, 1, 6, 2}), "image");
  output(call("aten.as_strided.default", {image, Ints{18}, Ints{1}},
              type({18}, DType::kFloat32, {1}), "flat"));
  run();
  EXPECT_EQ(ops(), (Ops{"aten.relu.default", "aten.permute.default", "aten.view.default"}));
  EXPECT_EQ(std::get<Ints>(at(1)->arg(1)), (Ints{0, 2, 3, 1}));
}

TEST_F(FunctionalizeTest, AsStridedScatterWritesToACopy) {
  Value* turned = call("aten.t.default", {own()}, type({4, 3}, DType::kFloat32, {1, 4}), "turned");
  Value* two = call("aten.sum.dim_IntList", {input("y", type({2, 2})), Ints{0}}, type({2}), "two");
  output(call("aten.as_strided_scatter.default", {turned, two, Ints{2}, Ints{5}, SymInt(1)},
              turned->type(), "scattered"));
  output(turned);
  run();
  // Position 1 of the storage is column 1 of row 0, which the transposed tensor has first.
  EXPECT_EQ(result(0)->sizes(), (Ints{4, 3}));
  EXPECT_EQ(result(0)->producer()->op(), "aten.permute.default");
  EXPECT_EQ(result(1), at(1)->output());
  const auto bytes = program.inputs.back().data->to_contiguous();
  std::vector<int64_t> list(2);
  ASSERT_EQ(bytes.size(), list.size() * sizeof(int64_t));
  std::memcpy(list.data(), bytes.data(), bytes.size());
  EXPECT_EQ(list, (std::vector<int64_t>{1, 6}));
}

TEST_F(FunctionalizeTest, ViewsInPlaceChangeTheShape) {
  Value* y = own();
  Value* more = call("aten.unsqueeze_.default", {y, SymInt(0)},
                     type({1, 3, 4}, DType::kFloat32, {12, 4, 1}), "more");
  call("aten.relu_.default", {more}, more->type(), "written");
  output(more);
  run();
  EXPECT_EQ(result(0)->sizes(), (Ints{1, 3, 4}));
  EXPECT_EQ(result(0)->producer()->op(), "aten.relu.default");
}

TEST_F(FunctionalizeTest, TwoNamesOfOneBufferChangeTogether) {
  const ir::ConstantData data = count({4}, {1});
  Value* a = buffer("a", data);
  Value* b = buffer("b", data);
  call("aten.relu_.default", {a}, a->type(), "written");
  output(b);
  run();
  ASSERT_EQ(program.outputs.size(), 3U);
  EXPECT_EQ(program.outputs[0].target, "a");
  EXPECT_EQ(program.outputs[1].target, "b");
  EXPECT_EQ(result(0), result(1));
  EXPECT_EQ(result(0), result(2));
}

TEST_F(FunctionalizeTest, ABufferAndALiftedConstantAreOneState) {
  const ir::ConstantData data = count({4}, {1});
  Value* lifted = constant("lifted", data);
  Value* cache = buffer("cache", data);
  output(call("aten.relu_.default", {lifted}, lifted->type(), "written"));
  run();
  ASSERT_EQ(program.outputs.size(), 2U);
  EXPECT_EQ(program.outputs[0].target, "cache");
  EXPECT_EQ(at(0)->value(0), cache);
}

TEST_F(FunctionalizeTest, RefusesBuffersThatOverlap) {
  const ir::ConstantData data = count({8}, {1});
  ir::ConstantData part = data;
  part.sizes = {2};
  part.storage_offset = 3;
  Value* a = buffer("a", data);
  buffer("b", part);
  call("aten.relu_.default", {a}, a->type(), "written");
  output(a);
  EXPECT_NE(refusal().find("a, which shares memory with b"), std::string::npos);
}

TEST_F(FunctionalizeTest, PartsOfOneStorageThatDoNotOverlapAreFine) {
  const ir::ConstantData data = count({2}, {1});
  ir::ConstantData part = data;
  part.storage_offset = 2;
  Value* a = buffer("a", data);
  buffer("b", part);
  call("aten.relu_.default", {a}, a->type(), "written");
  output(a);
  run();
}

TEST_F(FunctionalizeTest, SubGraphsMayWriteToTheirOwnTensors) {
  auto branch = std::make_shared<ir::Graph>();
  Value* t = branch->add_input("t", x_->type());
  ir::OpBuilder builder(*branch, nullptr, nullptr);
  Value* copy = builder.call("aten.clone.default", {t}, x_->type());
  builder.call("aten.relu_.default", {copy}, x_->type());
  branch->outputs().emplace_back(copy);
  Value* flag = input("flag", type({}, DType::kBool));
  output(call("higher_order.cond", {flag, branch, branch->clone(), std::vector<Value*>{x_}},
              x_->type(), "chosen"));
  run();
  EXPECT_EQ(ops(*branch), (Ops{"aten.clone.default", "aten.relu.default"}));
  EXPECT_EQ(std::get<Value*>(branch->outputs()[0])->producer()->op(), "aten.relu.default");
}

TEST_F(FunctionalizeTest, RefusesSubGraphsThatWriteToTheirInputs) {
  auto branch = std::make_shared<ir::Graph>();
  Value* t = branch->add_input("t", x_->type());
  ir::OpBuilder(*branch, nullptr, nullptr).call("aten.relu_.default", {t}, x_->type());
  branch->outputs().emplace_back(t);
  Value* flag = input("flag", type({}, DType::kBool));
  output(call("higher_order.cond", {flag, branch, branch->clone(), std::vector<Value*>{x_}},
              x_->type(), "chosen"));
  EXPECT_NE(refusal().find("writes to its input t"), std::string::npos);
}

TEST_F(FunctionalizeTest, RefusesWhatItCannotDo) {
  Value* y = own();
  Value* wide = call(
      "aten.expand.default",
      {call("aten.select.int", {y, SymInt(0), SymInt(0)}, type({4}, DType::kFloat32, {1}), "row"),
       Ints{3, 4}},
      type({3, 4}, DType::kFloat32, {0, 1}), "wide");
  call("aten.relu_.default", {wide}, wide->type(), "written");
  EXPECT_NE(refusal().find("node relu_ (aten.relu_.default) writes to an expanded tensor"),
            std::string::npos);
}

TEST_F(FunctionalizeTest, KeepsDropoutInTraining) {
  output(call("aten.dropout.default", {x_, 0.5, true}, x_->type(), "dropped"));
  ASSERT_TRUE(apply(functionalize).ok());
  EXPECT_EQ(ops(), Ops({"aten.dropout.default"}));
}

TEST_F(FunctionalizeTest, DrawsWhatWasDrawnInPlace) {
  Value* y = own();
  const size_t before = ops().size();
  call("aten.uniform_.default", {y}, y->type(), "uniform");
  call("aten.bernoulli_.float", {y}, y->type(), "bernoulli");
  call("aten.normal_.default", {y}, y->type(), "normal");
  output(call("aten.dropout_.default", {y, 0.5, true}, y->type(), "dropped"));
  ASSERT_TRUE(apply(functionalize).ok());
  const Ops all = ops();
  EXPECT_EQ(Ops(all.begin() + static_cast<std::ptrdiff_t>(before), all.end()),
            Ops({"aten.uniform.default", "aten.bernoulli.p", "aten.normal_functional.default",
                 "aten.dropout.default"}));
}

TEST_F(FunctionalizeTest, RefusesRandomNumbersInLoops) {
  const auto random = [&] {
    auto graph = std::make_shared<ir::Graph>();
    Value* y = graph->add_input("y", x_->type());
    ir::OpBuilder build(*graph, nullptr, nullptr);
    graph->outputs().emplace_back(build.call("aten.rand_like.default", {y}, y->type()));
    return graph;
  };
  Value* condition = input("condition", type({}, DType::kBool));
  output(call("higher_order.cond", {condition, random(), random(), std::vector<Value*>{x_}},
              x_->type(), "cond"));
  ASSERT_TRUE(apply(functionalize).ok());
  auto body = random();
  output(call("higher_order.while_loop", {condition, body, std::vector<Value*>{x_}}, x_->type(),
              "loop"));
  EXPECT_NE(refusal().find("draws random numbers in a loop"), std::string::npos);
}

TEST_F(FunctionalizeTest, RefusesBatchNormalizationThatLearns) {
  Value* image = input("image", type({2, 4, 3, 3}));
  Value* mean = buffer("mean", count({4}, {1}));
  Value* var = buffer("var", count({4}, {1}));
  output(call("aten.batch_norm.default",
              {image, ir::None{}, ir::None{}, mean, var, true, 0.1, 1e-5, false}, image->type(),
              "normalized"));
  EXPECT_NE(refusal().find("running statistics"), std::string::npos);
}

TEST_F(FunctionalizeTest, BatchNormalizationByGivenStatisticsWritesNothing) {
  Value* image = input("image", type({2, 4, 3, 3}));
  Value* mean = buffer("mean", count({4}, {1}));
  Value* var = buffer("var", count({4}, {1}));
  const auto normalize = [&](bool training) {
    output(node("aten._native_batch_norm_legit.default",
                {image, ir::None{}, ir::None{}, mean, var, training, 0.1, 1e-5},
                {image->type(), type({0}), type({0})}, training ? "training" : "eval")
               ->output(0));
  };
  normalize(false);
  ASSERT_TRUE(apply(functionalize).ok());
  normalize(true);
  EXPECT_NE(refusal().find("running statistics"), std::string::npos);
}

// What PyTorch's own functions make of views, without their schemas saying so.
TEST_F(FunctionalizeTest, WritesToWhatIsAViewUnsaid) {
  Value* y = own();
  Value* row = call("aten.atleast_3d.default", {y}, type({3, 4, 1}), "row");
  call("aten.add_.Tensor", {row, row}, row->type(), "sum");
  output(y);
  run();
  EXPECT_EQ(ops(), (Ops{"aten.relu.default", "aten.atleast_3d.default", "aten.add.Tensor",
                        "aten.view.default"}));
  EXPECT_EQ(result(0), at(3)->output());
}

TEST_F(FunctionalizeTest, RefusesWritesToWhatListsShare) {
  const auto refuses = [](const std::string& op, std::vector<ir::Argument> before, size_t count,
                          bool to_result) {
    TestProgram program;
    Value* x = program.input("x", program.type({3, 3}));
    Value* y = program.call("aten.relu.default", {x}, x->type(), "y");
    before.emplace_back(std::vector<Value*>(count, y));
    Value* made = program.call(op, std::move(before), x->type(), "made");
    Value* to = to_result ? made : y;
    program.call("aten.add_.Tensor", {to, x}, x->type(), "sum");
    program.output(y);
    const Status status = functionalize(program.program);
    return !status.ok() && status.error().message().find("torch.meshgrid") != std::string::npos;
  };
  for (const bool to_result : {false, true}) {
    EXPECT_TRUE(refuses("aten.meshgrid.default", {}, 2, to_result));
    EXPECT_TRUE(refuses("aten.cartesian_prod.default", {}, 1, to_result));
    EXPECT_FALSE(refuses("aten.cartesian_prod.default", {}, 2, to_result));
    EXPECT_TRUE(refuses("aten.einsum.default", {std::string("ij -> ji")}, 1, to_result));
    EXPECT_FALSE(refuses("aten.einsum.default", {std::string("ij->i")}, 1, to_result));
    EXPECT_FALSE(refuses("aten.einsum.default", {std::string("ij,jk->ik")}, 2, to_result));
  }
}

// torch.vmap's marks: an element lies in the memory of its batch, and so does a result that is one.
struct Mapped : TestProgram {
  Value* x = input("x", type({3, 4}));
  Value* element = mark("_add_batch_dim", {x, SymInt(0), SymInt(1)}, type({4}));

  Value* mark(const std::string& name, std::vector<ir::Argument> args,
              const ir::TensorType& result) {
    ir::Node* made = graph().add_node("torch._functorch.predispatch." + name, std::move(args), {});
    return graph().add_output(made, result);
  }
  Value* whole(Value* of) {
    return mark("_remove_batch_dim", {of, SymInt(1), SymInt(3), SymInt(0)}, type({3, 4}));
  }
  Value* computed() { return call("aten.relu.default", {element}, type({4}), "computed"); }
  bool refuses_write(Value* to) {
    call("aten.add_.Tensor", {to, to}, to->type(), "sum");
    const Status status = functionalize(program);
    return !status.ok() && status.error().message().find("torch.vmap") != std::string::npos;
  }
};

TEST(FunctionalizeVmap, RefusesWritesToWhatAnotherTensorSees) {
  const auto refuses = [](Value* (*written)(Mapped&)) {
    Mapped mapped;
    mapped.mark("_vmap_increment_nesting", {SymInt(3), std::string("error")}, {});
    return mapped.refuses_write(written(mapped));
  };
  EXPECT_TRUE(refuses([](Mapped& m) { return m.element; }));
  EXPECT_TRUE(refuses([](Mapped& m) { return m.x; }));
  EXPECT_TRUE(refuses([](Mapped& m) { return m.whole(m.element); }));
  EXPECT_TRUE(refuses([](Mapped& m) {  // two results that are one
    Value* twice = m.computed();
    m.whole(twice);
    return m.whole(twice);
  }));
  EXPECT_FALSE(refuses([](Mapped& m) { return m.computed(); }));
  EXPECT_FALSE(refuses([](Mapped& m) { return m.whole(m.computed()); }));
}

}  // namespace
}  // namespace slipway::passes
