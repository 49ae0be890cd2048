#include "onnx/ops/kv_cache.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "onnx/lowering.h"
#include "passes/program_test.h"

namespace slipway::onnx {
namespace {

using ir::SymInt;
using ir::Value;

constexpr int64_t kLength = 16;

// A cache [1, 2, 16, 8] that changes by one operator.
struct Decoder : passes::TestProgram {
  std::vector<int64_t> sizes = {1, 2, kLength, 8};
  Value* cache = nullptr;
  LoweringOptions options;

  explicit Decoder(std::vector<int64_t> cache_sizes = {1, 2, kLength, 8})
      : sizes(std::move(cache_sizes)) {
    options.fused.insert("TensorScatter");
    cache = buffer("cache", count(sizes, {256, 128, 8, 1}, 0, 256));
  }
  static ir::TensorType ints(std::vector<SymInt> shape) {
    return type(std::move(shape), DType::kInt64);
  }
  Value* positions(SymInt n) { return input("positions", ints({std::move(n)})); }
  Value* update(SymInt n) { return input("update", type({1, 2, std::move(n), 8})); }
  ir::TensorType cache_type() const { return type({sizes.begin(), sizes.end()}); }

  Value* copy(Value* positions, Value* update, int64_t dim = 2) {
    return call("aten.index_copy.default", {cache, SymInt(dim), positions, update}, cache_type(),
                "next");
  }
  Value* put(Value* positions, Value* update) {
    return call("aten.index_put.default",
                {cache, std::vector<Value*>{nullptr, nullptr, positions}, update, false},
                cache_type(), "next");
  }
  Value* range(SymInt n) {
    return call("aten.arange.start_step", {SymInt(0), n, SymInt(1)}, ints({n}), "range");
  }

