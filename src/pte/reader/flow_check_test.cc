#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

TestTensor planned(uint64_t offset, std::vector<int32_t> sizes = {2, 3}, int scalar_type = 6) {
  TestTensor tensor;
  tensor.planned_at = offset;
  tensor.sizes = std::move(sizes);
  tensor.scalar_type = scalar_type;
  return tensor;
}

TestTensor unplanned(std::vector<int32_t> sizes = {2, 3}, int dynamism = 0) {
  TestTensor tensor;
  tensor.sizes = std::move(sizes);
  tensor.dynamism = dynamism;
  return tensor;
}

// An input x, an output y, an intermediate t, and an int one.
struct Basics : TestProgram {
  int32_t x = tensor(unplanned());
  int32_t y = tensor(unplanned());
  int32_t t = tensor(planned(0));
  int32_t one = number(int64_t{1});
  Basics() {
    inputs = {x};
    outputs = {y};
  }
  // A constant float32[2, 3].
  int32_t constant() {
    const uint32_t index = segment(std::string(24, '\0'));
    constants(index, {0, 0});
    TestTensor tensor;
    tensor.data = 1;
    return this->tensor(tensor);
  }
};

TEST(KernelCallTest, CompleteArgumentsPass) {
  Basics p;
  p.kernel("aten::add", "out", {p.x, p.x, p.one, p.y, p.y});
  EXPECT_EQ(read_error(p), "");
}

TEST(KernelCallTest, CountIsChecked) {
  for (size_t count = 0; count < 8; ++count) {
    Basics p;
    std::vector<int32_t> args = {p.x, p.x, p.one, p.y, p.y, p.y, p.y};
    args.resize(count, p.y);
    p.kernel("aten::add", "out", args);
    if (count == 5) {
      EXPECT_EQ(read_error(p), "");
    } else {
      EXPECT_THAT(read_error(p), HasSubstr("arguments instead of 5")) << count;
    }
  }
}

TEST(KernelCallTest, MessageNamesMethodInstructionAndArgument) {
  Basics p;
  p.kernel("aten::add", "out", {p.x, p.one, p.one, p.y, p.y});
  EXPECT_EQ(read_error(p),
            "test.pte: method forward: instruction 0 (aten::add.out): argument 1 (other): value 3 "
            "is an int where a tensor belongs");
}

TEST(KernelCallTest, EveryWrongKindOfEveryArgumentIsRefused) {
  // aten::add.out(Tensor self, Tensor other, *, Scalar alpha=1, Tensor(a!) out)
  for (size_t position = 0; position < 5; ++position) {
    for (int kind = 0; kind < 9; ++kind) {
      Basics p;
      const std::vector<int32_t> wrong = {
          p.none(),     p.number(int64_t{1}), p.number(1.0),
          p.flag(true), p.text(""),           p.ints({p.one}),
          p.flags({1}), p.tensors({p.x}),     p.optional_tensors({p.x})};
      std::vector<int32_t> args = {p.x, p.x, p.one, p.y, p.y};
      args[position] = wrong[static_cast<size_t>(kind)];
      p.kernel("aten::add", "out", args);
      const bool scalar_is_right = position == 2 && kind >= 1 && kind <= 3;
      EXPECT_EQ(read_error(p).empty(), scalar_is_right) << position << " " << kind;
    }
  }
}

TEST(KernelCallTest, IndicesAreChecked) {
  for (const int32_t index : {-1, 4, INT32_MAX, INT32_MIN}) {
    Basics p;
    p.kernel("aten::add", "out", {p.x, index, p.one, p.y, p.y});
    EXPECT_THAT(read_error(p), HasSubstr("does not exist"));
  }
  for (const int32_t op : {-1, 1, INT32_MAX}) {
    Basics p;
    p.kernel("aten::add", "out", {p.x, p.x, p.one, p.y, p.y});
    p.kernel(op, {p.x, p.x, p.one, p.y, p.y});
    EXPECT_THAT(read_error(p), HasSubstr("operator " + std::to_string(op) + " does not exist"));
  }
}

TEST(KernelCallTest, OptionalArgumentsMayBeNone) {
  // aten::clamp.out(Tensor self, Scalar? min=None, Scalar? max=None, *, Tensor(a!) out)
  Basics p;
  const int32_t none = p.none();
  p.kernel("aten::clamp", "out", {p.x, p.one, none, p.y, p.y});
  EXPECT_EQ(read_error(p), "");
}

