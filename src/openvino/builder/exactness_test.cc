#include "openvino/builder/exactness.h"

#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "onnx/registry.h"
#include "passes/program_test.h"
#include "schema/traits.h"

namespace slipway::openvino {
namespace {

using ir::Argument;
using ir::SymInt;
using ir::Value;

struct Nodes : passes::TestProgram {
  Value* tensor(DType dtype, std::vector<SymInt> sizes = {4}) {
    return input("x" + std::to_string(program.inputs.size()), type(std::move(sizes), dtype));
  }
  // 0 to 3, of which the program knows that.
  Value* small() { return call("aten.arange.default", {SymInt(4)}, ints(), "small"); }
  static ir::TensorType ints(DType dtype = DType::kInt64) { return type({4}, dtype); }

  // The reason, or "" for a node that is taken.
  std::string why(const std::string& op, std::vector<Argument> args, ir::TensorType result,
                  bool reduced = false) {
    const ir::Node* made = node(op, std::move(args), {std::move(result)}, "r");
    return why_inexact(program, *made, partition::IntegerRanges(program), reduced).value_or("");
  }
  std::string why_reduced(const std::string& op, std::vector<Argument> args,
                          ir::TensorType result) {
    return why(op, std::move(args), std::move(result), true);
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What the table says of operators that only move elements, and of indices, is what others hold
// too.
TEST(Exactness, AgreesWithTheTraitsOfOperators) {
  for (const Exactness& entry : exactness_table()) {
    for (const std::string& target : targets(entry)) {
      EXPECT_TRUE(!schema::only_moves(target) || entry.integers == Integers::kMoved) << target;
      if (entry.index_argument < 0) continue;
      EXPECT_TRUE(schema::is_index_argument(target, static_cast<size_t>(entry.index_argument)))
          << target;
    }
  }
}

TEST(Exactness, TellsOfEveryOperatorThatCanBeLowered) {
  std::set<std::string> told;
  for (const Exactness& entry : exactness_table()) {
    for (const std::string& target : targets(entry)) {
      EXPECT_NE(onnx::find_entry(target), nullptr) << target;
      EXPECT_TRUE(told.insert(target).second) << target << " is there twice";
      EXPECT_EQ(find_exactness(target), &entry) << target;
    }
    EXPECT_EQ(entry.types == 0, *entry.why_not != '\0') << entry.targets;
  }
  for (const onnx::Family& family : onnx::families()) {
    for (const onnx::Entry& entry : family.entries) {
      for (const std::string& target : onnx::targets(entry)) {
        EXPECT_TRUE(told.contains(target))
            << target
            << " has no row in exactness_table.cc: what is not computed exactly is refused()";
      }
    }
  }
}

TEST(Exactness, IsDocumented) {
  std::ifstream file(std::string(SLIPWAY_TEST_DATA) + "/../../docs/openvino.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  if (page.ends_with("\n\n" + document_exactness())) return;
  const std::string fresh = testing::TempDir() + "exactness.md";
  std::ofstream(fresh) << document_exactness();
  ADD_FAILURE() << "docs/openvino.md does not end with the table: replace its last table by what "
                << fresh << " has";
}

TEST(Exactness, TakesFloatsButForFloat64) {
  Nodes n;
  const auto relu = [&](DType dtype, bool reduced) {
    return n.why("aten.relu.default", {n.tensor(dtype)}, Nodes::ints(dtype), reduced);
  };
  EXPECT_EQ(relu(DType::kFloat32, false), "");
  EXPECT_TRUE(contains(relu(DType::kFloat64, false), "float64 values are computed in float32"));
  EXPECT_EQ(relu(DType::kFloat16, false), "");
  EXPECT_EQ(relu(DType::kBFloat16, false), "");
  for (DType dtype : {DType::kFloat64, DType::kFloat16, DType::kBFloat16}) {
    EXPECT_EQ(relu(dtype, true), "") << dtype_name(dtype);
  }
  EXPECT_NE(relu(DType::kInt16, true), "");
  EXPECT_NE(relu(DType::kUInt8, false), "");
  EXPECT_NE(relu(DType::kComplex64, true), "");
}

TEST(Exactness, TakesBytesBesideFloatsThatTheyBecome) {
  Nodes n;
  const auto why = [&](const std::string& op, DType result) {
    return n.why(op, {n.tensor(DType::kFloat32), n.tensor(DType::kInt8)}, Nodes::ints(result));
  };
  EXPECT_EQ(why("aten.add.Tensor", DType::kFloat32), "");
  EXPECT_EQ(why("aten.mul.Tensor", DType::kFloat32), "");
  EXPECT_NE(why("aten.add.Tensor", DType::kInt8), "");
  EXPECT_NE(why("aten.maximum.default", DType::kFloat32), "");
}

TEST(Exactness, LeavesSumsOutsideThatHalfTypesRoundAtEachStep) {
  Nodes n;
  const auto scatter = [&](DType dtype, const std::string& mode, bool reduced = false) {
    Value* x = n.tensor(dtype);
    return n.why("aten.scatter_reduce.two", {x, SymInt(0), n.small(), x, mode, true},
                 Nodes::ints(dtype), reduced);
  };
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    for (const char* mode : {"sum", "mean", "prod"}) {
      EXPECT_TRUE(contains(scatter(dtype, mode), "rounded after each step")) << mode;
      EXPECT_EQ(scatter(dtype, mode, true), "") << mode;
    }
    EXPECT_EQ(scatter(dtype, "amax"), "");
    Value* x = n.tensor(dtype);
    EXPECT_NE(n.why("aten.index_add.default", {x, SymInt(0), n.small(), x, SymInt(1)},
                    Nodes::ints(dtype)),
              "");
  }
  EXPECT_EQ(scatter(DType::kFloat32, "sum"), "");
}

TEST(Exactness, TakesIntegersThatAreShownToFit) {
  Nodes n;
  const std::string in_32_bits = "kept in 32 bits";
  const std::string in_floats = "computed in float32";
  Value* unknown = n.tensor(DType::kInt64);
  Value* known = n.small();
  Value* narrow = n.tensor(DType::kInt32);
  const auto add = [&](Value* x, DType dtype = DType::kInt64) {
    return n.why("aten.add.Tensor", {x, x}, Nodes::ints(dtype));
  };
  EXPECT_EQ(add(known), "");
  EXPECT_TRUE(contains(add(unknown), in_32_bits));
  // Sums of int32 wrap around in both.
  EXPECT_EQ(add(narrow, DType::kInt32), "");
  EXPECT_EQ(n.why_reduced("aten.add.Tensor", {unknown, unknown}, Nodes::ints()), "");

  // Comparisons see floats.
  const auto equal = [&](Value* x, SymInt number) {
    return n.why("aten.eq.Scalar", {x, std::move(number)}, Nodes::ints(DType::kBool));
  };
  EXPECT_EQ(equal(known, 3), "");
  EXPECT_TRUE(contains(equal(narrow, 3), in_floats));
  EXPECT_EQ(equal(known, 1 << 24), "");
  EXPECT_TRUE(contains(equal(known, (1 << 24) + 1), "too large"));
  EXPECT_TRUE(contains(equal(known, std::numeric_limits<int64_t>::min()), "too large"));

  // So does the value of padding.
  const auto pad = [&](double number) {
    return n.why("aten.pad.default", {known, passes::Ints{1, 1}, std::string("constant"), number},
                 Nodes::type({6}, DType::kInt64));
  };
  EXPECT_EQ(pad(5), "");
  EXPECT_TRUE(contains(pad(16777217), "too large"));

  // Remainders add to them.
  const auto remainder = [&](int64_t largest) {
    Value* x = n.call("aten.mul.Tensor", {n.small(), SymInt(largest / 3)}, Nodes::ints(), "x");
    return n.why("aten.remainder.Scalar", {x, SymInt(7)}, Nodes::ints());
  };
  EXPECT_EQ(remainder(1 << 22), "");
  EXPECT_TRUE(contains(remainder(1 << 24), in_floats));
  EXPECT_TRUE(contains(n.why("aten.remainder.Scalar", {n.tensor(DType::kFloat32), SymInt(7)},
                             Nodes::ints(DType::kFloat32)),
                       "not exact for float32"));
}

TEST(Exactness, TakesPlacesInADimensionAsTheyAre) {
  Nodes n;
  Value* weight = n.tensor(DType::kFloat32, {9, 3});
  Value* ids = n.tensor(DType::kInt64);
  EXPECT_EQ(n.why("aten.embedding.default", {weight, ids}, Nodes::type({4, 3})), "");
  // What only places are made of may be moved, too.
  Value* more = n.tensor(DType::kInt64);
  Value* moved = n.call("aten.unsqueeze.default", {more, SymInt(0)},
                        Nodes::type({1, 4}, DType::kInt64), "moved");
  n.call("aten.embedding.default", {weight, moved}, Nodes::type({1, 4, 3}), "rows");
  const auto why = [&](const Value* value) {
    return why_inexact(n.program, *value->producer(), partition::IntegerRanges(n.program), false);
  };
  EXPECT_EQ(why(moved), std::nullopt);
  Value* other = n.call("aten.unsqueeze.default", {ids, SymInt(0)},
                        Nodes::type({1, 4}, DType::kInt64), "other");
  n.output(other);
  EXPECT_NE(why(other), std::nullopt);
}

TEST(Exactness, ConvertsWhatBothTypesHold) {
  Nodes n;
  const auto convert = [&](DType from, DType to) {
    return n.why("aten.to.dtype", {n.tensor(from), to}, Nodes::ints(to));
  };
  for (DType from : {DType::kFloat32, DType::kInt32, DType::kUInt8, DType::kInt8, DType::kBool}) {
    for (DType to : {DType::kFloat32, DType::kInt32, DType::kUInt8, DType::kInt8, DType::kBool}) {
      EXPECT_EQ(convert(from, to), "") << dtype_name(from) << " to " << dtype_name(to);
    }
  }
  EXPECT_EQ(convert(DType::kBool, DType::kInt64), "");
  EXPECT_NE(convert(DType::kFloat32, DType::kInt64), "");
  // Whatever it holds: the plugin converts what it is given from 64 bits.
  EXPECT_EQ(convert(DType::kInt64, DType::kFloat32), "");
  EXPECT_NE(convert(DType::kInt64, DType::kInt32), "");
  EXPECT_NE(convert(DType::kFloat32, DType::kFloat64), "");
  EXPECT_NE(convert(DType::kUInt8, DType::kInt16), "");
}

TEST(Exactness, RefusesStatisticsWithoutElementsWhereTheyAreUsed) {
  for (const size_t used : {0, 1}) {
    Nodes n;
    Value* x = n.tensor(DType::kFloat32, {2, 4});
    Value* v = n.tensor(DType::kFloat32);
    const auto* node =
        n.node("aten._native_batch_norm_legit_no_training.default", {x, v, v, v, v, 0.1, 1e-5},
               {x->type(), Nodes::type({0}), Nodes::type({0})}, "norm");
    n.output(node->output(used));
    const auto reason = why_inexact(n.program, *node, partition::IntegerRanges(n.program), false);
    EXPECT_EQ(reason.has_value(), used == 1) << reason.value_or("");
  }
}

TEST(Exactness, RefusesPlacesOfMaximaWhereTheyAreUsed) {
  for (const bool is_used : {false, true}) {
    Nodes n;
    const std::vector<SymInt> sizes = {1, 3, 1, 1};
    Value* x = n.tensor(DType::kFloat32, {1, 3, 1, SymInt::symbol("s0")});
    ir::Node* node = n.node("aten.adaptive_max_pool2d.default", {x, std::vector<SymInt>{1, 1}},
                            {Nodes::type(sizes), Nodes::type(sizes, DType::kInt64)}, "pool");
    n.output(node->output(is_used ? 1 : 0));
    EXPECT_EQ(why_inexact(n.program, *node, partition::IntegerRanges(n.program), false).has_value(),
              is_used);
  }
}

TEST(Exactness, RefusesWhatThePluginLacks) {
  Nodes n;
  Value* x = n.tensor(DType::kFloat32, {4, 4});
  Value* places = n.small();
  const auto put = [&](std::vector<Value*> indices, bool accumulate) {
    return n.why("aten.index_put.default", {x, std::move(indices), x, accumulate},
                 Nodes::type({4, 4}));
  };
  EXPECT_EQ(put({places}, false), "");
  EXPECT_EQ(put({places, places}, false), "");
  EXPECT_EQ(put({places}, true), "");
  EXPECT_EQ(put({nullptr, places}, true), "");
  EXPECT_TRUE(contains(put({places, places}, true), "ScatterND"));

  Value* image = n.tensor(DType::kFloat32, {1, 1, 4, 4});
  Value* grid = n.tensor(DType::kFloat32, {1, 4, 4, 2});
  EXPECT_EQ(n.why("aten.grid_sampler_2d.default", {image, grid, SymInt(0), SymInt(0), false},
                  Nodes::type({1, 1, 4, 4})),
            "");

  const auto sort = [&](bool stable) {
    return n.why("aten.argsort.stable", {x, stable, SymInt(0), false},
                 Nodes::type({4, 4}, DType::kInt64));
  };
  EXPECT_TRUE(contains(sort(true), "order"));

  EXPECT_TRUE(
      contains(n.why("aten.pow.Tensor_Scalar", {places, SymInt(4)}, Nodes::ints()), "powers"));
  EXPECT_EQ(n.why("aten.pow.Tensor_Scalar", {places, SymInt(2)}, Nodes::ints()), "");
  EXPECT_NE(n.why("aten.__lshift__.Scalar", {places, SymInt(2)}, Nodes::ints()), "");
  EXPECT_NE(n.why("aten.no_such.default", {}, Nodes::ints()), "");

  // Sizes that are always 0; one that may be 0 is fine.
  const auto exp = [&](const std::vector<SymInt>& sizes) {
    return n.why("aten.exp.default", {n.tensor(DType::kFloat32, sizes)}, Nodes::type(sizes));
  };
  EXPECT_NE(exp({0, 3}), "");
  EXPECT_EQ(exp({SymInt::symbol("s0"), 3}), "");
}

TEST(Exactness, LeavesLoopsOverNothingOutside) {
  const auto rnn = [](int64_t smallest, bool constant_weights) {
    Nodes n;
    n.program.ranges["s0"] = {smallest, 8};
    const ir::TensorType sizes = Nodes::type({SymInt::symbol("s0"), 5, 4});
    const auto weight = [&](const std::string& name, std::vector<int64_t> shape) -> Value* {
      if (!constant_weights) return n.tensor(DType::kFloat32, {shape.begin(), shape.end()});
      return n.constant(name, Nodes::count(shape, {shape.back(), 1}));
    };
    std::vector<Value*> weights = {weight("w", {3, 4}), weight("r", {3, 3})};
    Value* x = n.tensor(DType::kFloat32, sizes.sizes);
    std::vector<Value*> state = {n.tensor(DType::kFloat32, {1, SymInt::symbol("s0"), 3})};
    return n.why("aten.rnn_tanh.input",
                 {x, state[0], weights, false, SymInt(1), 0.0, false, false, true},
                 Nodes::type({SymInt::symbol("s0"), 5, 3}));
  };
  EXPECT_TRUE(contains(rnn(0, false), "may be empty"));
  EXPECT_EQ(rnn(1, false), "");
  EXPECT_EQ(rnn(0, true), "");
}

TEST(Exactness, LeavesStridesThatItWouldCutOutside) {
  const auto conv = [](int64_t stride) {
    Nodes n;
    Value* x = n.tensor(DType::kFloat32, {1, 1, 4, 4});
    Value* weight = n.tensor(DType::kFloat32, {1, 1, 1, 1});
    return n.why("aten.conv2d.default",
                 {x, weight, ir::None{}, std::vector<SymInt>{1, SymInt(stride)}},
                 Nodes::type({1, 1, 4, 1}));
  };
  EXPECT_EQ(conv(4), "");
  EXPECT_TRUE(contains(conv(int64_t{1} << 40), "more than 32 bits"));
}

TEST(Exactness, LeavesDivisionsByZeroOutside) {
  const auto add = [](int64_t smallest, const SymInt& number) {
    Nodes n;
    n.program.ranges["u0"] = {smallest, 8};
    return n.why("aten.add.Scalar", {n.tensor(DType::kFloat32), number}, Nodes::type({4}));
  };
  const SymInt u0 = SymInt::symbol("u0");
  for (const SymInt& number : {SymInt::floordiv(7, u0), SymInt::mod(7, u0) * 2 + 1,
                               SymInt::max(SymInt::floordiv(7, u0 * u0), 3)}) {
    EXPECT_TRUE(contains(add(0, number), "may be 0")) << number.to_string();
    EXPECT_TRUE(contains(add(-3, number), "may be 0")) << number.to_string();
    EXPECT_EQ(add(1, number), "") << number.to_string();
  }
}

// The plugin has 32 bits for them.
TEST(Exactness, LeavesChosenNumbersPast32BitsOutside) {
  const SymInt u0 = SymInt::symbol("u0");
  const SymInt s0 = SymInt::symbol("s0");
  const auto mul = [&](ir::Range range, const SymInt& number) {
    Nodes n;
    n.program.ranges["u0"] = range;
    n.program.ranges["s0"] = {0, INT64_MAX};
    n.program.graph->add_input("sized", Nodes::type({s0}));
    return n.why("aten.mul.Scalar", {n.tensor(DType::kFloat32), number}, Nodes::type({4}));
  };
  EXPECT_EQ(mul({INT32_MIN, INT32_MAX}, u0), "");
  EXPECT_EQ(mul({0, INT64_MAX}, s0 * 3), "");
  for (const SymInt& number : {u0, u0 + 1, s0 * u0}) {
    EXPECT_TRUE(contains(mul({0, int64_t{INT32_MAX} + 1}, number), "more than 32 bits"));
    EXPECT_TRUE(contains(mul({int64_t{INT32_MIN} - 1, 0}, number), "more than 32 bits"));
    EXPECT_TRUE(contains(mul({0, std::nullopt}, number), "more than 32 bits"));
    EXPECT_TRUE(contains(mul({std::nullopt, 0}, number), "more than 32 bits"));
  }
}

TEST(Exactness, LeavesLargeNumbersThatAreDividedOutside) {
  const SymInt u0 = SymInt::symbol("u0");
  const SymInt s0 = SymInt::symbol("s0");
  constexpr int64_t kExact = 1 << 24;
  const auto add = [&](int64_t largest, const SymInt& number) {
    Nodes n;
    n.program.ranges["u0"] = {-largest, largest};
    n.program.graph->add_input("sized", Nodes::type({s0}));
    return n.why("aten.add.Scalar", {n.tensor(DType::kFloat32), number}, Nodes::type({4}));
  };
  for (const SymInt& number : {SymInt::floordiv(u0, 7), SymInt::mod(u0, 7) * 2 + 1,
                               SymInt::max(SymInt::floordiv(u0, 7), 3)}) {
    EXPECT_TRUE(contains(add(kExact + 1, number), "past 2^24")) << number.to_string();
    EXPECT_EQ(add(kExact, number), "") << number.to_string();
  }
  EXPECT_EQ(add(kExact, SymInt::floordiv(s0 * s0, 7)), "");
  EXPECT_EQ(add(INT32_MAX, u0), "");

  const auto roll = [&](int64_t largest) {
    Nodes n;
    n.program.ranges["u0"] = {0, largest};
    return n.why("aten.roll.default",
                 {n.tensor(DType::kFloat32), std::vector<SymInt>{u0}, std::vector<SymInt>{0}},
                 Nodes::type({4}));
  };
  EXPECT_TRUE(contains(roll(kExact + 1), "past 2^24"));
  EXPECT_EQ(roll(kExact), "");
}

TEST(Exactness, LooksIntoBranches) {
  Nodes n;
  const auto branch = [](const std::string& op, DType dtype) {
    auto graph = std::make_shared<ir::Graph>();
    Value* x = graph->add_input("x", Nodes::ints(dtype));
    ir::Node* node = graph->add_node(op, {x}, {});
    graph->outputs().push_back(graph->add_output(node, Nodes::ints(dtype)));
    return graph;
  };
  const auto cond = [&](const std::string& op, DType dtype) {
    Value* x = n.tensor(dtype);
    Value* predicate = n.tensor(DType::kBool, {});
    return n.why(
        "higher_order.cond",
        {predicate, branch("aten.exp.default", dtype), branch(op, dtype), std::vector<Value*>{x}},
        Nodes::ints(dtype));
  };
  EXPECT_EQ(cond("aten.relu.default", DType::kFloat32), "");
  EXPECT_TRUE(contains(cond("aten.col2im.default", DType::kFloat32), "Col2Im"));
  EXPECT_NE(cond("aten.relu.default", DType::kFloat64), "");
}

}  // namespace
}  // namespace slipway::openvino