  // The cache holds the value after the run.
  std::vector<std::string> types_with(Value* next) {
    graph().outputs().insert(graph().outputs().begin(), next);
    program.outputs.insert(program.outputs.begin(), {ir::OutputKind::kBufferMutation, "cache"});
    return types();
  }
  std::vector<std::string> types() {
    const auto lowered = lower(program, options);
    EXPECT_TRUE(lowered.ok()) << (lowered.ok() ? "" : lowered.error().message());
    std::vector<std::string> result;
    if (!lowered.ok()) return result;
    for (const Node& node : lowered->nodes) result.push_back(node.op_type);
    return result;
  }
};

bool is_update(const std::vector<std::string>& types) {
  const auto has = [&](const char* type) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  EXPECT_NE(has("TensorScatter"), has("ScatterND") || has("ScatterElements"));
  return has("TensorScatter");
}

TEST(KvCache, OnePositionIsWrittenInPlace) {
  Decoder copy;
  EXPECT_TRUE(is_update(copy.types_with(copy.copy(copy.positions(1), copy.update(1)))));
  Decoder from_behind;
  EXPECT_TRUE(is_update(from_behind.types_with(from_behind.copy(from_behind.positions(1),  //
                                                                from_behind.update(1), -2))));
  Decoder put;
  const auto types = put.types_with(put.put(put.positions(1), put.update(1)));
  EXPECT_TRUE(is_update(types));
  // It may count from the end.
  EXPECT_NE(std::find(types.begin(), types.end(), "Where"), types.end());
  Decoder scalar;
  Value* position = scalar.input("position", Decoder::ints({}));
  Value* update = scalar.input("update", Decoder::type({1, 2, 8}));
  EXPECT_TRUE(is_update(scalar.types_with(scalar.put(position, update))));
}

TEST(KvCache, RangesAreWrittenInPlace) {
  Decoder start;
  EXPECT_TRUE(is_update(start.types_with(start.put(start.range(3), start.update(3)))));
  Decoder dynamic;
  const SymInt n = SymInt::symbol("s0");
  dynamic.program.ranges["s0"] = {1, 8};
  EXPECT_TRUE(is_update(dynamic.types_with(dynamic.copy(dynamic.range(n), dynamic.update(n)))));

  for (const bool is_copy : {true, false}) {
    Decoder moved;
    Value* positions =
        moved.call("aten.add.Tensor", {moved.range(3), moved.positions(1), SymInt(1)},
                   Decoder::ints({3}), "sum");
    Value* update = moved.update(3);
    // Where negative ones count from the end, -1 and 0 don't follow each other.
    EXPECT_EQ(is_update(moved.types_with(is_copy ? moved.copy(positions, update)
                                                 : moved.put(positions, update))),
              is_copy);
  }
}

TEST(KvCache, OtherPositionsAreNot) {
  Decoder unknown;
  EXPECT_FALSE(is_update(unknown.types_with(unknown.copy(unknown.positions(3),  //
                                                         unknown.update(3)))));
  Decoder steps;
  Value* even = steps.call("aten.arange.start_step", {SymInt(0), SymInt(6), SymInt(2)},
                           Decoder::ints({3}), "even");
  EXPECT_FALSE(is_update(steps.types_with(steps.copy(even, steps.update(3)))));
  Decoder doubled;
  Value* sum = doubled.call("aten.add.Tensor", {doubled.range(3), doubled.range(3), SymInt(1)},
                            Decoder::ints({3}), "sum");
  EXPECT_FALSE(is_update(doubled.types_with(doubled.copy(sum, doubled.update(3)))));
  Decoder scaled;
  Value* far = scaled.call("aten.add.Tensor", {scaled.positions(1), scaled.range(3), SymInt(2)},
                           Decoder::ints({3}), "far");
  EXPECT_FALSE(is_update(scaled.types_with(scaled.copy(far, scaled.update(3)))));
  Decoder negative;
  Value* below = negative.call("aten.arange.start_step", {SymInt(-1), SymInt(2), SymInt(1)},
                               Decoder::ints({3}), "below");
  EXPECT_FALSE(is_update(negative.types_with(negative.put(below, negative.update(3)))));
}

TEST(KvCache, OnlyABufferThatNothingElseReads) {
  Decoder plain;
  plain.output(plain.copy(plain.positions(1), plain.update(1)));
  EXPECT_FALSE(is_update(plain.types()));

  Decoder read;
  Value* next = read.copy(read.positions(1), read.update(1));
  read.output(read.call("aten.relu.default", {read.cache}, read.cache_type(), "old"));
  EXPECT_FALSE(is_update(read.types_with(next)));

  Decoder returned;
  next = returned.copy(returned.positions(1), returned.update(1));
  returned.output(returned.cache);
  EXPECT_FALSE(is_update(returned.types_with(next)));

  // What reads the result sees the new one.
  Decoder used;
  next = used.copy(used.positions(1), used.update(1));
  used.output(used.call("aten.relu.default", {next}, used.cache_type(), "new"));
  EXPECT_TRUE(is_update(used.types_with(next)));
}

TEST(KvCache, OnlyFormsThatTensorrtHas) {
  Decoder batch({2, 1, kLength, 8});
  batch.cache = batch.buffer("other", Decoder::count({2, kLength, 1, 8}, {128, 8, 8, 1}, 0, 256));
  batch.sizes = {2, kLength, 1, 8};
  Value* update = batch.input("update", Decoder::type({2, 1, 1, 8}));
  Value* next = batch.copy(batch.positions(1), update, 1);
  batch.graph().outputs().emplace_back(next);
  batch.program.outputs.push_back({ir::OutputKind::kBufferMutation, "other"});
  EXPECT_FALSE(is_update(batch.types()));

  Decoder unasked;
  unasked.options.fused.erase("TensorScatter");
  EXPECT_FALSE(
      is_update(unasked.types_with(unasked.copy(unasked.positions(1), unasked.update(1)))));
}

}  // namespace
}  // namespace slipway::onnx