TEST(KernelCallTest, FloatsAreNotInts) {
  // aten::native_layer_norm.out(..., float eps, ...): an int aborts ExecuTorch.
  for (const bool right : {true, false}) {
    Basics p;
    const int32_t eps = right ? p.number(1e-5) : p.number(int64_t{1});
    const int32_t shape = p.ints({p.number(int64_t{3})});
    const int32_t none = p.none();
    const int32_t mean = p.tensor(planned(64, {2, 1}));
    const int32_t rstd = p.tensor(planned(128, {2, 1}));
    const int32_t outs = p.tensors({p.y, mean, rstd});
    p.kernel("aten::native_layer_norm", "out",
             {p.x, shape, none, none, eps, p.y, mean, rstd, outs});
    EXPECT_EQ(read_error(p).empty(), right);
  }
}

TEST(KernelCallTest, TheLastArgumentRepeatsTheResults) {
  {
    Basics p;
    p.kernel("aten::add", "out", {p.x, p.x, p.one, p.y, p.t});
    EXPECT_THAT(read_error(p), HasSubstr("does not repeat its results"));
  }
  for (const bool swapped : {false, true}) {
    // aten::topk.values(..., *, Tensor(a!) values, Tensor(b!) indices)
    Basics p;
    const int32_t yes = p.flag(true);
    const int32_t indices = p.tensor(planned(64, {2, 3}, 4));
    const int32_t outs = swapped ? p.tensors({indices, p.y}) : p.tensors({p.y, indices});
    p.kernel("aten::topk", "values", {p.x, p.one, p.one, yes, yes, p.y, indices, outs});
    EXPECT_EQ(read_error(p).empty(), !swapped);
  }
}

TEST(KernelCallTest, AResultThatChangesItsSizeIsNoArgument) {
  for (const int dynamism : {0, 1}) {
    for (const bool in_list : {false, true}) {
      Basics p;
      TestTensor spec = planned(64);
      spec.dynamism = dynamism;
      const int32_t out = p.tensor(spec);
      if (in_list) {
        p.kernel("aten::cat", "out", {p.tensors({p.x, out}), p.number(int64_t{0}), out, out});
      } else {
        p.kernel("aten::add", "out", {p.x, out, p.one, out, out});
      }
      if (dynamism == 0) {
        EXPECT_EQ(read_error(p), "");
      } else {
        EXPECT_THAT(read_error(p), HasSubstr("changes its size, and is argument"));
      }
    }
  }
}

TEST(KernelCallTest, ListsAreChecked) {
  // aten::cat.out(Tensor[] tensors, int dim=0, *, Tensor(a!) out)
  {
    Basics p;
    p.kernel("aten::cat", "out", {p.tensors({p.x, p.t}), p.one, p.y, p.y});
    EXPECT_EQ(read_error(p), "");
  }
  {
    Basics p;
    p.kernel("aten::cat", "out", {p.optional_tensors({p.x}), p.one, p.y, p.y});
    EXPECT_THAT(read_error(p), HasSubstr("list of optional tensors where a list of tensors"));
  }
  {
    // aten::index.Tensor_out(Tensor self, Tensor?[] indices, *, Tensor(a!) out)
    Basics p;
    const int32_t none = p.none();
    p.kernel("aten::index", "Tensor_out", {p.x, p.optional_tensors({-1, none, p.t}), p.y, p.y});
    EXPECT_EQ(read_error(p), "");
  }
  {
    // aten::split_copy.Tensor_out(..., *, Tensor(a!)[] out) -> ()
    Basics p;
    const int32_t u = p.tensor(planned(64));
    const int32_t outs = p.tensors({p.t, u});
    p.kernel("aten::split_copy", "Tensor_out", {p.x, p.one, p.one, outs, p.tensors({p.t, u})});
    EXPECT_EQ(read_error(p), "");
  }
}

TEST(KernelCallTest, ConstantsAreNotWrittenTo) {
  {
    Basics p;
    const int32_t c = p.constant();
    p.kernel("aten::add", "out", {p.x, c, p.one, p.y, p.y});
    EXPECT_EQ(read_error(p), "");
  }
  {
    Basics p;
    const int32_t c = p.constant();
    p.kernel("aten::add", "out", {p.x, p.x, p.one, c, c});
    EXPECT_THAT(read_error(p), HasSubstr("must not be written to where a tensor belongs"));
  }
  {
    Basics p;
    const int32_t c = p.constant();
    const int32_t no = p.flag(false);
    p.kernel("aten::copy_", "", {c, p.x, no, c});
    EXPECT_THAT(read_error(p), HasSubstr("must not be written to"));
  }
  {
    Basics p;
    const int32_t outs = p.tensors({p.constant()});
    p.kernel("aten::split_copy", "Tensor_out", {p.x, p.one, p.one, outs, outs});
    EXPECT_THAT(read_error(p), HasSubstr("must not be written to"));
  }
}

