#include "cuda/builder/generator_test.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::cuda {
namespace {

using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const SymInt kRows = SymInt::symbol("s0");

TEST(GeneratorTest, WhatIsPointwiseBecomesOneKernel) {
  Maker m;
  m.input("x", {kRows, 4});
  m.input("y", {4});
  m.node("Add", {"x", "y"}, "sum");
  m.node("Exp", {"sum"}, "exp");
  m.node("Mul", {"exp", "x"}, "result");
  m.output("result", {kRows, 4});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  ASSERT_EQ(made.engine.steps.size(), 1U);
  EXPECT_EQ(made.engine.buffers.size(), 3U);  // nothing between the inputs and the output
  EXPECT_THAT(made.kernels, HasSubstr("s_exp("));
}

TEST(GeneratorTest, IntegersOfEqualDistancesAreComputed) {
  const auto kernels = [](DType dtype, const std::vector<int64_t>& numbers) {
    Maker m;
    const auto count = static_cast<int64_t>(numbers.size());
    m.input("x", {count, 1}, dtype);
    if (dtype == DType::kInt64) {
      m.constant("numbers", dtype, {count, 1}, numbers);
    } else {
      m.constant("numbers", dtype, {count, 1},
                 std::vector<int32_t>(numbers.begin(), numbers.end()));
    }
    m.node("Sub", {"x", "numbers"}, "result");
    m.output("result", {count, 1}, dtype);
    const Generated made = generate(m.graph);
    EXPECT_TRUE(made.refusals.empty());
    return made.engine.constant_bytes == 0 ? made.kernels : "";
  };
  EXPECT_THAT(kernels(DType::kInt64, {0, 1, 2, 3, 4, 5}), HasSubstr("((long long)t0)"));
  EXPECT_THAT(kernels(DType::kInt32, {7, 5, 3, 1, -1}), HasSubstr("((int)((t0 * -2) + 7))"));
  EXPECT_THAT(kernels(DType::kInt64, {9, 9, 9, 9, 9}), HasSubstr("((long long)9)"));
  EXPECT_EQ(kernels(DType::kInt64, {0, 1, 2, 3, 5}), "");
  EXPECT_EQ(kernels(DType::kInt64, {1, 0, 1, 0, 1}), "");
  // 32 bits have no room for that.
  EXPECT_EQ(kernels(DType::kInt64, {0, 1 << 30, int64_t{1} << 31, 3LL << 30, 1LL << 32}), "");
  EXPECT_EQ(kernels(DType::kInt32, {INT32_MIN, -1, INT32_MAX - 1}), "");
}

TEST(GeneratorTest, WhatFollowsAReductionIsInItsKernel) {
  Maker m;
  m.input("x", {8, 1000});
  m.integers("axes", {1});
  m.node("ReduceMean", {"x", "axes"}, "mean", {{"keepdims", int64_t{1}}});
  m.node("Sqrt", {"mean"}, "result");
  m.output("result", {8, 1});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  EXPECT_EQ(made.engine.steps.size(), 1U);
  EXPECT_THAT(made.kernels, HasSubstr("S_BLOCK_REDUCE"));
}

TEST(GeneratorTest, WhatHasSeveralReadersIsComputedOnce) {
  Maker m;
  m.input("x", {16});
  m.node("Exp", {"x"}, "exp");
  m.node("Sin", {"exp"}, "sin");
  m.node("Cos", {"exp"}, "cos");
  m.node("Tanh", {"exp"}, "tanh");
  for (const char* name : {"sin", "cos", "tanh"}) m.output(name, {16});
  m.node("Exp", {"exp"}, "again");
  m.output("again", {16});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  // One function is cheap enough to be computed by each reader.
  EXPECT_EQ(made.engine.steps.size(), 4U);

  m.node("Gelu", {"sin"}, "gelu");
  m.graph.outputs.clear();
  m.node("Sin", {"gelu"}, "a");
  m.node("Cos", {"gelu"}, "b");
  m.output("a", {16});
  m.output("b", {16});
  EXPECT_EQ(generate(m.graph).engine.steps.size(), 3U);
}

TEST(GeneratorTest, EqualKernelsAreThereOnce) {
  Maker m;
  m.input("x", {16});
  m.input("y", {16});
  m.node("Sin", {"x"}, "a");
  m.node("Sin", {"y"}, "b");
  m.output("a", {16});
  m.output("b", {16});
  const Generated made = generate(m.graph);
  EXPECT_EQ(made.engine.steps.size(), 2U);
  EXPECT_THAT(made.engine.kernels, ElementsAre("k0"));
}

TEST(GeneratorTest, SizesAreNotComputedByKernels) {
  Maker m;
  m.input("x", {kRows, 6});
  m.integers("first", {0});
  m.integers("two", {2});
  m.integers("rest", {3});
  m.node("Shape", {"x"}, "shape");
  m.node("Gather", {"shape", "first"}, "rows", {{"axis", int64_t{0}}});
  m.node("Mul", {"rows", "two"}, "double");
  m.node("Concat", {"double", "rest"}, "target", {{"axis", int64_t{0}}});
  m.node("Reshape", {"x", "target"}, "result");
  m.output("result", {kRows * 2, 3});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  EXPECT_EQ(made.engine.steps.size(), 1U);
}

TEST(GeneratorTest, RefusesSizesThatDataDecides) {
  Maker m;
  m.input("x", {4});
  m.input("shape", {2}, DType::kInt64);
  m.node("Reshape", {"x", "shape"}, "result");
  m.node("Exp", {"result"}, "exp");
  m.output("exp", {2, 2});
  const Generated made = generate(m.graph);
  ASSERT_EQ(made.refusals.size(), 1U);  // and not what reads it
  EXPECT_EQ(made.refusals.front().origin, "result");
  EXPECT_THAT(made.refusals.front().reason, HasSubstr("known only from data"));
}

TEST(GeneratorTest, RefusesOperatorsAndTypesWithoutKernels) {
  Maker m;
  m.input("x", {4});
  m.input("y", {4}, DType::kFloat8E5M2);
  m.node("NonZero", {"x"}, "places");
  m.node("Identity", {"y"}, "copy");
  m.output("places", {1, 4}, DType::kInt64);
  m.output("copy", {4}, DType::kFloat8E5M2);
  const Generated made = generate(m.graph);
  ASSERT_EQ(made.refusals.size(), 2U);
  EXPECT_THAT(made.refusals[0].reason, HasSubstr("no kernel computes NonZero"));
  EXPECT_THAT(made.refusals[1].reason, HasSubstr("no kernels of float8_e5m2"));
}

TEST(GeneratorTest, IndicesOutOfRangeSetAFlag) {
  Maker m;
  m.input("x", {4, 2});
  m.input("index", {3}, DType::kInt64);
  m.node("Gather", {"x", "index"}, "result", {{"axis", int64_t{0}}});
  m.output("result", {3, 2});
  const Generated made = generate(m.graph);
  EXPECT_THAT(made.engine.flags, ElementsAre("an index is out of range"));

  Maker known;
  known.input("x", {4, 2});
  known.integers("index", {3, 0, 1});
  known.node("Gather", {"x", "index"}, "result", {{"axis", int64_t{0}}});
  known.output("result", {3, 2});
  EXPECT_TRUE(generate(known.graph).engine.flags.empty());
}

TEST(GeneratorTest, LargeProductsAreTiledAndSmallOnesAreNot) {
  Maker m;
  m.input("a", {kRows, 64});
  m.input("b", {64, 32});
  m.node("MatMul", {"a", "b"}, "result");
  m.output("result", {kRows, 32});
  const Generated made = generate(m.graph);
  EXPECT_THAT(made.kernels, HasSubstr("s_tiled_product<"));
  EXPECT_THAT(made.kernels, HasSubstr("s_float_sums<"));
  // The caller's memory may lie anywhere.
  EXPECT_THAT(made.kernels, HasSubstr("& 15) == 0, at_a"));

  Maker small;
  small.input("a", {2, 3});
  small.input("b", {3, 2});
  small.node("MatMul", {"a", "b"}, "result");
  small.output("result", {2, 2});
  EXPECT_THAT(generate(small.graph).kernels, Not(HasSubstr("s_tiled_product<")));
}

TEST(GeneratorTest, ProductsOfHalvesReadAndLeaveHalves) {
  for (const DType type : {DType::kFloat16, DType::kBFloat16}) {
    Maker m;
    m.input("x", {128, 64}, type);
    m.input("w", {96, 64}, type);
    m.node("Cast", {"x"}, "a", {{"to", int64_t{1}}});
    m.node("Transpose", {"w"}, "t");
    m.node("Cast", {"t"}, "b", {{"to", int64_t{1}}});
    m.node("MatMul", {"a", "b"}, "sums");
    add_half(m, "sums", "product", type);
    m.node("Softmax", {"product"}, "result");
    m.output("result", {128, 96});
    const Generated made = generate(m.graph);
    EXPECT_TRUE(made.refusals.empty());
    // Nothing copies the transposed weights.
    ASSERT_EQ(made.engine.steps.size(), 2U);
    EXPECT_THAT(made.kernels, HasSubstr(type == DType::kFloat16 ? "s_float16_product, Tile_a"
                                                                : "s_bfloat16_product, Tile_a"));
    const table::LaunchT& first = *made.engine.steps.front().AsLaunch();
    EXPECT_GT(first.shared_bytes, 0U);
    const uint32_t bytes = made.engine.buffers.at(first.writes.at(0))->bytes;
    EXPECT_EQ(made.engine.numbers.at(bytes)->value, 128 * 96 * 2);
  }
}

TEST(GeneratorTest, ProductsOfFewRowsReadTheMatrixByVectors) {
  for (const bool is_along_k : {false, true}) {
    Maker m;
    m.input("a", {3, 64});
    m.input("b", is_along_k ? Sizes{48, 64} : Sizes{64, 48});
    if (is_along_k) m.node("Transpose", {"b"}, "t");
    m.node("MatMul", {"a", is_along_k ? "t" : "b"}, "result");
    m.output("result", {3, 48});
    const Generated made = generate(m.graph);
    ASSERT_EQ(made.engine.steps.size(), 1U);
    EXPECT_THAT(made.kernels,
                HasSubstr(is_along_k ? "s_thin_along_k<4, 4, 3,"
                                     : "s_thin_along_columns<s_float32_elements, 3,"));
  }
  // A few columns are a few rows of the transposed product; rows that are no whole vectors are
  // none.
  Maker columns;
  columns.input("a", {48, 64});
  columns.input("b", {64, 3});
  columns.node("MatMul", {"a", "b"}, "result");
  columns.output("result", {48, 3});
  EXPECT_THAT(generate(columns.graph).kernels, HasSubstr("s_thin_along_k<4, 4, 3,"));
  Maker odd;
  odd.input("a", {3, 63});
  odd.input("b", {63, 49});
  odd.node("MatMul", {"a", "b"}, "result");
  odd.output("result", {3, 49});
  EXPECT_THAT(generate(odd.graph).kernels, Not(HasSubstr("s_thin_along")));
}

// A product of `rows` rows and weights of [48, 128], which are codes less zero points, times
// scales, in groups of so many.
Maker product_of_codes(const SymInt& rows, int64_t group, int8_t least, int8_t most) {
  Maker m;
  m.input("a", {rows, 128});
  const int64_t groups = 128 / group;
  std::vector<int8_t> codes(48 * 128);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = i % 2 == 0 ? least : most;
  m.constant("codes", DType::kInt8, {48, groups, group}, codes);
  m.constant("zeros", DType::kInt8, {48, groups, 1}, std::vector<int8_t>(48 * 128 / group, 1));
  m.constant("scales", DType::kFloat32, {48, groups, 1}, std::vector<float>(48 * 128 / group, 2));
  m.integers("sizes", {48, 128});
  m.node("Cast", {"codes"}, "reals", {{"to", int64_t{1}}});
  m.node("Cast", {"zeros"}, "real_zeros", {{"to", int64_t{1}}});
  m.node("Sub", {"reals", "real_zeros"}, "steps");
  m.node("Mul", {"steps", "scales"}, "scaled");
  m.node("Reshape", {"scaled", "sizes"}, "weights");
  m.node("Transpose", {"weights"}, "transposed");
  m.node("MatMul", {"a", "transposed"}, "result");
  m.output("result", {rows, 48});
  return m;
}

TEST(GeneratorTest, WeightsOfFewBitsArePacked) {
  const auto constants = [](const Generated& made) {
    std::vector<int64_t> bytes;
    for (const auto& buffer : made.engine.buffers) {
      if (buffer->home != table::Home::Constant) continue;
      bytes.push_back(made.engine.numbers.at(buffer->bytes)->value);
    }
    return bytes;
  };
  const Generated four = generate(product_of_codes(3, 32, -8, 7).graph);
  ASSERT_EQ(four.engine.steps.size(), 1U);
  EXPECT_THAT(four.kernels, HasSubstr("s_thin_along_k<32, 8, 3,"));
  EXPECT_THAT(constants(four), ElementsAre(48 * 128 / 2, 48 * 4, 48 * 4 * 4));
  // One code more than 4 bits have.
  const Generated eight = generate(product_of_codes(3, 32, -8, 8).graph);
  ASSERT_EQ(eight.engine.steps.size(), 1U);
  EXPECT_THAT(eight.kernels, HasSubstr("s_thin_along_k<16, 8, 3,"));
  EXPECT_THAT(constants(eight), ElementsAre(48 * 128, 48 * 4, 48 * 4 * 4));
  // Groups that whole vectors of 4 bits do not fit into.
  EXPECT_THAT(generate(product_of_codes(3, 16, -8, 7).graph).kernels,
              HasSubstr("s_thin_along_k<16, 8, 3,"));
  // As PT2E leaves them.
  Maker columns;
  columns.input("a", {3, 128});
  columns.constant("codes", DType::kInt8, {48, 128}, std::vector<int8_t>(48 * 128, 100));
  columns.constant("scales", DType::kFloat32, {48}, std::vector<float>(48, 2));
  columns.node("DequantizeLinear", {"codes", "scales"}, "weights", {{"axis", int64_t{0}}});
  columns.node("Gemm", {"a", "weights"}, "result", {{"transB", int64_t{1}}});
  columns.output("result", {3, 48});
  const Generated of_columns = generate(columns.graph);
  ASSERT_EQ(of_columns.engine.steps.size(), 1U);
  EXPECT_THAT(of_columns.kernels, HasSubstr("s_thin_along_k<16, 8, 3,"));
  EXPECT_THAT(constants(of_columns), ElementsAre(48 * 128, 48 * 4));
  // Of shorter groups, or of many rows, the weights are written out by a kernel of their own.
  EXPECT_EQ(generate(product_of_codes(3, 8, -8, 7).graph).engine.steps.size(), 2U);
  EXPECT_EQ(generate(product_of_codes(64, 32, -8, 7).graph).engine.steps.size(), 2U);
  EXPECT_EQ(generate(product_of_codes(kRows, 32, -8, 7).graph).engine.steps.size(), 2U);
}

TEST(GeneratorTest, ScalesOfColumnsMayBeComputed) {
  for (const char* op : {"DequantizeLinear", "QuantizeLinear"}) {
    const bool reads_codes = op == std::string("DequantizeLinear");
    Maker m;
    m.input("x", {8, 48}, reads_codes ? DType::kInt8 : DType::kFloat32);
    m.input("y", {100, 48});
    m.integers("axes", {0});
    m.constant("zeros", DType::kInt8, {48}, std::vector<int8_t>(48, 3));
    m.node("ReduceMax", {"y", "axes"}, "scales", {{"keepdims", int64_t{0}}});
    m.node(op, {"x", "scales", "zeros"}, "result", {{"axis", int64_t{1}}});
    m.output("result", {8, 48}, reads_codes ? DType::kFloat32 : DType::kInt8);
    const Generated made = generate(m.graph);
    EXPECT_TRUE(made.refusals.empty());
    EXPECT_EQ(made.engine.steps.size(), 2U) << op;
    EXPECT_THAT(made.kernels, Not(HasSubstr("#error"))) << op;
  }
}

// softmax(q k / 8 + mask) v, of k transposed, in the type. Each head of keys and values serves two
// of the queries'.
Maker attention(DType type, const SymInt& queries, int64_t keys) {
  Maker m;
  m.input("q_half", {1, 4, queries, 32}, type);
  m.input("k_half", {1, 2, keys, 32}, type);
  m.input("v_half", {1, 2, keys, 32}, type);
  m.input("mask", {queries, keys});
  m.constant("scale", DType::kFloat32, {}, std::vector<float>{0.125F});
  m.integers("axis", {2});
  m.integers("twice", {1, 1, 2, 1, 1});
  m.integers("heads", {1, 4, keys, 32});
  const auto to_float = int64_t{1};
  m.node("Cast", {"q_half"}, "q", {{"to", to_float}});
  m.node("Mul", {"q", "scale"}, "scaled");
  for (const std::string name : {"k", "v"}) {
    m.node("Cast", {name + "_half"}, name, {{"to", to_float}});
    m.node("Unsqueeze", {name, "axis"}, name + "_apart");
    m.node("Expand", {name + "_apart", "twice"}, name + "_twice");
    m.node("Reshape", {name + "_twice", "heads"}, name + "_heads");
  }
  m.node("Transpose", {"k_heads"}, "k_turned", {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  m.node("MatMul", {"scaled", "k_turned"}, "products");
  m.node("Add", {"products", "mask"}, "scores");
  m.node("Softmax", {"scores"}, "weights");
  m.node("MatMul", {"weights", "v_heads"}, "result");
  m.output("result", {1, 4, queries, 32});
  return m;
}

TEST(GeneratorTest, AttentionOfHalvesIsOneKernel) {
  for (const SymInt& queries : {SymInt(128), kRows}) {
    const Generated made = generate(attention(DType::kBFloat16, queries, 128).graph);
    EXPECT_TRUE(made.refusals.empty());
    ASSERT_EQ(made.engine.steps.size(), 1U);
    EXPECT_THAT(made.kernels, HasSubstr("s_attention<s_bfloat16_product,"));
    // Scores go into their softmax as they are computed.
    EXPECT_THAT(made.kernels, HasSubstr("const auto score ="));
  }
}

TEST(GeneratorTest, AttentionLiesAsWhatPutsItsHeadsTogetherReadsIt) {
  Maker m = attention(DType::kFloat16, 128, 128);
  m.graph.outputs.clear();
  add_half(m, "result", "half", DType::kFloat16);
  m.node("Transpose", {"half"}, "turned", {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  m.integers("together", {1, 128, 128});
  m.node("Reshape", {"turned", "together"}, "tokens");
  m.input("w", {128, 64}, DType::kFloat16);
  m.node("Cast", {"w"}, "weights_of_layer", {{"to", int64_t{1}}});
  m.node("MatMul", {"tokens", "weights_of_layer"}, "layer");
  m.output("layer", {1, 128, 64});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.refusals.empty());
  ASSERT_EQ(made.engine.steps.size(), 2U);
  EXPECT_THAT(made.kernels, HasSubstr("s_load_vectors<Tile_a"));
}

TEST(GeneratorTest, AttentionOfOneQueryIsSplitOverTheKeys) {
  const Generated made = generate(attention(DType::kFloat16, 1, 2048).graph);
  ASSERT_EQ(made.engine.steps.size(), 2U);
  EXPECT_EQ(made.engine.steps[0].AsLaunch()->writes.size(), 3U);
  EXPECT_EQ(made.engine.steps[1].AsLaunch()->reads.size(), 3U);
  // Queries that fill a GPU are not.
  EXPECT_EQ(generate(attention(DType::kFloat16, 2112, 2048).graph).engine.steps.size(), 1U);
}

TEST(GeneratorTest, WhatIsNoAttentionOfHalvesHasKernelsOfItsOwn) {
  const auto changed = [](const std::string& output) {
    Maker m = attention(DType::kFloat16, 128, 128);
    if (!output.empty()) m.output(output, {1, 4, 128, 128});
    return generate(m.graph);
  };
  EXPECT_THAT(changed("").kernels, HasSubstr("s_attention<"));
  for (const char* output : {"products", "scores", "weights"}) {
    const Generated made = changed(output);
    EXPECT_TRUE(made.refusals.empty());
    EXPECT_THAT(made.kernels, Not(HasSubstr("s_attention<")));
    EXPECT_THAT(made.kernels, HasSubstr("s_tiled_product<"));
  }
  EXPECT_THAT(generate(attention(DType::kFloat32, 128, 128).graph).kernels,
              Not(HasSubstr("s_attention<")));
}

// Of weights alone: activations are there once earlier kernels have ended.
TEST(GeneratorTest, LargeProductsOfHalvesHaveSwizzledTilesAndLoadConstantsAhead) {
  for (const bool is_constant : {false, true}) {
    Maker m;
    m.input("x", {1024, 512}, DType::kFloat16);
    if (is_constant) {
      m.constant("w", DType::kFloat16, {1024, 512}, std::vector<uint16_t>(1024 * 512));
    } else {
      m.input("w", {1024, 512}, DType::kFloat16);
    }
    m.node("Cast", {"x"}, "a", {{"to", int64_t{1}}});
    m.node("Transpose", {"w"}, "t");
    m.node("Cast", {"t"}, "b", {{"to", int64_t{1}}});
    m.node("MatMul", {"a", "b"}, "result");
    m.output("result", {1024, 1024});
    const Generated made = generate(m.graph);
    EXPECT_TRUE(made.refusals.empty());
    ASSERT_EQ(made.engine.steps.size(), 1U);
    EXPECT_THAT(made.kernels, HasSubstr("s_group_sums<s_float16_product, 64>"));
    EXPECT_THAT(made.kernels, HasSubstr("typedef s_swizzled_tile<unsigned short, 64> Tile_b"));
    EXPECT_THAT(made.kernels,
                HasSubstr(is_constant ? "4, 256, true, 1, Index>(" : "4, 256, false, 1, Index>("));
    EXPECT_THAT(made.kernels, Not(HasSubstr("  s_wait_for_earlier();")));  // the product does it
  }
}

// Of what lies where the engine has put it: maps of matrices need that.
// What a product's sums are put with is loaded eight at a time where it follows them.
TEST(GeneratorTest, WhatFollowsSumsIsLoadedAndStoredInVectors) {
  for (const bool follows : {false, true}) {
    Maker m;
    m.input("x", {256, 32});
    m.input("w", {32, 256});
    m.constant("c", DType::kFloat32, {follows ? 1 : 256, follows ? 256 : 1},
               std::vector<float>(256));
    m.node("MatMul", {"x", "w"}, "sums");
    m.node("Add", {"sums", "c"}, "result");
    m.output("result", {256, 256});
    const std::string kernels = generate(m.graph).kernels;
    EXPECT_THAT(kernels, HasSubstr("s_stores<float, Index, false> r"));
    const auto loads = HasSubstr("s_loads<float, Index, true> r");
    if (follows) {
      EXPECT_THAT(kernels, loads);
    } else {
      EXPECT_THAT(kernels, Not(loads));
    }
  }
}

TEST(GeneratorTest, LargeProductsOfHalvesAreMadeByClustersForHopperAlone) {
  for (const bool is_of_caller : {false, true}) {
    Maker m;
    m.input("x", {512, 512}, is_of_caller ? DType::kFloat16 : DType::kFloat32);
    m.constant("w", DType::kFloat16, {4096, 512}, std::vector<uint16_t>(4096 * 512));
    if (is_of_caller) m.node("Cast", {"x"}, "a", {{"to", int64_t{1}}});
    if (!is_of_caller) add_half(m, "x", "a", DType::kFloat16);
    m.node("Transpose", {"w"}, "t");
    m.node("Cast", {"t"}, "b", {{"to", int64_t{1}}});
    m.node("MatMul", {"a", "b"}, "result");
    m.output("result", {512, 4096});
    EXPECT_THAT(generate(m.graph).kernels, Not(HasSubstr("s_cluster_product<")));
    const Generated made = generate(m.graph, true);
    EXPECT_TRUE(made.refusals.empty());
    if (is_of_caller) {
      EXPECT_THAT(made.kernels, Not(HasSubstr("s_cluster_product<")));
      continue;
    }
    EXPECT_THAT(made.kernels, HasSubstr("S_CLUSTER("));
    EXPECT_THAT(made.kernels, HasSubstr("s_cluster_product<s_float16_product, "));
    EXPECT_EQ(made.engine.steps.back().AsLaunch()->block.front(), 384U);
  }
}

TEST(GeneratorTest, KernelsWaitForEarlierOnes) {
  Maker m;
  m.input("x", {4});
  m.node("Exp", {"x"}, "result");
  m.output("result", {4});
  const Generated made = generate(m.graph);
  EXPECT_TRUE(made.engine.overlaps);
  EXPECT_THAT(made.kernels, HasSubstr("{\n  typedef int Index;\n  s_wait_for_earlier();\n"));
}

TEST(GeneratorTest, LongSumsOfFewTilesAreSplit) {
  Maker m;
  m.input("a", {16, 4096});
  m.input("b", {4096, 64});
  m.node("MatMul", {"a", "b"}, "result");
  m.output("result", {16, 64});
  const Generated made = generate(m.graph);
  ASSERT_EQ(made.engine.steps.size(), 2U);
  EXPECT_EQ(made.engine.steps[0].AsLaunch()->writes, made.engine.steps[1].AsLaunch()->reads);
}

}  // namespace
}  // namespace slipway::cuda
