#include "partition/integer_ranges.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ir/call_test.h"
#include "passes/program_test.h"
#include "schema/schema.h"

namespace slipway::partition {
namespace {

using ir::Argument;
using ir::Range;
using ir::SymInt;
using ir::Value;
using passes::Ints;

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

struct Integers : passes::TestProgram {
  static ir::TensorType ints(std::vector<SymInt> sizes = {4}, DType dtype = DType::kInt64) {
    return type(std::move(sizes), dtype);
  }

  template <class Element>
  static ir::ConstantData data(DType dtype, const std::vector<Element>& elements) {
    std::vector<std::byte> bytes(elements.size() * sizeof(Element));
    if (!bytes.empty()) std::memcpy(bytes.data(), elements.data(), bytes.size());
    ir::ConstantData result;
    result.dtype = dtype;
    result.sizes = {static_cast<int64_t>(elements.size())};
    result.strides = {1};
    result.storage = own_bytes(std::move(bytes));
    return result;
  }
  Value* holding(const std::vector<int64_t>& elements) {
    return constant("c" + std::to_string(program.inputs.size()), data(DType::kInt64, elements));
  }

  Value* make(const std::string& op, std::vector<Argument> args, DType dtype = DType::kInt64,
              std::vector<SymInt> sizes = {4}) {
    return call(op, std::move(args), type(std::move(sizes), dtype), "r");
  }
  Range of(const Value* value) const { return IntegerRanges(program).of(value); }
  Range result_of(const std::string& op, std::vector<Argument> args, DType dtype = DType::kInt64) {
    return of(make(op, std::move(args), dtype));
  }
  bool is_index(const Value* value) const { return IntegerRanges(program).is_index(value); }
};

const Range kUnknown{};
const Range kInt32{std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};

Range between(int64_t min, int64_t max) { return {min, max}; }

TEST(IntegerRanges, StartFromTypes) {
  Integers p;
  EXPECT_EQ(p.of(p.input("a", p.ints({4}, DType::kInt64))), kUnknown);
  EXPECT_EQ(p.of(p.input("b", p.ints({4}, DType::kInt32))), kInt32);
  EXPECT_EQ(p.of(p.input("c", p.ints({4}, DType::kUInt8))), between(0, 255));
  EXPECT_EQ(p.of(p.input("d", p.ints({4}, DType::kBool))), between(0, 1));
  EXPECT_EQ(p.of(p.input("e", p.ints({4}, DType::kUInt64))), kUnknown);
  EXPECT_EQ(p.of(p.input("f", p.type({4}))), kUnknown);
  // A comparison of anything.
  EXPECT_EQ(p.result_of("aten.gt.Scalar", {p.program.inputs[0].value, SymInt(7)}, DType::kBool),
            between(0, 1));
}

TEST(IntegerRanges, ReadConstants) {
  Integers p;
  EXPECT_EQ(p.of(p.holding({3, -7, 12})), between(-7, 12));
  EXPECT_EQ(p.of(p.constant("i8", p.data<int8_t>(DType::kInt8, {-3, 5}))), between(-3, 5));
  EXPECT_EQ(p.of(p.constant("bool", p.data<uint8_t>(DType::kBool, {1, 1}))), between(1, 1));
  EXPECT_EQ(p.of(p.holding({})), kUnknown);
  // Every other element, from the second on.
  ir::ConstantData strided = p.data<int64_t>(DType::kInt64, {100, 1, -100, 2, 50, 3});
  strided.sizes = {3};
  strided.strides = {2};
  strided.storage_offset = 1;
  EXPECT_EQ(p.of(p.constant("strided", strided)), between(1, 3));
  // One that repeats is as large as it counts, and not read.
  ir::ConstantData large = p.data<int32_t>(DType::kInt32, {5});
  large.sizes = {(int64_t{16} << 20) + 1};
  large.strides = {0};
  EXPECT_EQ(p.of(p.constant("large", large)), kInt32);
  large.sizes = {int64_t{1} << 20};
  EXPECT_EQ(p.of(p.constant("smaller", large)), between(5, 5));
}

TEST(IntegerRanges, KnowNothingOfWhatChanges) {
  Integers p;
  Value* position = p.buffer("position", p.data<int64_t>(DType::kInt64, {0}));
  Value* next = p.make("aten.add.Scalar", {position, SymInt(1)}, DType::kInt64, {1});
  EXPECT_EQ(p.of(next), between(1, 1));
  p.output(next);
  p.program.outputs.back() = {ir::OutputKind::kBufferMutation, "position"};
  EXPECT_EQ(p.of(position), kUnknown);
  EXPECT_EQ(p.of(next), kUnknown);
}

// Each operator on all pairs of elements: what comes out is within the range, and where the range
// is to be exact, its ends come out.
TEST(IntegerRanges, HoldWhatOperatorsGive) {
  using Compute = std::function<int64_t(int64_t, int64_t)>;
  auto floor_div = [](int64_t a, int64_t b) {
    const int64_t q = a / b;
    return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
  };
  struct Operator {
    std::string op;
    std::vector<Argument> more;
    Compute compute;
    bool exact = true;
    bool divides = false;
  };
  const std::vector<Operator> operators = {
      {"aten.add.Tensor", {}, [](auto a, auto b) { return a + b; }},
      {"aten.add.Tensor", {SymInt(-3)}, [](auto a, auto b) { return a - 3 * b; }},
      {"aten.sub.Tensor", {}, [](auto a, auto b) { return a - b; }},
      {"aten.sub.Tensor", {SymInt(2)}, [](auto a, auto b) { return a - 2 * b; }},
      {"aten.rsub.Tensor", {}, [](auto a, auto b) { return b - a; }},
      {"aten.mul.Tensor", {}, [](auto a, auto b) { return a * b; }},
      {"aten.minimum.default", {}, [](auto a, auto b) { return std::min(a, b); }},
      {"aten.maximum.default", {}, [](auto a, auto b) { return std::max(a, b); }},
      {"aten.min.other", {}, [](auto a, auto b) { return std::min(a, b); }},
      {"aten.max.other", {}, [](auto a, auto b) { return std::max(a, b); }},
      {"aten.clamp_max.Tensor", {}, [](auto a, auto b) { return std::min(a, b); }},
      {"aten.clamp_min.Tensor", {}, [](auto a, auto b) { return std::max(a, b); }},
      {"aten.floor_divide.default", {}, floor_div, true, true},
      {"aten.div.Tensor_mode", {std::string("floor")}, floor_div, true, true},
      {"aten.div.Tensor_mode",
       {std::string("trunc")},
       [](auto a, auto b) { return a / b; },
       true,
       true},
      {"aten.remainder.Tensor",
       {},
       [&](auto a, auto b) { return a - b * floor_div(a, b); },
       false,
       true},
      {"aten.fmod.Tensor", {}, [](auto a, auto b) { return a % b; }, false, true},
      {"aten.bitwise_and.Tensor", {}, [](auto a, auto b) { return a & b; }, false},
      {"aten.bitwise_or.Tensor", {}, [](auto a, auto b) { return a | b; }, false},
      {"aten.bitwise_xor.Tensor", {}, [](auto a, auto b) { return a ^ b; }, false},
      {"aten.abs.default", {}, [](auto a, auto) { return std::abs(a); }},
      {"aten.neg.default", {}, [](auto a, auto) { return -a; }},
      {"aten.relu.default", {}, [](auto a, auto) { return std::max<int64_t>(a, 0); }},
      {"aten.bitwise_not.default", {}, [](auto a, auto) { return ~a; }},
      {"aten.sign.default", {}, [](auto a, auto) { return (a > 0) - (a < 0); }, false},
      {"aten.square.default", {}, [](auto a, auto) { return a * a; }},
  };
  auto filled = [](int64_t min, int64_t max) {
    std::vector<int64_t> elements;
    for (int64_t i = min; i <= max; ++i) elements.push_back(i);
    return elements;
  };
  const std::vector<std::vector<int64_t>> sets = {filled(-5, 7), filled(2, 9),  filled(-9, -3),
                                                  filled(0, 6),  filled(-4, 0), filled(3, 3),
                                                  filled(1, 40), filled(-1, 1)};
  size_t known = 0;
  for (const Operator& op : operators) {
    for (const auto& left : sets) {
      for (const auto& right : sets) {
        const bool zero = std::find(right.begin(), right.end(), 0) != right.end();
        Integers p;
        std::vector<Argument> args = {p.holding(left)};
        const auto* schema = schema::find_operator(op.op);
        ASSERT_NE(schema, nullptr) << op.op;
        if (schema->parameters.size() > 1) args.emplace_back(p.holding(right));
        args.insert(args.end(), op.more.begin(), op.more.end());
        const Range range = p.result_of(op.op, args);
        int64_t min = kLargest;
        int64_t max = -kLargest;
        for (int64_t a : left) {
          for (int64_t b : right) {
            if (op.divides && b == 0) continue;
            min = std::min(min, op.compute(a, b));
            max = std::max(max, op.compute(a, b));
          }
        }
        SCOPED_TRACE(op.op + " of [" + std::to_string(left.front()) + ", " +
                     std::to_string(left.back()) + "] and [" + std::to_string(right.front()) +
                     ", " + std::to_string(right.back()) + "]");
        if (range.min) {
          ++known;
          ASSERT_LE(*range.min, min);
          ASSERT_GE(*range.max, max);
        }
        if (op.exact && !(op.divides && zero)) {
          ASSERT_EQ(range, between(min, max));
        }
      }
    }
  }
  EXPECT_GT(known, operators.size() * sets.size() * sets.size() * 3 / 4);
}

TEST(IntegerRanges, KnowNothingPastAnOverflow) {
  Integers p;
  Value* large = p.holding({0, kLargest});
  EXPECT_EQ(p.result_of("aten.add.Scalar", {large, SymInt(1)}), kUnknown);
  EXPECT_EQ(p.result_of("aten.mul.Tensor", {large, large}), kUnknown);
  EXPECT_EQ(p.result_of("aten.neg.default", {p.holding({-kLargest - 1})}), kUnknown);
  EXPECT_EQ(p.result_of("aten.abs.default", {p.holding({-kLargest - 1})}), kUnknown);
  EXPECT_EQ(p.result_of("aten.pow.Tensor_Scalar", {p.holding({1000}), SymInt(16)}), kUnknown);
  EXPECT_EQ(p.result_of("aten.pow.Tensor_Scalar", {p.holding({-2, 3}), SymInt(3)}),
            between(-18, 27));
  // An int32 wraps within int32.
  Value* narrow = p.constant("narrow", p.data<int32_t>(DType::kInt32, {1 << 20}));
  EXPECT_EQ(p.result_of("aten.mul.Tensor", {narrow, narrow}, DType::kInt32), kInt32);
  EXPECT_EQ(p.result_of("aten.mul.Scalar", {narrow, SymInt(3)}, DType::kInt32),
            between(3 << 20, 3 << 20));
  // A number that the type does not hold wraps first.
  EXPECT_EQ(p.result_of("aten.clamp.default", {narrow, SymInt(int64_t{1} << 40)}, DType::kInt32),
            kInt32);
}

TEST(IntegerRanges, FollowConversions) {
  Integers p;
  auto to = [&](Value* value, DType dtype) {
    return p.result_of("aten._to_copy.default", {value, dtype}, dtype);
  };
  Value* some = p.holding({-1, 200});
  EXPECT_EQ(to(some, DType::kInt32), between(-1, 200));
  EXPECT_EQ(to(some, DType::kUInt8), between(0, 255));
  EXPECT_EQ(to(some, DType::kBool), between(0, 1));
  EXPECT_EQ(to(some, DType::kFloat32), kUnknown);
  EXPECT_EQ(to(p.input("flags", p.ints({4}, DType::kBool)), DType::kInt64), between(0, 1));
  Value* x = p.input("x", p.type({4}));
  EXPECT_EQ(to(x, DType::kInt64), kUnknown);
  EXPECT_EQ(to(x, DType::kInt32), kInt32);
  EXPECT_EQ(to(p.input("u", p.ints({4}, DType::kUInt64)), DType::kInt64), kUnknown);
  Value* bucket = p.make("aten._to_copy.default", {x, DType::kInt64});
  EXPECT_EQ(p.result_of("aten.clamp.default", {bucket, SymInt(0), SymInt(31)}), between(0, 31));
  EXPECT_EQ(p.result_of("aten.clamp.default", {bucket, SymInt(0)}), (Range{0, {}}));
  EXPECT_EQ(p.result_of("aten.minimum.default", {bucket, p.holding({31})}), (Range{{}, 31}));
}

// As resizing does: arange in float, scaled, rounded down, and held within the image.
TEST(IntegerRanges, FollowIndicesThatAreComputedInFloat) {
  Integers p;
  auto call = [&](const std::string& op, std::vector<Argument> args, DType dtype) {
    return p.make(op, std::move(args), dtype);
  };
  const DType f = DType::kFloat32;
  const DType i = DType::kInt64;
  Value* places = call("aten.arange.start_step", {SymInt(0), SymInt(10), SymInt(1), f}, f);
  EXPECT_EQ(p.of(places), kUnknown);  // not integers
  Value* centres = call("aten.add.Scalar", {places, 0.5}, f);
  Value* scaled = call("aten.mul.Scalar", {centres, 1.6}, f);
  Value* source = call("aten.sub.Scalar", {scaled, 0.5}, f);
  EXPECT_EQ(p.of(call("aten._to_copy.default", {source, i}, i)), between(-1, 20));
  Value* held = call("aten.clamp.default", {source, 0.0}, f);
  Value* left = call("aten._to_copy.default", {held, i}, i);
  EXPECT_EQ(p.of(left), between(0, 20));
  Value* right = call("aten.add.Scalar", {left, SymInt(1)}, i);
  EXPECT_EQ(p.of(call("aten.clamp.default", {right, ir::None(), SymInt(15)}, i)), between(1, 15));
  auto whole = [&](Value* x) { return p.of(call("aten._to_copy.default", {x, i}, i)); };
  EXPECT_EQ(whole(call("aten.div.Scalar", {centres, 4.0}, f)), between(0, 3));
  EXPECT_EQ(whole(call("aten.neg.default", {centres}, f)), between(-10, 0));
  EXPECT_EQ(
      whole(call("aten.div.Tensor_mode", {centres, p.holding({-3}), std::string("floor")}, f)),
      between(-4, 0));
  Value* steps = call("aten.arange.start_step", {SymInt(0), 1.0, 0.25, f}, f);
  for (Value* unknown :
       {steps, call("aten.div.Tensor", {centres, places}, f),       // by zero
        call("aten.mul.Scalar", {places, 1e7}, f),                  // may be rounded up
        call("aten.clamp.Tensor", {p.input("x", p.type({4}))}, f),  // may be NaN
        call("aten.clamp.Tensor", {places, p.input("y", p.type({4}))}, f),
        call("aten.mul.Scalar", {places, std::numeric_limits<double>::quiet_NaN()}, f),
        call("aten.pow.Tensor_Scalar", {places, 0.5}, f)}) {
    EXPECT_EQ(whole(unknown), kUnknown) << unknown->producer()->op();
  }
  // In float16 whole numbers are exact up to 2048.
  Value* many = call("aten.arange.default", {SymInt(3000)}, i);
  EXPECT_EQ(whole(call("aten._to_copy.default", {many, DType::kFloat16}, DType::kFloat16)),
            kUnknown);
}

TEST(IntegerRanges, FollowWhatIsMoved) {
  Integers p;
  Value* a = p.holding({1, 2, 3, 4});
  Value* b = p.holding({-5, 9});
  EXPECT_EQ(p.result_of("aten.view_copy.default", {a, Ints{2, 2}}), between(1, 4));
  EXPECT_EQ(p.result_of("aten.slice.Tensor", {a, SymInt(0), SymInt(0), SymInt(2)}), between(1, 4));
  EXPECT_EQ(p.result_of("aten.cat.default", {std::vector<Value*>{a, b}}), between(-5, 9));
  EXPECT_EQ(p.result_of("aten.where.self", {a, a, b}), between(-5, 9));
  EXPECT_EQ(p.result_of("aten.tril.default", {a}), between(0, 4));
  EXPECT_EQ(p.result_of("aten.constant_pad_nd.default", {a, Ints{1, 1}, SymInt(7)}), between(1, 7));
  EXPECT_EQ(p.result_of("aten.masked_fill.Scalar", {a, a, SymInt(-100)}), between(-100, 4));
  EXPECT_EQ(p.result_of("aten.gather.default", {b, SymInt(0), a}), between(-5, 9));
  EXPECT_EQ(p.result_of("aten.index.Tensor", {b, std::vector<Value*>{a}}), between(-5, 9));
  EXPECT_EQ(p.result_of("aten.slice_scatter.default", {a, b}), between(-5, 9));
  EXPECT_EQ(p.result_of("aten.index_put.default", {a, std::vector<Value*>{b}, b, true}), kUnknown);
  EXPECT_EQ(p.result_of("aten.index_put.default", {a, std::vector<Value*>{b}, b}), between(-5, 9));
  // Not elements of its argument, but places.
  EXPECT_EQ(p.result_of("aten.repeat_interleave.Tensor", {a}), kUnknown);
  // A list with something unknown.
  Value* x = p.input("x", p.ints());
  EXPECT_EQ(p.result_of("aten.cat.default", {std::vector<Value*>{a, x}}), kUnknown);
}

TEST(IntegerRanges, KnowNothingOfBitsReadAsAnotherType) {
  Integers p;
  Value* pair = p.constant("pair", Integers::data(DType::kInt32, std::vector<int32_t>{1, 2}));
  EXPECT_EQ(p.of(p.make("aten.view.dtype", {pair, DType::kInt64}, DType::kInt64, {1})), kUnknown);
  EXPECT_EQ(p.result_of("aten.mT.default", {p.holding({-5, 9})}), between(-5, 9));
}

TEST(IntegerRanges, FollowSizes) {
  Integers p;
  const SymInt s = SymInt::symbol("s0");
  p.program.ranges["s0"] = {2, 100};
  Value* x = p.input("x", p.type({3, s}));
  EXPECT_EQ(p.result_of("aten.arange.default", {s}), between(0, 99));
  EXPECT_EQ(p.result_of("aten.arange.start", {SymInt(5), s * SymInt(2)}), between(5, 199));
  EXPECT_EQ(p.result_of("aten.arange.start_step", {s, SymInt(0), SymInt(-1)}), between(1, 100));
  EXPECT_EQ(p.result_of("aten.triu_indices.default", {SymInt(3), SymInt(40)}), between(0, 39));
  EXPECT_EQ(p.result_of("aten.tril_indices.default", {s, SymInt(40)}), between(0, 99));
  EXPECT_EQ(p.result_of("aten.full.default", {Ints{4}, s}), between(2, 100));
  EXPECT_EQ(p.result_of("aten.full.default", {Ints{4}, 1e300}), kUnknown);
  EXPECT_EQ(p.result_of("aten.full.default", {Ints{4}, 3.0}), between(3, 3));
  EXPECT_EQ(p.result_of("aten.argmax.default", {x, SymInt(-1)}), between(0, 99));
  EXPECT_EQ(p.result_of("aten.argmax.default", {x, SymInt(0)}), between(0, 2));
  EXPECT_EQ(p.result_of("aten.argmax.default", {x}), between(0, 299));
  EXPECT_EQ(p.result_of("aten.argmax.default", {x, SymInt(5)}), kUnknown);
  EXPECT_EQ(p.result_of("aten.argsort.stable", {x, true, SymInt(0)}), between(0, 2));
  EXPECT_EQ(p.result_of("aten.nonzero.default", {x}), between(0, 99));
  EXPECT_EQ(p.result_of("aten.searchsorted.Tensor", {p.holding({1, 2, 3}), x}), between(0, 3));
  const auto top = p.node("aten.topk.default", {x, SymInt(2), SymInt(1)},
                          {p.type({3, 2}), p.ints({3, 2})}, "top");
  EXPECT_EQ(p.of(top->output(1)), between(0, 99));

  Value* mask = p.input("mask", p.ints({3, s}, DType::kBool));
  EXPECT_EQ(p.result_of("aten.sum.default", {mask}), between(0, 300));
  EXPECT_EQ(p.result_of("aten.sum.dim_IntList", {mask, Ints{1}}), between(0, 100));
  EXPECT_EQ(p.result_of("aten.cumsum.default", {mask, SymInt(1)}), between(0, 100));
  Value* three = p.holding({3, 3, 3, 3});
  EXPECT_EQ(p.result_of("aten.sum.default", {three}), between(0, 12));
  // A size without an upper bound.
  p.program.ranges.clear();
  EXPECT_FALSE(p.result_of("aten.full.default", {Ints{4}, s}).max.has_value());
  EXPECT_EQ(p.result_of("aten.add.Scalar", {three, s}), kUnknown);
  Value* number = p.graph().add_input("n", ir::ValueKind::kSymInt, SymInt(4));
  EXPECT_EQ(p.of(number), between(4, 4));
}

TEST(IntegerRanges, TellIndicesFromOtherIntegers) {
  Integers p;
  Value* weight = p.input("weight", p.type({10, 4}));
  Value* ids = p.input("ids", p.ints());
  Value* viewed = p.make("aten.view.default", {ids, Ints{2, 2}}, DType::kInt64, {2, 2});
  Value* joined = p.make("aten.cat.default", {std::vector<Value*>{viewed, viewed}});
  Value* narrow = p.make("aten._to_copy.default", {joined, DType::kInt32}, DType::kInt32);
  p.output(p.call("aten.embedding.default", {weight, narrow}, p.type({4, 4}), "e"));
  for (const Value* value : {ids, viewed, joined, narrow}) EXPECT_TRUE(p.is_index(value));
  EXPECT_FALSE(p.is_index(weight));

  // Of bags, both the indices and where each begins.
  Value* entries = p.input("entries", p.ints());
  Value* starts = p.input("starts", p.ints());
  p.output(p.call("aten.embedding_bag.padding_idx", {weight, entries, starts, false, SymInt(0)},
                  p.type({4, 4}), "bags"));
  EXPECT_TRUE(p.is_index(entries));
  EXPECT_TRUE(p.is_index(starts));

  // Added to, or given back, or a mask, or not used.
  Value* added = p.input("added", p.ints());
  Value* sum = p.make("aten.add.Scalar", {added, SymInt(1)});
  Value* given = p.input("given", p.ints());
  Value* mask = p.input("mask", p.ints({10}, DType::kBool));
  Value* unused = p.input("unused", p.ints());
  for (Value* index : {sum, given, mask}) {
    p.output(p.call("aten.index.Tensor", {weight, std::vector<Value*>{nullptr, index}},
                    p.type({4, 4}), "i"));
  }
  p.output(p.make("aten.view.default", {given, Ints{4}}));
  EXPECT_TRUE(p.is_index(sum));
  for (const Value* value : {added, given, mask, unused}) EXPECT_FALSE(p.is_index(value));

  // What it reads from is no index.
  Value* table = p.input("table", p.ints({10}));
  p.output(p.call("aten.index_select.default", {table, SymInt(0), ids}, p.ints(), "t"));
  EXPECT_FALSE(p.is_index(table));
  EXPECT_TRUE(p.is_index(ids));
}

// A file may hold calls of any form.
TEST(IntegerRanges, StandUncheckedCalls) {
  for (const schema::Schema& schema : schema::operators()) {
    ir::UncheckedCall::for_each(schema, [&](const ir::UncheckedCall& call) {
      if (call.dtype == DType::kComplex64 || call.rank == 3 || call.items == 2) return;
      ir::Program program;
      const ir::Node* node = call.add(*program.graph, schema);
      const IntegerRanges ranges(program);
      for (const Value* output : node->outputs()) {
        const Range range = ranges.of(output);
        if (!range.min || !range.max) continue;
        ASSERT_LE(*range.min, *range.max) << schema.text;
      }
    });
  }
}

}  // namespace
}  // namespace slipway::partition