TEST(KernelCallTest, AnInputOfAnySizeIsWrittenInPlaceOnly) {
  // An out-argument may grow up to its bound, past the end of what the caller gave.
  {
    Basics p;
    const int32_t input = p.tensor(unplanned({8, 3}, 1));
    p.inputs.push_back(input);
    const int32_t no = p.flag(false);
    p.kernel("aten::copy_", "", {input, p.x, no, input});
    EXPECT_EQ(read_error(p), "");
  }
  {
    Basics p;
    const int32_t input = p.tensor(unplanned({8, 3}, 1));
    p.inputs.push_back(input);
    p.kernel("aten::add", "out", {p.x, p.x, p.one, input, input});
    EXPECT_THAT(read_error(p), HasSubstr("an input tensor of any size"));
  }
}

TEST(KernelCallTest, TensorsWithoutMemoryAreNotUsed) {
  Basics p;
  const int32_t nowhere = p.tensor(unplanned());
  p.kernel("aten::add", "out", {p.x, nowhere, p.one, p.y, p.y});
  EXPECT_THAT(read_error(p), HasSubstr("a tensor without memory"));
  // None for a tensor that is not optional has no bytes.
  Basics q;
  const int32_t empty = q.tensor(unplanned({0}));
  q.kernel("aten::add", "out", {q.x, empty, q.one, q.y, q.y});
  EXPECT_EQ(read_error(q), "");
}

TEST(KernelCallTest, SizesThatEndOrHangTheProcessAreRefused) {
  // aten::max_pool2d_with_indices.out(Tensor self, int[2] kernel_size, int[2] stride=[],
  //     int[2] padding=0, int[2] dilation=1, bool ceil_mode=False, *, Tensor(a!) out, Tensor(b!)
  //     ...)
  const auto error_with = [](int64_t window, int64_t stride) {
    Basics p;
    const int32_t input = p.tensor(planned(64, {1, 4, 4}));
    const int32_t out = p.tensor(planned(128, {1, 2, 2}));
    const int32_t indices = p.tensor(planned(256, {1, 2, 2}, 4));
    const int32_t kernel_size = p.number(window);
    const int32_t sizes = p.ints({kernel_size, kernel_size});
    const int32_t strides = p.ints({p.one, p.number(stride)});
    const int32_t ones = p.ints({p.one});
    const int32_t zeros = p.ints({p.number(int64_t{0})});
    const int32_t no = p.flag(false);
    p.kernel("aten::max_pool2d_with_indices", "out",
             {input, sizes, strides, zeros, ones, no, out, indices, p.tensors({out, indices})});
    return read_error(p);
  };
  EXPECT_EQ(error_with(2, 2), "");
  EXPECT_THAT(error_with(2, 0), HasSubstr("argument 2 (stride): 0 is not a size"));
  EXPECT_THAT(error_with(0, 2), HasSubstr("argument 1 (kernel_size): 0 is not a size"));
  EXPECT_THAT(error_with(-1, 2), HasSubstr("-1 is not a size"));
  EXPECT_THAT(error_with(1 << 20, 2), HasSubstr("1048576 is not a size"));
  EXPECT_THAT(error_with(INT64_MAX, 2), HasSubstr("more than 32 bits"));
}

TEST(KernelCallTest, ARangeMayGoDown) {
  // aten::arange.start_out(Scalar start, Scalar end, Scalar step=1, *, Tensor(a!) out)
  Basics p;
  const int32_t down = p.number(int64_t{-1});
  p.kernel("aten::arange", "start_out", {p.one, down, down, p.t, p.t});
  EXPECT_EQ(read_error(p), "");
}

TEST(KernelCallTest, ItemsOfListsHave32Bits) {
  // ExecuTorch would resize the result to 2 and then write 4294967298 rows.
  for (const int64_t size : {int64_t{2}, (int64_t{1} << 32) + 2, INT64_MIN}) {
    Basics p;
    const int32_t sizes = p.ints({p.number(size)});
    p.kernel("aten::full", "out", {sizes, p.one, p.t, p.t});
    EXPECT_EQ(read_error(p).empty(), size == 2);
  }
}

