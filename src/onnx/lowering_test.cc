#include "onnx/lowering.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "ir/call_test.h"
#include "ir/op_builder.h"
#include "onnx/graph_maker_test.h"
#include "onnx/registry.h"
#include "schema/schema.h"

namespace slipway::onnx {
namespace {

using ir::OpBuilder;
using ir::SymInt;
using ir::TensorType;
using ir::Value;

// A program of float32 inputs, for tests to add nodes to.
struct Small {
  ir::Program program;
  OpBuilder build{*program.graph, nullptr, nullptr};

  Value* input(const std::string& name, Sizes sizes, DType dtype = DType::kFloat32) {
    ir::Input entry;
    entry.kind = ir::InputKind::kUserInput;
    entry.name = name;
    entry.value = program.graph->add_input(name, TensorType{dtype, std::move(sizes), {}});
    program.inputs.push_back(entry);
    return entry.value;
  }
  void output(Value* value) {
    program.graph->outputs().emplace_back(value);
    program.outputs.push_back({});
  }
  Graph lower(const LoweringOptions& options = {}) {
    auto graph = onnx::lower(program, options);
    EXPECT_TRUE(graph.ok()) << (graph.ok() ? "" : graph.error().message());
    return graph.ok() ? std::move(*graph) : Graph{};
  }
};

std::set<std::string> lines_of(const std::string& name) {
  std::ifstream file(std::string(SLIPWAY_TEST_DATA) + "/onnx/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::set<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.insert(line);
  return lines;
}

// Either it is lowered or there is a reason; what matters is that nothing past an end is read.
TEST(Registry, RulesTakeCallsThatDoNotFit) {
  size_t count = 0;
  size_t refused = 0;
  for (const Family& family : families()) {
    for (const Entry& entry : family.entries) {
      for (const std::string& target : targets(entry)) {
        const auto* schema = schema::find_operator(target);
        if (!schema) continue;  // on symbolic numbers
        ir::UncheckedCall::for_each(*schema, [&](const ir::UncheckedCall& call) {
          ir::Program program;
          const ir::Node* node = call.add(*program.graph, *schema);
          ++count;
          if (const auto reason = why_unsupported(program, *node, {})) {
            ++refused;
            EXPECT_FALSE(reason->empty()) << target << ": " << call.to_string();
          }
        });
      }
    }
  }
  EXPECT_GT(refused, 0U);
  EXPECT_LT(refused, count);
}

TEST(Registry, CoversWellKnownModels) {
  for (const std::string& target : lines_of("model_operators.txt")) {
    EXPECT_NE(find_entry(target), nullptr) << target;
  }
}

TEST(Registry, CoversCoreOperatorsButForTheExceptions) {
  std::set<std::string> left_out;
  for (const Exception& exception : exceptions()) {
    EXPECT_STRNE(exception.reason, "");
    for (const std::string& target : targets({exception.targets, nullptr})) left_out.insert(target);
  }
  const auto core = lines_of("core_operators.txt");
  EXPECT_GT(core.size(), 150U);
  for (const std::string& target : core) {
    EXPECT_NE(find_entry(target) != nullptr, left_out.contains(target)) << target;
  }
  for (const std::string& target : left_out) EXPECT_TRUE(core.contains(target)) << target;
}

TEST(Registry, HasEachOperatorOnce) {
  std::set<std::string> seen;
  for (const Family& family : families()) {
    for (const Entry& entry : family.entries) {
      for (const std::string& target : targets(entry)) {
        EXPECT_TRUE(seen.insert(target).second) << target;
      }
    }
  }
}

TEST(Registry, IsDocumented) {
  std::ifstream file(std::string(SLIPWAY_TEST_DATA) + "/../../docs/operators_onnx.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  if (page == document_operators()) return;
  const std::string fresh = testing::TempDir() + "operators_onnx.md";
  std::ofstream(fresh) << document_operators();
  ADD_FAILURE() << "docs/operators_onnx.md is not what the registry holds: copy " << fresh;
}

TEST(Lower, NamesValuesAndCarriesTheirOrigin) {
  Small small;
  Value* x = small.input("x", {2, 3});
  Value* y = small.build.relu(x);
  small.output(y);
  const Graph graph = small.lower();
  ASSERT_EQ(graph.nodes.size(), 1U);
  EXPECT_EQ(graph.nodes[0].op_type, "Relu");
  EXPECT_EQ(graph.nodes[0].inputs, std::vector<std::string>{"x"});
  EXPECT_EQ(graph.nodes[0].outputs, std::vector<std::string>{y->name()});
  EXPECT_EQ(graph.nodes[0].target, "aten.relu.default");
  ASSERT_EQ(graph.outputs.size(), 1U);
  EXPECT_EQ(graph.outputs[0].name, y->name());
}

TEST(Lower, KeepsAShapeWithOneUnknownConstant) {
  Small small;
  const SymInt s = SymInt::symbol("s0");
  Value* x = small.input("x", {s, 3, 4});
  small.output(small.build.view(x, {s * 3, 4}));
  // The only constant is the shape [-1, 4].
  const Graph graph = small.lower();
  EXPECT_EQ(op_types(graph), std::vector<std::string>{"Reshape"});
  ASSERT_EQ(graph.initializers.size(), 1U);
  EXPECT_EQ(graph.initializers[0].sizes, std::vector<int64_t>{2});
}

TEST(Lower, ComputesSizesFromTheInputThatHasThem) {
  Small small;
  const SymInt s = SymInt::symbol("s0");
  Value* x = small.input("x", {2, s * 2 + 1});
  small.output(x);
  small.output(small.build.full({s, s + 4}, 1.0, DType::kFloat32));
  const Graph graph = small.lower();
  EXPECT_TRUE(graph.symbol_inputs.empty());
  // s = (dimension 1 of x - 1) / 2
  const auto types = op_types(graph);
  const std::vector<std::string> start = {"Shape", "Gather", "Sub", "Div"};
  ASSERT_GE(types.size(), start.size());
  EXPECT_TRUE(std::equal(start.begin(), start.end(), types.begin()));
}

TEST(Lower, TakesASymbolThatNoInputDefinesAsAnInput) {
  Small small;
  const SymInt s = SymInt::symbol("s0");
  Value* x = small.input("x", {2});
  small.output(x);
  small.output(small.build.full({s}, 1.0, DType::kFloat32));
  const Graph graph = small.lower();
  EXPECT_EQ(graph.symbol_inputs, std::vector<std::string>{"s0"});
  EXPECT_EQ(graph.inputs.back().name, "s0");
}

TEST(Lower, MakesAGridOfOneTensor) {
  for (const char* indexing : {"ij", "xy"}) {
    Small small;
    Value* x = small.input("x", {3});
    ir::Node* grid =
        small.build.node("aten.meshgrid.indexing", {std::vector<Value*>{x}, std::string(indexing)});
    small.output(small.program.graph->add_output(grid, TensorType{DType::kFloat32, {3}, {}}));
    EXPECT_EQ(small.lower().outputs.size(), 1u) << indexing;
  }
}

TEST(Lower, KeepsTheRangesOfTheSymbolsOfItsInputs) {
  Small small;
  small.program.ranges = {{"s0", {2, 64}}, {"s1", {0, 8}}};
  small.output(small.build.relu(small.input("x", {SymInt::symbol("s0") * 2, 3})));
  EXPECT_EQ(small.lower().ranges, (ir::SymbolRanges{{"s0", {2, 64}}}));
}

TEST(Lower, GivesAnOutputThatIsAnInputANodeOfItsOwn) {
  Small small;
  Value* x = small.input("x", {2});
  small.output(x);
  small.output(x);
  const Graph graph = small.lower();
  EXPECT_EQ(op_types(graph), (std::vector<std::string>{"Identity", "Identity"}));
  EXPECT_NE(graph.outputs[0].name, graph.outputs[1].name);
}

TEST(Lower, ListsEveryNodeThatItCannotLower) {
  Small small;
  Value* x = small.input("x", {2, 3});
  Value* a = small.build.call("aten.unknown_one.default", {x}, x->type());
  small.output(small.build.call("aten.unknown_two.default", {a}, x->type()));
  const auto graph = lower(small.program, LoweringOptions{});
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(graph.error().message().find("aten.unknown_one.default"), std::string::npos);
  EXPECT_NE(graph.error().message().find("aten.unknown_two.default"), std::string::npos);
}

TEST(Lower, ComputesSmallIntegersInWiderOnes) {
  Small small;
  Value* x = small.input("x", {2}, DType::kInt8);
  small.output(small.build.add(x, x));
  EXPECT_EQ(op_types(small.lower()), (std::vector<std::string>{"Cast", "Cast", "Add", "Cast"}));
}

// Counts of 32 bits would wrap round past 2^31 elements.
TEST(Lower, CountsInFloatsWhetherAnyHolds) {
  Small small;
  small.output(small.build.any(small.input("x", {65536, 65536}, DType::kBool)));
  const Graph graph = small.lower();
  ASSERT_EQ(op_types(graph), (std::vector<std::string>{"Cast", "ReduceSum", "Greater"}));
  const auto& [name, type] = graph.nodes[0].attributes.at(0);
  EXPECT_EQ(name, "to");
  EXPECT_EQ(std::get<int64_t>(type), onnx_type(DType::kFloat32));
}

TEST(Lower, LeavesFusedOperatorsWhole) {
  Small small;
  Value* x = small.input("x", {2, 3});
  small.output(small.build.gelu(x));
  EXPECT_EQ(op_types(small.lower()), std::vector<std::string>{"Gelu"});
  LoweringOptions parts;
  parts.fused.clear();
  const auto types = op_types(small.lower(parts));
  EXPECT_NE(std::find(types.begin(), types.end(), "Erf"), types.end());
}

TEST(Lower, FusesAttentionOnlyWhenAsked) {
  Small small;
  Value* q = small.input("q", {1, 2, 4, 8});
  const std::vector<ir::Argument> arguments = {q, q, q, ir::None{}, 0.0, true, ir::None{}, false};
  small.output(small.build.call("aten.scaled_dot_product_attention.default", arguments, q->type()));
  const auto plain = op_types(small.lower());
  EXPECT_EQ(std::count(plain.begin(), plain.end(), "MatMul"), 2);
  LoweringOptions fused;
  fused.opset = 23;
  fused.fused = {"Attention"};
  EXPECT_EQ(op_types(small.lower(fused)), std::vector<std::string>{"Attention"});
}

TEST(Lower, ClampsIndicesWhenAsked) {
  Small small;
  Value* x = small.input("x", {5, 7});
  Value* index = small.input("index", {2}, DType::kInt64);
  Value* rows = small.input("rows", {2, 7});
  small.output(small.build.call("aten.index_copy.default", {x, SymInt(0), index, rows}, x->type()));
  const std::vector<std::string> plain = {"Unsqueeze", "ScatterND"};
  EXPECT_EQ(op_types(small.lower()), plain);
  LoweringOptions clamped;
  clamped.clamp_indices = true;
  const Graph graph = small.lower(clamped);
  EXPECT_EQ(op_types(graph), (std::vector<std::string>{"Min", "Max", "Unsqueeze", "ScatterND"}));
}

TEST(Lower, AddsRowsWithoutScatterND) {
  Small small;
  Value* x = small.input("x", {5, 7});
  Value* index = small.input("index", {2}, DType::kInt64);
  Value* rows = small.input("rows", {2, 7});
  small.output(small.build.call("aten.index_add.default", {x, SymInt(0), index, rows, SymInt(1)},
                                x->type()));
  const auto types = op_types(small.lower());
  EXPECT_EQ(types.back(), "ScatterElements");
  EXPECT_EQ(std::count(types.begin(), types.end(), "ScatterND"), 0);
}

TEST(Lower, AddsBagsUpByTheOperatorThatIsNamedOrScatters) {
  const auto lowered = [](int64_t mode, const LoweringOptions& options) {
    Small small;
    Value* table = small.input("table", {10, 4});
    Value* index = small.input("index", {7}, DType::kInt64);
    Value* offsets = small.input("offsets", {3}, DType::kInt64);
    small.output(small.build.call("aten.embedding_bag.default",
                                  {table, index, offsets, false, SymInt(mode)},
                                  TensorType{DType::kFloat32, {3, 4}, {}}));
    const auto types = op_types(small.lower(options));
    return std::set<std::string>(types.begin(), types.end());
  };
  LoweringOptions named;
  named.fused = {"ATen"};
  for (const int64_t mode : {0, 1, 2}) {
    const auto types = lowered(mode, {});
    EXPECT_TRUE(types.contains("ScatterElements"));
    EXPECT_FALSE(types.contains("ATen") || types.contains("MatMul"));
    EXPECT_EQ(lowered(mode, named).contains("ATen"), mode < 2);
  }
}

TEST(Lower, KeepsInfiniteExtremaWhenAsked) {
  Small small;
  Value* x = small.input("x", {5, 7});
  small.output(small.build.call("aten.amax.default", {x, std::vector<SymInt>{1}, false},
                                TensorType{DType::kFloat32, {5}, {}}));
  EXPECT_EQ(op_types(small.lower()), std::vector<std::string>{"ReduceMax"});
  LoweringOptions kept;
  kept.keep_infinite_extrema = true;
  EXPECT_EQ(op_types(small.lower(kept)),
            (std::vector<std::string>{"ReduceMax", "Less", "Cast", "ReduceMax", "Equal", "Not",
                                      "Where"}));
}

struct Quantizing : Small {
  ir::Argument zero = SymInt(3);
  SymInt min = -128;
  SymInt max = 127;

  Value* quantize(Value* x, DType dtype = DType::kInt8) {
    return build.call("quantized_decomposed.quantize_per_tensor.default",
                      {x, 0.1, zero, min, max, dtype}, TensorType{dtype, x->sizes(), {}});
  }
  Value* dequantize(Value* q) {
    return build.call("quantized_decomposed.dequantize_per_tensor.default",
                      {q, 0.1, zero, min, max, q->dtype(), ir::None{}},
                      TensorType{DType::kFloat32, q->sizes(), {}});
  }
};

LoweringOptions holding(QuantizedValues form) {
  LoweringOptions options;
  options.quantized = form;
  return options;
}

// The one byte of the constant that a node takes as its zero point.
int zero_point_of(const Graph& graph, const std::string& op_type, DType dtype) {
  for (const Node& node : graph.nodes) {
    if (node.op_type != op_type) continue;
    if (node.inputs.size() < 3) return 0;
    for (const Initializer& initializer : graph.initializers) {
      if (initializer.name != node.inputs[2]) continue;
      EXPECT_EQ(initializer.dtype, dtype);
      EXPECT_EQ(initializer.data.size(), 1U);
      return std::to_integer<int>(initializer.data.span()->bytes[0]);
    }
  }
  ADD_FAILURE() << "no constant zero point of a " << op_type;
  return -1;
}

using Types = std::vector<std::string>;

TEST(Lower, HoldsQuantizedValuesAsUnsigned) {
  Quantizing small;
  small.output(small.dequantize(small.quantize(small.input("x", {5, 7}))));
  const Types pair = {"QuantizeLinear", "DequantizeLinear"};
  const auto as_given = small.lower();
  EXPECT_EQ(op_types(as_given), pair);
  EXPECT_EQ(zero_point_of(as_given, "QuantizeLinear", DType::kInt8), 3);
  EXPECT_EQ(zero_point_of(as_given, "DequantizeLinear", DType::kInt8), 3);
  const auto unsigned_form = small.lower(holding(QuantizedValues::kUnsigned));
  EXPECT_EQ(op_types(unsigned_form), pair);
  EXPECT_EQ(zero_point_of(unsigned_form, "QuantizeLinear", DType::kUInt8), 131);
  EXPECT_EQ(zero_point_of(unsigned_form, "DequantizeLinear", DType::kUInt8), 131);
}

// A zero point of 0 is left out where the values are read.
TEST(Lower, HoldsQuantizedValuesAsSymmetricOrFloat32) {
  Quantizing skewed;
  skewed.output(skewed.dequantize(skewed.quantize(skewed.input("x", {5, 7}))));
  for (const auto form : {QuantizedValues::kSymmetric, QuantizedValues::kFloat32}) {
    EXPECT_EQ(op_types(skewed.lower(holding(form))),
              (Types{"Mul", "Round", "Add", "Clip", "Sub", "Mul"}));
  }
  Quantizing symmetric;
  symmetric.zero = SymInt(0);
  symmetric.output(symmetric.dequantize(symmetric.quantize(symmetric.input("x", {5, 7}))));
  const auto graph = symmetric.lower(holding(QuantizedValues::kSymmetric));
  EXPECT_EQ(op_types(graph), (Types{"QuantizeLinear", "DequantizeLinear"}));
  EXPECT_EQ(zero_point_of(graph, "QuantizeLinear", DType::kInt8), 0);
  EXPECT_EQ(graph.nodes.back().inputs.size(), 2U);
  EXPECT_EQ(op_types(symmetric.lower(holding(QuantizedValues::kFloat32))).front(), "Mul");
  Quantizing bytes;
  bytes.zero = SymInt(0);
  bytes.min = 0;
  bytes.max = 255;
  bytes.output(bytes.dequantize(bytes.quantize(bytes.input("x", {5, 7}), DType::kUInt8)));
  EXPECT_EQ(op_types(bytes.lower(holding(QuantizedValues::kSymmetric))).front(), "Mul");
}

// Whatever reads them otherwise gets what PyTorch's own steps give, in their type.
TEST(Lower, QuantizesByStepsWhatIsReadOtherwise) {
  Quantizing small;
  Value* q = small.quantize(small.input("x", {5, 7}));
  small.output(small.dequantize(q));
  small.output(q);
  EXPECT_EQ(op_types(small.lower()).front(), "QuantizeLinear");
  for (const auto form : {QuantizedValues::kUnsigned, QuantizedValues::kSymmetric}) {
    const auto graph = small.lower(holding(form));
    EXPECT_EQ(op_types(graph), (Types{"Mul", "Round", "Add", "Clip", "Cast", "DequantizeLinear"}));
    EXPECT_EQ(graph.outputs.back().dtype, DType::kInt8);
  }
}

TEST(Lower, ClipsBeforeItQuantizesToFewerNumbers) {
  Quantizing small;
  small.min = -127;
  small.output(small.dequantize(small.quantize(small.input("x", {5, 7}))));
  EXPECT_EQ(op_types(small.lower(holding(QuantizedValues::kUnsigned))),
            (Types{"Clip", "QuantizeLinear", "DequantizeLinear"}));
}

// 200 is no int8.
TEST(Lower, QuantizesByStepsAroundZeroPointsOutsideOfTheType) {
  Quantizing small;
  small.zero = SymInt(200);
  small.output(small.dequantize(small.quantize(small.input("x", {5, 7}))));
  for (const auto form :
       {QuantizedValues::kAsGiven, QuantizedValues::kUnsigned, QuantizedValues::kSymmetric}) {
    const auto types = op_types(small.lower(holding(form)));
    EXPECT_EQ(types.front(), "Mul");
    EXPECT_EQ(std::count(types.begin(), types.end(), "DequantizeLinear"), 0);
  }
}

// Weights of 8 bits, and what is computed with them.
struct ByteWeights : Small {
  Value* x = input("x", {5, 4});
  Value* weight = constant("w", DType::kInt8, {3, 4}, {4, 1}, 12);
  Value* scales = constant("scales", DType::kFloat32, {3}, {1}, 12);
  Value* zero_points = constant("zero_points", DType::kInt8, {3}, {1}, 3);

  Value* constant(const std::string& name, DType dtype, std::vector<int64_t> sizes,
                  std::vector<int64_t> strides, size_t nbytes) {
    ir::ConstantData data;
    data.dtype = dtype;
    data.sizes = std::move(sizes);
    data.strides = std::move(strides);
    data.storage = own_bytes(std::vector<std::byte>(nbytes, std::byte{1}));
    return program.add_constant(name, std::move(data));
  }
  Value* dequantize(int64_t axis) {
    return build.call("quantized_decomposed.dequantize_per_channel.default",
                      {weight, axis == 0 ? scales : constant("s4", DType::kFloat32, {4}, {1}, 16),
                       axis == 0 ? zero_points : constant("z4", DType::kInt8, {4}, {1}, 4),
                       SymInt(axis), SymInt(-128), SymInt(127), DType::kInt8, ir::None{}},
                      TensorType{DType::kFloat32, {3, 4}, {}});
  }
  Value* floats() { return build.to_dtype(weight, DType::kFloat32); }
  Value* scaled(Value* w) {
    return build.mul(w, constant("s", DType::kFloat32, {3, 1}, {1, 1}, 12));
  }
  void multiply(Value* w) {
    output(build.call("aten.linear.default", {x, w, ir::None{}},
                      TensorType{DType::kFloat32, {5, 3}, {}}));
  }
  void look_up(Value* w) {
    Value* rows = input("rows", {2}, DType::kInt64);
    output(build.call("aten.embedding.default", {w, rows, SymInt(-1), false, false},
                      TensorType{DType::kFloat32, {2, 4}, {}}));
  }
  // Up to the product or the lookup.
  Types types(QuantizedValues form) {
    Types all = op_types(lower(holding(form)));
    while (!all.empty() && (all.back() == "Gather" || all.back() == "Gemm" ||
                            all.back() == "Where" || all.back() == "Clip")) {
      all.pop_back();
    }
    return all;
  }
};

constexpr auto kUnsigned = QuantizedValues::kUnsigned;

// Nothing converts them when the engine runs, and zero points are of the type.
TEST(Lower, ReadsWeightsOfEightBitsPerChannel) {
  ByteWeights small;
  small.multiply(small.dequantize(0));
  const Graph graph = small.lower(holding(kUnsigned));
  EXPECT_EQ(op_types(graph), (Types{"DequantizeLinear", "Gemm"}));
  const auto zero = std::find_if(
      graph.initializers.begin(), graph.initializers.end(),
      [&](const Initializer& item) { return item.name == graph.nodes.front().inputs.at(2); });
  ASSERT_NE(zero, graph.initializers.end());
  EXPECT_EQ(zero->dtype, DType::kInt8);
  EXPECT_EQ(zero->sizes, std::vector<int64_t>{3});
}

TEST(Lower, ConvertsWeightsOfEightBitsWithAScale) {
  ByteWeights plain;
  plain.multiply(plain.floats());
  EXPECT_EQ(plain.types(QuantizedValues::kAsGiven), Types{"Cast"});
  EXPECT_EQ(plain.types(kUnsigned), Types{"DequantizeLinear"});
  ByteWeights scaled;
  scaled.multiply(scaled.scaled(scaled.floats()));
  EXPECT_EQ(scaled.types(kUnsigned), (Types{"Cast", "Mul"}));
  EXPECT_EQ(scaled.types(QuantizedValues::kSymmetric), (Types{"DequantizeLinear", "Mul"}));
}

// OpenVINO would take the scales of columns for those of rows.
TEST(Lower, KeepsScaledTablesFromBeingGatheredInEightBits) {
  ByteWeights converted;
  converted.look_up(converted.scaled(converted.floats()));
  EXPECT_EQ(converted.types(kUnsigned), (Types{"DequantizeLinear", "Mul"}));
  ByteWeights rows;
  rows.look_up(rows.dequantize(0));
  EXPECT_EQ(rows.types(kUnsigned), Types{"DequantizeLinear"});
  ByteWeights columns;
  columns.look_up(columns.dequantize(1));
  EXPECT_EQ(columns.types(QuantizedValues::kAsGiven), Types{"DequantizeLinear"});
  EXPECT_EQ(columns.types(kUnsigned).front(), "DequantizeLinear");
  EXPECT_EQ(columns.types(kUnsigned).back(), "Mul");
}

// The larger of 1 and a size of 0 is not 0.
TEST(Lower, ExpandsSizesThatMayBeZeroByThemselves) {
  for (const int64_t least : {0, 1}) {
    Small small;
    small.program.ranges["s0"] = {least, 9};
    Value* x = small.input("x", {SymInt::symbol("s0"), 1});
    small.output(small.build.call("aten.expand.default",
                                  {x, std::vector<SymInt>{SymInt::symbol("s0"), 4}, false},
                                  TensorType{DType::kFloat32, {SymInt::symbol("s0"), 4}, {}}));
    const auto types = op_types(small.lower());
    EXPECT_EQ(std::count(types.begin(), types.end(), "Shape"), least == 0 ? 1 : 0);
  }
}

TEST(Lower, LowersAPartOfAProgram) {
  Small small;
  Value* x = small.input("x", {2, 3});
  Value* a = small.build.relu(x);
  Value* b = small.build.exp(a);
  Value* y = small.build.neg(b);
  small.output(y);
  const auto graph = lower(small.program, Part{{b->producer()}, {a}, {b}}, {});
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(op_types(*graph), std::vector<std::string>{"Exp"});
  EXPECT_EQ(graph->inputs[0].name, a->name());
  EXPECT_EQ(graph->outputs[0].name, b->name());
}

TEST(Supports, SaysWhyNot) {
  Small small;
  Value* x = small.input("x", {2, 3});
  Value* y = small.build.relu(x);
  Value* z = small.build.call("aten.dropout.default", {x, 0.5, true}, x->type());
  EXPECT_TRUE(supports(small.program, *y->producer(), {}));
  const auto reason = why_unsupported(small.program, *z->producer(), {});
  ASSERT_TRUE(reason.has_value());
  EXPECT_NE(reason->find("random"), std::string::npos);
}

TEST(Supports, NoMoreWindowsThanHaveNodesOfTheirOwn) {
  for (const int64_t count : {4096, 4097}) {
    Small small;
    ir::Node* pool =
        small.build.node("aten.adaptive_max_pool1d.default",
                         {small.input("x", {1, 1, 10'000}), std::vector<SymInt>{count}});
    small.program.graph->add_output(pool, TensorType{DType::kFloat32, {1, 1, count}, {}}, "y");
    small.program.graph->add_output(pool, TensorType{DType::kInt64, {1, 1, count}, {}}, "i");
    small.output(pool->output(0));
    EXPECT_EQ(supports(small.program, *pool, {}), count == 4096);
  }
}

// A file may hold sizes that PyTorch would not have given.
TEST(Supports, TrianglesOfTheSizesThatTheirArgumentsGive) {
  const SymInt n = SymInt::symbol("s0");
  const int64_t many = int64_t{1} << 21;
  const std::tuple<std::vector<ir::Argument>, SymInt, bool> calls[] = {
      {{SymInt(3), SymInt(4), SymInt(1)}, 6, true},
      {{SymInt(3), SymInt(4), SymInt(1)}, 5, false},
      {{SymInt(3), SymInt(4), SymInt(1)}, 7, false},
      {{SymInt(3), SymInt(4), SymInt(1)}, n, false},
      {{SymInt(-3), SymInt(4), SymInt(1)}, 0, false},
      {{SymInt(3), n, SymInt(1)}, 6, false},
      {{SymInt(0), SymInt(4), SymInt(0)}, 0, true},
      {{SymInt(3), SymInt(4), SymInt(INT64_MAX)}, 0, true},
      {{SymInt(3), SymInt(4), SymInt(INT64_MIN)}, 12, true},
      {{SymInt(1), SymInt(many), SymInt(0)}, many, false},
  };
  for (const auto& [args, count, taken] : calls) {
    Small small;
    const Value* indices =
        small.build.call("aten.triu_indices.default", args, DType::kInt64, {SymInt(2), count});
    EXPECT_EQ(supports(small.program, *indices->producer(), {}), taken) << count.to_string();
  }
}

TEST(Supports, LooksAtTheResultsThatAreUsed) {
  for (const size_t used : {0, 1}) {
    Small small;
    Value* x = small.input("x", {4});
    ir::Node* node = small.build.node("aten.log_sigmoid_forward.default", {x});
    for (int i = 0; i < 2; ++i) small.program.graph->add_output(node, x->type());
    small.output(node->output(used));
    EXPECT_EQ(supports(small.program, *node, {}), used == 0);
  }
}

TEST(Lower, ComputesInFloat32WhatOnnxHasNotInBFloat16) {
  Small small;
  small.output(small.build.unary("sin", small.input("x", {4}, DType::kBFloat16)));
  Value* y = small.input("y", {4}, DType::kBFloat16);
  small.output(small.build.add(y, y));
  const Graph graph = small.lower();
  EXPECT_EQ(op_types(graph), (Types{"Cast", "Sin", "Cast", "Add"}));
  EXPECT_EQ(graph.outputs.at(0).dtype, DType::kBFloat16);
}

TEST(Lower, ComputesSeveralResultsInFloat32WhereOnnxHasThemNotInBFloat16) {
  Small small;
  Value* x = small.input("x", {4}, DType::kBFloat16);
  ir::Node* node = small.build.node("aten.topk.default", {x, SymInt(2)});
  small.output(small.program.graph->add_output(node, TensorType{DType::kBFloat16, {2}, {}}));
  small.output(small.program.graph->add_output(node, TensorType{DType::kInt64, {2}, {}}));
  const Graph graph = small.lower();
  EXPECT_EQ(op_types(graph), (Types{"Cast", "TopK", "Cast"}));
}

TEST(Lower, SortsFloatsByKeysWhereNanHasNoPlace) {
  for (const DType dtype : {DType::kFloat32, DType::kInt64}) {
    Small small;
    Value* x = small.input("x", {4}, dtype);
    ir::Node* node = small.build.node("aten.topk.default", {x, SymInt(2), SymInt(0), false});
    small.output(small.program.graph->add_output(node, TensorType{dtype, {2}, {}}));
    small.output(small.program.graph->add_output(node, TensorType{DType::kInt64, {2}, {}}));
    LoweringOptions options;
    options.sort_nan_by_key = true;
    const Graph graph = small.lower(options);
    EXPECT_EQ(op_types(graph), is_floating_point(dtype) ? (Types{"Min", "Equal", "Where", "IsNaN",
                                                                 "Where", "TopK", "GatherElements"})
                                                        : Types{"TopK"});
  }
}

TEST(Lower, RefusesInputsOfTypesThatOnnxLacks) {
  Small small;
  small.input("z", {4}, DType::kComplex64);
  small.output(small.build.neg(small.input("x", {4})));
  const auto graph = onnx::lower(small.program, {});
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.error().message().find("'z'"), std::string::npos) << graph.error().message();
}

TEST(Lower, KeepsProductsOverNothingApart) {
  for (const int64_t least : {0, 1}) {
    Small small;
    small.program.ranges["s0"] = {least, 8};
    Value* x = small.input("x", {2, SymInt::symbol("s0")});
    Value* y = small.input("y", {3, SymInt::symbol("s0")});
    Value* bias = small.input("b", {3});
    small.output(small.build.call("aten.linear.default", {x, y, bias},
                                  TensorType{DType::kFloat32, {2, 3}, {}}));
    EXPECT_EQ(op_types(small.lower()), Types{"Gemm"});
    LoweringOptions options;
    options.empty_products_apart = true;
    const Types types = op_types(small.lower(options));
    EXPECT_EQ(std::count(types.begin(), types.end(), "Where"), least == 0 ? 1 : 0);
    EXPECT_EQ(std::count(types.begin(), types.end(), "Gemm"), least == 0 ? 0 : 1);
  }
}

TEST(Lower, DeclaresMutatedBuffersAsState) {
  Small small;
  Value* x = small.input("x", {2});
  ir::Input buffer;
  buffer.kind = ir::InputKind::kBuffer;
  buffer.name = "b_total";
  buffer.target = "total";
  buffer.data =
      ir::ConstantData{DType::kFloat32, {2}, {1}, 0, own_bytes(std::vector<std::byte>(8))};
  buffer.value = small.program.graph->add_input("b_total", TensorType{DType::kFloat32, {2}, {}});
  small.program.inputs.push_back(buffer);
  Value* sum = small.build.add(buffer.value, x);
  small.program.graph->outputs().emplace_back(sum);
  small.program.outputs.push_back({ir::OutputKind::kBufferMutation, "total"});
  small.output(small.build.neg(sum));
  const Graph graph = small.lower();
  ASSERT_EQ(graph.states.size(), 1U);
  EXPECT_EQ(graph.states[0].input, "b_total");
  EXPECT_EQ(graph.states[0].target, "total");
  EXPECT_EQ(graph.states[0].initial.data.size(), 8U);
  ASSERT_EQ(graph.outputs.size(), 2U);
  EXPECT_EQ(graph.states[0].output, graph.outputs[1].name);
}

}  // namespace
}  // namespace slipway::onnx