TEST(KernelCallTest, UnknownOperatorsNeedTrust) {
  Basics p;
  p.kernel("mine::op", "out", {p.x, p.y});
  const auto bytes = p.build();
  EXPECT_THAT(read_error(bytes), HasSubstr("instruction 0 (mine::op.out): the operator is not"));
  const auto file = File::read(own_bytes(bytes), "test.pte");
  EXPECT_EQ(file.error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(read_error(bytes, {.trust = true}), "");
  Basics q;
  q.kernel("mine::op", "out", {q.x, 99});
  EXPECT_THAT(read_error(q, {.trust = true}), HasSubstr("value 99 does not exist"));
}

TEST(SymbolicTest, ResultsKeepTheirKind) {
  // sym_size and arithmetic on it are ints wherever they are used.
  Basics p;
  const int32_t zero = p.number(int64_t{0});
  const int32_t size = p.number(int64_t{0});
  const int32_t sum = p.number(int64_t{0});
  p.kernel("aten::sym_size", "int", {p.x, zero, size});
  p.kernel("executorch_prim::add", "Scalar", {size, p.one, sum});
  p.kernel("aten::full", "out", {p.ints({sum}), p.one, p.t, p.t});
  EXPECT_EQ(read_error(p), "");
}

TEST(SymbolicTest, AFloatThatStandsAsAnIntIsFound) {
  // A quotient is a float, whatever its value was preset to: as a size it aborts ExecuTorch.
  Basics p;
  const int32_t quotient = p.number(int64_t{0});
  p.kernel("executorch_prim::truediv", "Scalar", {p.one, p.one, quotient});
  p.kernel("aten::full", "out", {p.ints({quotient}), p.one, p.t, p.t});
  EXPECT_THAT(read_error(p), HasSubstr("is a float where an int belongs"));
}

TEST(SymbolicTest, ItemsAreWhatTheirTensorsHold) {
  for (const int scalar_type : {4, 6, 11}) {
    Basics p;
    const int32_t tensor = p.tensor(planned(64, {}, scalar_type));
    const int32_t item = p.number(int64_t{0});
    p.kernel("aten::_local_scalar_dense", "", {tensor, item});
    p.kernel("aten::full", "out", {p.ints({item}), p.one, p.t, p.t});
    EXPECT_EQ(read_error(p).empty(), scalar_type == 4) << scalar_type;
  }
}

TEST(SymbolicTest, UseBeforeTheResultSeesTheLastRun) {
  // In a second run the value is a float before it is computed anew.
  Basics p;
  const int32_t value = p.number(int64_t{0});
  p.kernel("aten::full", "out", {p.ints({value}), p.one, p.t, p.t});
  p.kernel("executorch_prim::truediv", "Scalar", {p.one, p.one, value});
  EXPECT_THAT(read_error(p), HasSubstr("is an int or a float where an int belongs"));
}

TEST(SymbolicTest, DimensionsAndDivisorsAreChecked) {
  for (const int64_t dimension : {-1, 0, 1, 2}) {
    Basics p;
    const int32_t size = p.number(int64_t{0});
    p.kernel("aten::sym_size", "int", {p.x, p.number(dimension), size});
    EXPECT_EQ(read_error(p).empty(), dimension == 0 || dimension == 1) << dimension;
  }
  Basics p;
  const int32_t zero = p.number(int64_t{0});
  const int32_t result = p.number(int64_t{0});
  p.kernel("executorch_prim::floordiv", "Scalar", {p.one, zero, result});
  EXPECT_THAT(read_error(p), HasSubstr("divides by zero"));
}

TEST(ViewTest, AViewGivesMemoryOnceItHasRun) {
  for (const bool view_first : {true, false}) {
    Basics p;
    const int32_t view = p.tensor(unplanned({6}));
    const int32_t shape = p.ints({p.number(int64_t{6})});
    const int32_t out = p.tensor(planned(64, {6}));
    if (view_first) p.kernel("executorch_prim::et_view", "default", {p.x, shape, view});
    p.kernel("aten::add", "out", {view, view, p.one, out, out});
    if (!view_first) p.kernel("executorch_prim::et_view", "default", {p.x, shape, view});
    EXPECT_EQ(read_error(p).empty(), view_first) << read_error(p);
  }
}

TEST(ViewTest, ViewsAreNotWrittenTo) {
  Basics p;
  const int32_t view = p.tensor(unplanned({600}));
  const int32_t shape = p.ints({p.number(int64_t{6})});
  p.kernel("executorch_prim::et_view", "default", {p.x, shape, view});
  p.kernel("aten::add", "out", {p.x, p.x, p.one, view, view});
  EXPECT_THAT(read_error(p), HasSubstr("must not be written to"));
}

TEST(ViewTest, AnInputIsNotReplaced) {
  Basics p;
  const int32_t shape = p.ints({p.number(int64_t{6})});
  p.kernel("executorch_prim::et_view", "default", {p.t, shape, p.x});
  EXPECT_THAT(read_error(p), HasSubstr("replaces value 0, which is an input"));
}

TEST(JumpTest, TargetsLieInTheChain) {
  for (const int32_t destination : {-1, 0, 1, 2, 3, INT32_MAX}) {
    Basics p;
    const int32_t condition = p.flag(false);
    p.jump_false(condition, destination);
    p.kernel("aten::add", "out", {p.x, p.x, p.one, p.y, p.y});
    EXPECT_EQ(read_error(p).empty(), destination >= 0 && destination <= 2) << destination;
  }
}

TEST(JumpTest, ConditionsAreBools) {
  const auto error_with = [](auto make) {
    Basics p;
    p.jump_false(make(p), 1);
    return read_error(p);
  };
  EXPECT_EQ(error_with([](Basics& p) { return p.flag(true); }), "");
  EXPECT_EQ(error_with([](Basics& p) { return p.tensor(planned(64, {}, 11)); }), "");
  EXPECT_THAT(error_with([](Basics& p) { return p.one; }), HasSubstr("its condition"));
  EXPECT_THAT(error_with([](Basics& p) { return p.t; }), HasSubstr("not of bools"));
  EXPECT_THAT(error_with([](Basics&) { return 77; }), HasSubstr("does not exist"));
}

TEST(JumpTest, BothWaysAreFollowed) {
  // The view is made on one way only, and used after both.
  for (const bool both : {true, false}) {
    Basics p;
    const int32_t condition = p.tensor(planned(64, {}, 11));
    const int32_t no = p.flag(false);
    const int32_t view = p.tensor(unplanned({6}));
    const int32_t shape = p.ints({p.number(int64_t{6})});
    const int32_t out = p.tensor(planned(128, {6}));
    p.jump_false(condition, 3);
    p.kernel("executorch_prim::et_view", "default", {p.x, shape, view});
    p.jump_false(no, 4);
    if (both) {
      p.kernel("executorch_prim::et_view", "default", {p.t, shape, view});
    } else {
      p.kernel("aten::add", "out", {p.x, p.x, p.one, p.t, p.t});
    }
    p.kernel("aten::add", "out", {view, view, p.one, out, out});
    EXPECT_EQ(read_error(p).empty(), both) << read_error(p);
  }
}

// A state is kept for each target, with a place for each value that is written.
TEST(JumpTest, WhatIsKeptForTargetsIsLimited) {
  for (const int count : {100, 3000}) {
    Basics p;
    const int32_t condition = p.flag(false);
    for (int i = 0; i < count; ++i) p.move(p.one, p.number(int64_t{i}));
    for (int i = 0; i < count; ++i) p.jump_false(condition, count + i + 1);
    EXPECT_THAT(read_error(p), HasSubstr(count == 100 ? "" : "there are too many jumps to check"));
    EXPECT_EQ(read_error(p).empty(), count == 100);
  }
}

TEST(JumpTest, LongListsOfManyCallsAreTooManySteps) {
  Basics p;
  std::vector<int64_t> items(100'000, p.one);
  const int32_t list = p.ints(items);
  for (int i = 0; i < 2000; ++i) p.kernel("aten::full", "out", {list, p.one, p.y, p.y});
  EXPECT_THAT(read_error(p), HasSubstr("too many steps"));
}

TEST(JumpTest, LoopsAreFollowedUntilNothingChanges) {
  // i stays an int in the first program; in the second it becomes a float in the second round.
  for (const bool stays : {true, false}) {
    Basics p;
    const int32_t i = p.number(int64_t{0});
    const int32_t sizes = p.ints({i});
    const int32_t done = p.flag(false);
    p.kernel("aten::full", "out", {sizes, p.one, p.t, p.t});
    p.kernel(stays ? "executorch_prim::add" : "executorch_prim::truediv", "Scalar", {i, p.one, i});
    p.kernel("executorch_prim::eq", "Scalar", {i, p.one, done});
    p.jump_false(done, 0);
    EXPECT_EQ(read_error(p).empty(), stays);
  }
}

TEST(MoveTest, KindsAgree) {
  const auto error_with = [](auto make) {
    Basics p;
    const auto [from, to] = make(p);
    p.move(from, to);
    return read_error(p);
  };
  using Pair = std::pair<int32_t, int32_t>;
  EXPECT_EQ(error_with([](Basics& p) { return Pair(p.t, p.y); }), "");
  EXPECT_EQ(error_with([](Basics& p) { return Pair(p.one, p.number(int64_t{0})); }), "");
  for (const auto& error :
       {error_with([](Basics& p) { return Pair(p.one, p.y); }),
        error_with([](Basics& p) { return Pair(p.t, p.one); }),
        error_with([](Basics& p) { return Pair(p.none(), p.none()); }),
        error_with([](Basics& p) { return Pair(p.ints({p.one}), p.ints({p.one})); }),
        error_with([](Basics& p) {
          return Pair(p.tensor(planned(64, {2, 3}, 4)), p.y);
        }),
        error_with([](Basics& p) { return Pair(p.tensor(planned(64, {6})), p.y); }),
        error_with([](Basics& p) {
          return Pair(p.tensor(planned(64, {2, 4})), p.y);
        })}) {
    EXPECT_THAT(error, HasSubstr("it moves"));
  }
  EXPECT_THAT(error_with([](Basics& p) { return Pair(p.t, -1); }), HasSubstr("does not exist"));
  EXPECT_THAT(error_with([](Basics& p) { return Pair(p.t, p.x); }), HasSubstr("is an input"));
}

TEST(MoveTest, AConstantStaysAConstant) {
  Basics p;
  const int32_t c = p.constant();
  const int32_t u = p.tensor(planned(64));
  p.move(c, u);
  p.kernel("aten::add", "out", {p.x, p.x, p.one, u, u});
  EXPECT_THAT(read_error(p), HasSubstr("must not be written to"));
}

TEST(MoveTest, SharedTensorsAreNotGivenOtherMemory) {
  Basics p;
  const int32_t shape = p.ints({p.number(int64_t{6})});
  const int32_t u = p.tensor(planned(64));
  p.move(p.t, u);
  p.kernel("executorch_prim::et_view", "default", {p.x, shape, u});
  EXPECT_THAT(read_error(p), HasSubstr("is moved to, and given other memory"));
}

TEST(FreeTest, FreedTensorsAreNotUsed) {
  Basics p;
  p.release(p.t);
  EXPECT_EQ(read_error(p), "");
  Basics q;
  q.kernel("aten::add", "out", {q.x, q.t, q.one, q.y, q.y});
  q.release(q.t);  // The next run finds it without memory.
  EXPECT_THAT(read_error(q), HasSubstr("a tensor without memory"));
  Basics r;
  r.release(r.one);
  EXPECT_THAT(read_error(r), HasSubstr("not a tensor"));
}

TEST(DelegateCallTest, DelegateAndArgumentsExist) {
  const auto error_with = [](int32_t delegate, const std::vector<int32_t>& args) {
    Basics p;
    p.delegate("TestBackend", fb::DataLocation::SEGMENT, p.segment("blob"));
    p.call_delegate(delegate, args);
    return read_error(p);
  };
  EXPECT_EQ(error_with(0, {0, 1}), "");
  EXPECT_THAT(error_with(1, {0, 1}), HasSubstr("delegate 1 does not exist"));
  EXPECT_THAT(error_with(-1, {0, 1}), HasSubstr("delegate -1 does not exist"));
  EXPECT_THAT(error_with(0, {0, 9}), HasSubstr("value 9 does not exist"));
}

TEST(OutputTest, OutputsHaveMemoryAtTheEnd) {
  Basics p;
  const int32_t view = p.tensor(planned(64, {6}));
  const int32_t shape = p.ints({p.number(int64_t{6})});
  const int32_t condition = p.tensor(planned(96, {}, 11));
  p.outputs = {view};
  p.jump_false(condition, 2);
  p.kernel("executorch_prim::et_view", "default", {p.x, shape, view});
  EXPECT_THAT(read_error(p), HasSubstr("is a tensor without memory"));
}

}  // namespace
}  // namespace slipway::pte
