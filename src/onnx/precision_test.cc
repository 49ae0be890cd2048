#include "onnx/precision.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "base/half.h"
#include "ir/op_builder.h"
#include "onnx/halves_in_float32.h"
#include "onnx/lowering.h"
#include "passes/passes.h"
#include "pt2/program_reader.h"

namespace slipway::onnx {
namespace {

constexpr DType kHalves[] = {DType::kFloat16, DType::kBFloat16};

bool is_converted(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

int64_t target_of(const Node& cast) { return std::get<int64_t>(cast.attributes.at(0).second); }

DType dtype_of(int64_t type) {
  for (int i = 0; i < kDTypeCount; ++i) {
    if (onnx_type(static_cast<DType>(i)) == type) return static_cast<DType>(i);
  }
  return DType::kComplex32;
}

// ONNX's own rules of types, as far as they concern floating point: every node's floating point
// inputs have one type, which its results have too.
class TypeCheck {
 public:
  explicit TypeCheck(const Graph& graph) {
    for (const ValueType& input : graph.inputs) define(input.name, input.dtype);
    for (const Initializer& initializer : graph.initializers) {
      define(initializer.name, initializer.dtype);
      EXPECT_EQ(initializer.data.size(), *contiguous_nbytes(initializer.dtype, initializer.sizes));
    }
    check(graph);
    for (const ValueType& output : graph.outputs) EXPECT_EQ(type(output.name), output.dtype);
    for (const ValueType& value : graph.values) EXPECT_EQ(type(value.name), value.dtype);
  }

 private:
  void define(const std::string& name, DType dtype) {
    EXPECT_TRUE(types_.emplace(name, dtype).second) << name << " is there twice";
  }

  DType type(const std::string& name) {
    const auto found = types_.find(name);
    EXPECT_NE(found, types_.end()) << name << " is used before it is made";
    return found == types_.end() ? DType::kComplex32 : found->second;
  }

  void check(const Graph& graph) {
    for (const Node& node : graph.nodes) {
      SCOPED_TRACE(node.name);
      for (const auto& [name, attribute] : node.attributes) {
        const auto* body = std::get_if<std::shared_ptr<Graph>>(&attribute);
        if (!body) continue;
        check(**body);
        for (size_t i = 0; i < node.outputs.size(); ++i) branch_type_ = (*body)->outputs[i].dtype;
      }
      check(node);
    }
  }

  void check(const Node& node) {
    std::optional<DType> floating;
    std::optional<DType> first;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i].empty()) continue;
      const DType dtype = type(node.inputs[i]);
      if (!first || (node.op_type == "Where" && i == 1)) first = dtype;
      if (node.op_type == "Resize" && i > 0) {
        EXPECT_EQ(dtype, i < 3 ? DType::kFloat32 : DType::kInt64);
        continue;
      }
      if (!is_converted(dtype)) continue;
      EXPECT_EQ(dtype, floating.value_or(dtype)) << node.inputs[i];
      floating = dtype;
    }
    static const std::set<std::string> kBool = {"And",   "Equal", "Greater", "GreaterOrEqual",
                                                "IsInf", "IsNaN", "Less",    "LessOrEqual",
                                                "Not",   "Or",    "Xor"};
    DType result = floating.value_or(first.value_or(DType::kInt64));
    if (node.op_type == "Cast") {
      result = dtype_of(target_of(node));
      if (is_converted(result)) {
        EXPECT_NE(result, type(node.inputs[0]));
        EXPECT_TRUE(casts_.emplace(node.inputs[0], result).second) << "converted twice";
      }
    } else if (kBool.contains(node.op_type)) {
      result = DType::kBool;
    } else if (node.op_type == "If") {
      result = branch_type_;
    } else if (node.op_type == "QuantizeLinear") {
      result = type(node.inputs.at(2));
    } else if (node.op_type == "Shape" || node.op_type == "NonZero" || node.op_type == "ArgMax" ||
               node.op_type == "ArgMin") {
      result = DType::kInt64;
    } else if (node.op_type == "Gather" || node.op_type == "GatherND") {
      result = *first;
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const bool is_index = i == 1 && (node.op_type == "TopK" || node.op_type == "MaxPool");
      if (!node.outputs[i].empty()) define(node.outputs[i], is_index ? DType::kInt64 : result);
    }
  }

  std::map<std::string, DType> types_;
  std::set<std::pair<std::string, DType>> casts_;
  DType branch_type_ = DType::kFloat32;
};

Initializer weight(const std::string& name, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {
      name, DType::kFloat32, {static_cast<int64_t>(values.size())}, own_bytes(std::move(bytes))};
}

// Nodes that each take the one before and the inputs that they name: y = last of them.
Graph chain(std::vector<Node> nodes, std::vector<Initializer> initializers = {}) {
  Graph graph;
  graph.inputs = {{"x", DType::kFloat32, {4}}};
  graph.outputs = {{nodes.back().outputs.at(0), DType::kFloat32, {4}}};
  graph.nodes = std::move(nodes);
  graph.initializers = std::move(initializers);
  return graph;
}

Node make(const std::string& op, std::vector<std::string> inputs, const std::string& output,
          const std::string& target = "") {
  Node node;
  node.op_type = op;
  node.name = output + "/" + op;
  node.inputs = std::move(inputs);
  node.outputs = {output};
  node.origin = output;
  node.target = target;
  return node;
}

Node make_cast(const std::string& from, const std::string& to, DType dtype) {
  Node node = make("Cast", {from}, to);
  node.attributes = {{"to", static_cast<int64_t>(onnx_type(dtype))}};
  return node;
}

Graph convert(Graph graph, DType half = DType::kFloat16, const std::set<std::string>& keep = {}) {
  auto converted = convert_precision(std::move(graph), half, keep);
  EXPECT_TRUE(converted.ok());
  TypeCheck check(*converted);
  return std::move(*converted);
}

// "Relu(x_fp16) -> a_fp16", with casts as "Cast(x) -> x_fp16".
std::vector<std::string> text(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Node& node : graph.nodes) {
    std::string line = node.op_type + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) line += (i > 0 ? ", " : "") + node.inputs[i];
    lines.push_back(line + ") -> " + node.outputs.at(0));
  }
  return lines;
}

using Lines = std::vector<std::string>;

std::vector<uint16_t> halves(const Initializer& initializer) {
  std::vector<std::byte> bytes;
  const Status done = initializer.data.write([&](std::span<const std::byte> piece) -> Status {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  });
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(bytes.size(), initializer.data.size());
  std::vector<uint16_t> values(bytes.size() / sizeof(uint16_t));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(Half, RoundsToNearestAndTiesToEven) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::pair<float, int> cases[] = {
      {0.0F, 0x0000},         {-0.0F, 0x8000},           {1.0F, 0x3c00},
      {-2.5F, 0xc100},        {65504.0F, 0x7bff},        {65519.996F, 0x7bff},
      {65520.0F, 0x7c00},     {-1e9F, 0xfc00},           {inf, 0x7c00},
      {-inf, 0xfc00},         {0x1p-14F, 0x0400},        {0x1.ff8p-15F, 0x03ff},
      {0x1.ffcp-15F, 0x0400}, {0x1p-24F, 0x0001},        {0x1p-25F, 0x0000},
      {0x1.8p-24F, 0x0002},   {0x1.000002p-25F, 0x0001}, {1e-40F, 0x0000},
      {0x1.002p0F, 0x3c00},   {0x1.006p0F, 0x3c02},      {0x1.002002p0F, 0x3c01}};
  for (const auto& [value, bits] : cases) EXPECT_EQ(to_float16(value), bits) << value;
  EXPECT_EQ(to_float16(std::nanf("")) & 0x7fff, 0x7e00);
  EXPECT_EQ(to_float16(std::bit_cast<float>(0x7f800001U)), 0x7e00);

  EXPECT_EQ(to_bfloat16(1.0F), 0x3f80);
  EXPECT_EQ(to_bfloat16(0x1.01p0F), 0x3f80);      // a tie
  EXPECT_EQ(to_bfloat16(0x1.03p0F), 0x3f82);      // a tie
  EXPECT_EQ(to_bfloat16(0x1.010002p0F), 0x3f81);  // above a tie
  EXPECT_EQ(to_bfloat16(65520.0F), 0x4780);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(to_bfloat16(-inf), 0xff80);
  EXPECT_EQ(to_bfloat16(std::numeric_limits<float>::denorm_min()), 0x0000);
  EXPECT_EQ(to_bfloat16(std::bit_cast<float>(0xff800001U)), 0x7fc0);
}

// Every half is itself, and halfway between neighbours the even one is taken.
TEST(Half, KeepsEveryFloat16) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const auto exponent = static_cast<int>(bits >> 10);
    const auto fraction = static_cast<float>(bits & 0x3ff);
    const float value =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(to_float16(value), bits);
    ASSERT_EQ(to_float16(-value), bits | 0x8000);
    const float middle = value + std::ldexp(1.0F, std::max(exponent, 1) - 26);
    ASSERT_EQ(to_float16(middle), bits + (bits & 1));
    ASSERT_EQ(to_float16(std::nextafter(middle, 0.0F)), bits);
  }
}

TEST(ConvertPrecision, PutsCastsAtTheEdges) {
  const Graph graph = convert(
      chain({make("Mul", {"x", "w"}, "a"), make("Relu", {"a"}, "y")}, {weight("w", {1, 2, 3, 4})}));
  EXPECT_EQ(text(graph), (Lines{"Cast(x) -> x_fp16", "Mul(x_fp16, w_fp16) -> a_fp16",
                                "Relu(a_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
  // So that an error of the engine names a node of the model.
  EXPECT_EQ(graph.nodes[0].origin, "a");
  EXPECT_EQ(graph.nodes[3].origin, "y");
  ASSERT_EQ(graph.initializers.size(), 1U);
  EXPECT_EQ(halves(graph.initializers[0]), (std::vector<uint16_t>{0x3c00, 0x4000, 0x4200, 0x4400}));
  EXPECT_EQ(graph.opset, 20);
}

TEST(ConvertPrecision, ConvolutionsOfBFloat16NeedALaterOpset) {
  const Graph graph = convert(chain({make("Relu", {"x"}, "y")}), DType::kBFloat16);
  EXPECT_EQ(text(graph),
            (Lines{"Cast(x) -> x_bf16", "Relu(x_bf16) -> y_bf16", "Cast(y_bf16) -> y"}));
  EXPECT_EQ(graph.opset, 22);
}

TEST(ConvertPrecision, KeepsSensitiveOperatorsAndCastsOnce) {
  const Graph graph =
      convert(chain({make("Relu", {"x"}, "a"), make("Exp", {"a"}, "b"), make("Softmax", {"a"}, "c"),
                     make("Mul", {"b", "c"}, "d"), make("MatMul", {"d", "b"}, "y")}));
  EXPECT_EQ(text(graph), (Lines{"Cast(x) -> x_fp16", "Relu(x_fp16) -> a_fp16", "Cast(a_fp16) -> a",
                                "Exp(a) -> b", "Softmax(a) -> c", "Cast(b) -> b_fp16",
                                "Cast(c) -> c_fp16", "Mul(b_fp16, c_fp16) -> d_fp16",
                                "MatMul(d_fp16, b_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
}

TEST(ConvertPrecision, KeepsWhatAnAtenOperatorIsMadeOf) {
  const std::string norm = "aten.native_layer_norm.default";
  const Graph graph = convert(chain({make("Relu", {"x"}, "a"), make("Sub", {"a", "a"}, "b", norm),
                                     make("MatMul", {"b", "a"}, "y")}));
  EXPECT_EQ(text(graph)[3], "Sub(a, a) -> b");
}

TEST(ConvertPrecision, KeepsWhatTheUserSays) {
  const auto graph = [] {
    return chain({make("MatMul", {"x", "w"}, "a", "aten.linear.default"), make("Relu", {"a"}, "b"),
                  make("MatMul", {"b", "w"}, "y", "aten.mm.default")},
                 {weight("w", {1, 2})});
  };
  for (const char* keep : {"aten.linear", "aten.linear.default"}) {
    const Graph converted = convert(graph(), DType::kFloat16, {keep, "aten.missing"});
    EXPECT_EQ(text(converted),
              (Lines{"MatMul(x, w) -> a", "Cast(a) -> a_fp16", "Relu(a_fp16) -> b_fp16",
                     "MatMul(b_fp16, w_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
    // The weight is used in both types.
    ASSERT_EQ(converted.initializers.size(), 2U);
    EXPECT_EQ(converted.initializers[0].name, "w_fp16");
    EXPECT_EQ(converted.initializers[1].name, "w");
    EXPECT_EQ(converted.initializers[1].dtype, DType::kFloat32);
  }
  EXPECT_EQ(text(convert(graph(), DType::kFloat16, {"aten.lin"}))[0], "Cast(x) -> x_fp16");
  EXPECT_EQ(text(convert(graph(), DType::kFloat16, {"MatMul"}))[0], "MatMul(x, w) -> a");
}

// A norm written by hand: its epsilon stays between the mean and the root.
TEST(ConvertPrecision, KeepsWhatStandsBetween) {
  const Graph graph = convert(chain(
      {make("Relu", {"x"}, "a"), make("ReduceMean", {"a"}, "b"), make("Add", {"b", "eps"}, "c"),
       make("Sqrt", {"c"}, "d"), make("Div", {"a", "d"}, "y")},
      {weight("eps", {1e-3F})}));
  EXPECT_EQ(text(graph),
            (Lines{"Cast(x) -> x_fp16", "Relu(x_fp16) -> a_fp16", "Cast(a_fp16) -> a",
                   "ReduceMean(a) -> b", "Add(b, eps) -> c", "Sqrt(c) -> d", "Cast(d) -> d_fp16",
                   "Div(a_fp16, d_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
}

TEST(ConvertPrecision, KeepsNumbersThatHalvesLack) {
  const auto graph = [](float number) {
    return chain({make("Relu", {"x"}, "a"), make("Max", {"a", "n"}, "b"), make("Relu", {"b"}, "y")},
                 {weight("n", {number})});
  };
  const auto stays = [&](float number, DType half) {
    const Lines lines = text(convert(graph(number), half));
    return std::find(lines.begin(), lines.end(), "Max(a, n) -> b") != lines.end();
  };
  EXPECT_TRUE(stays(1e-12F, DType::kFloat16));
  EXPECT_FALSE(stays(1e-12F, DType::kBFloat16));
  EXPECT_TRUE(stays(-1e9F, DType::kFloat16));
  EXPECT_TRUE(stays(std::numeric_limits<float>::lowest(), DType::kBFloat16));
  EXPECT_FALSE(stays(-std::numeric_limits<float>::infinity(), DType::kFloat16));
  EXPECT_FALSE(stays(0, DType::kFloat16));
}

// Weights of a product may be as small as they like.
TEST(ConvertPrecision, TakesSmallWeights) {
  const Lines product = text(
      convert(chain({make("MatMul", {"x", "w"}, "y")}, {weight("w", {1.0F, 1e-12F, 1e9F, 1.0F})})));
  EXPECT_TRUE(std::any_of(product.begin(), product.end(), [](const std::string& line) {
    return line.starts_with("MatMul(x_fp16, w_fp16)");
  })) << testing::PrintToString(product);
}

// As F.normalize has them, x / (s + 1e-8), and what is multiplied by one over such a sum.
TEST(ConvertPrecision, KeepsEpsilonsUpToTheQuotient) {
  const auto lines = [](std::vector<Node> nodes, float epsilon) {
    Graph graph = chain(std::move(nodes), {weight("eps", {epsilon})});
    return text(convert(std::move(graph)));
  };
  const auto has = [](const Lines& all, const std::string& line) {
    return std::find(all.begin(), all.end(), line) != all.end();
  };
  const std::vector<Node> normalize = {make("MatMul", {"x", "x"}, "s"),
                                       make("Max", {"s", "eps"}, "a"), make("Identity", {"a"}, "b"),
                                       make("Div", {"x", "b"}, "y")};
  EXPECT_TRUE(has(lines(normalize, 1e-12F), "Div(x, b) -> y"));
  EXPECT_FALSE(has(lines(normalize, 1e-3F), "Div(x, b) -> y"));
  // One for each row.
  Graph rows = chain(normalize, {weight("eps", {1.0F, 1e-12F, 0.0F, 1.0F})});
  EXPECT_TRUE(has(text(convert(std::move(rows))), "Div(x, b) -> y"));
  const std::vector<Node> inverse = {
      make("MatMul", {"x", "x"}, "s"), make("Add", {"s", "eps"}, "a"), make("Sqrt", {"a"}, "b"),
      make("Reciprocal", {"b"}, "c"),  make("Mul", {"x", "c"}, "d"),   make("Relu", {"d"}, "e"),
      make("MatMul", {"e", "x"}, "y")};
  const Lines inverted = lines(inverse, 1e-8F);
  EXPECT_TRUE(has(inverted, "Mul(x, c) -> d"));
  EXPECT_TRUE(has(inverted, "Relu(d_fp16) -> e_fp16"));
  const std::vector<Node> logarithm = {make("MatMul", {"x", "x"}, "s"),
                                       make("Add", {"s", "eps"}, "a"), make("Neg", {"a"}, "b"),
                                       make("MatMul", {"b", "x"}, "y")};
  EXPECT_TRUE(has(lines(logarithm, 1e-8F), "Neg(a_fp16) -> b_fp16"));
}

TEST(ConvertPrecision, KeepsMasksOnTheirWayIntoASoftmax) {
  const Graph graph = convert(chain(
      {make("MatMul", {"x", "x"}, "a"), make("Unsqueeze", {"m", "axes"}, "b"),
       make("Add", {"a", "b"}, "c"), make("Softmax", {"c"}, "d"), make("MatMul", {"d", "x"}, "y")},
      {weight("m", {0, -3e38F}),
       {"axes", DType::kInt64, {1}, own_bytes(std::vector<std::byte>(8))}}));
  EXPECT_EQ(text(graph), (Lines{"Cast(x) -> x_fp16", "MatMul(x_fp16, x_fp16) -> a_fp16",
                                "Unsqueeze(m, axes) -> b", "Cast(a_fp16) -> a", "Add(a, b) -> c",
                                "Softmax(c) -> d", "Cast(d) -> d_fp16",
                                "MatMul(d_fp16, x_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
}

// Halves count to 2048: angles are computed from positions in float32.
TEST(ConvertPrecision, KeepsWhatIsMadeOfIntegers) {
  Graph graph =
      chain({make_cast("positions", "a", DType::kFloat32), make("Transpose", {"frequencies"}, "f"),
             make("MatMul", {"f", "a"}, "b"), make("Cos", {"b"}, "c"), make("Mul", {"x", "c"}, "d"),
             make("MatMul", {"d", "a"}, "y")},
            {weight("frequencies", {1, 2, 3})});
  graph.inputs.push_back({"positions", DType::kInt64, {1, 8}});
  graph.values = {{"f", DType::kFloat32, {3, 1}}};
  const Graph converted = convert(graph);
  EXPECT_EQ(text(converted),
            (Lines{"Transpose(frequencies) -> f", "Cast(positions) -> a", "MatMul(f, a) -> b",
                   "Cos(b) -> c", "Cast(x) -> x_fp16", "Cast(c) -> c_fp16",
                   "Mul(x_fp16, c_fp16) -> d_fp16", "Cast(positions) -> a_fp16",
                   "MatMul(d_fp16, a_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
  // Sums over them are the model's own work, and so is what tokens choose.
  graph.values = {{"f", DType::kFloat32, {1, 3}}};
  EXPECT_EQ(text(convert(graph))[2], "MatMul(f_fp16, a_fp16) -> b_fp16");
  graph.nodes[1].op_type = "Gather";
  graph.values = {{"f", DType::kFloat32, {3, 1}}};
  EXPECT_EQ(text(convert(graph))[0], "Gather(frequencies_fp16) -> f_fp16");
}

TEST(ConvertPrecision, MergesCastsThatMeet) {
  Graph graph = chain({make_cast("h", "a", DType::kFloat32), make("Add", {"x", "a"}, "b"),
                       make_cast("b", "c", DType::kFloat16), make("Relu", {"c"}, "d"),
                       make_cast("d", "e", DType::kFloat32), make("Neg", {"e"}, "y")});
  graph.inputs.push_back({"h", DType::kFloat16, {4}});
  EXPECT_EQ(text(convert(graph)),
            (Lines{"Cast(x) -> x_fp16", "Add(x_fp16, h) -> b_fp16", "Relu(b_fp16) -> d",
                   "Neg(d) -> y_fp16", "Cast(y_fp16) -> y"}));
}

TEST(ConvertPrecision, ComparesAndConvertsWhatIsThere) {
  Graph graph = chain(
      {make("Relu", {"x"}, "a"), make("Less", {"a", "n"}, "b"), make("Greater", {"a", "x"}, "c"),
       make("Shape", {"a"}, "d"), make("ArgMax", {"x"}, "e"), make("Where", {"b", "a", "n"}, "y")},
      {weight("n", {0.5F})});
  EXPECT_EQ(text(convert(graph)),
            (Lines{"Cast(x) -> x_fp16", "Relu(x_fp16) -> a_fp16", "Less(a_fp16, n_fp16) -> b",
                   "Cast(a_fp16) -> a", "Greater(a, x) -> c", "Shape(a_fp16) -> d",
                   "ArgMax(x) -> e", "Where(b, a_fp16, n_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
}

TEST(ConvertPrecision, KeepsScattersThatAdd) {
  for (const char* reduction : {"none", "add"}) {
    Node scatter = make("ScatterND", {"x", "i", "x"}, "a");
    scatter.attributes = {{"reduction", std::string(reduction)}};
    Graph graph = chain({scatter, make("MatMul", {"a", "x"}, "y")});
    graph.inputs.push_back({"i", DType::kInt64, {4}});
    EXPECT_EQ(text(convert(graph))[0] == "ScatterND(x, i, x) -> a",
              reduction == std::string("add"));
  }
}

TEST(ConvertPrecision, LeavesScalesOfResizeAlone) {
  const Graph graph =
      convert(chain({make("Resize", {"x", "", "scales"}, "y")}, {weight("scales", {1, 1, 2, 2})}));
  EXPECT_EQ(text(graph)[1], "Resize(x_fp16, , scales) -> y_fp16");
}

TEST(ConvertPrecision, LeavesBranchesInFloat32) {
  auto body = std::make_shared<Graph>();
  body->nodes = {make("Relu", {"a"}, "inner")};
  body->outputs = {{"inner", DType::kFloat32, {4}}};
  Node branch = make("If", {"p"}, "b");
  branch.attributes = {{"then_branch", body}};
  Graph graph = chain({make("Mul", {"x", "x"}, "a"), branch, make("Add", {"b", "x"}, "y")});
  graph.inputs.push_back({"p", DType::kBool, {}});
  EXPECT_EQ(text(convert(graph)), (Lines{"Cast(x) -> x_fp16", "Mul(x_fp16, x_fp16) -> a_fp16",
                                         "Cast(a_fp16) -> a", "If(p) -> b", "Cast(b) -> b_fp16",
                                         "Add(b_fp16, x_fp16) -> y_fp16", "Cast(y_fp16) -> y"}));
}

TEST(ConvertPrecision, AttentionKeepsItsSoftmax) {
  const Graph graph = convert(chain({make("Attention", {"x", "x", "x"}, "y")}));
  ASSERT_EQ(graph.nodes[1].op_type, "Attention");
  EXPECT_EQ(graph.nodes[1].attributes.at(0).first, "softmax_precision");
}

TEST(ConvertPrecision, ConvertsWeightsInPiecesOfAnySize) {
  const size_t count = 300'000;
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) * 0.21F - 5000;
  Initializer large = weight("w", values);
  const OwnedSpan span = *large.data.span();
  const auto expected = [&] {
    std::vector<uint16_t> result;
    for (const float value : values) result.push_back(to_float16(value));
    return result;
  }();
  const auto converted = [&] {
    const Graph graph = convert(chain({make("Mul", {"x", "w"}, "y")}, {large}));
    return halves(graph.initializers.at(0));
  };
  EXPECT_EQ(converted(), expected);
  large.data = ByteSource(span.bytes.size(), [span](const ByteSink& sink) -> Status {
    const size_t sizes[] = {1, 2, 3, 7, 4096, 500'001};
    size_t next = 0;
    for (size_t at = 0; at < span.bytes.size();) {
      const size_t size = std::min(sizes[next++ % 6], span.bytes.size() - at);
      if (const Status status = sink(span.bytes.subspan(at, size)); !status.ok()) return status;
      at += size;
    }
    return {};
  });
  EXPECT_EQ(converted(), expected);
}

// A node of ATen for each ONNX node but the last three, which are of one.
TEST(ConvertPrecision, NodesMayComputeInFloat32) {
  Node relu = make("Relu", {"c"}, "d");
  Node tanh = make("Tanh", {"d"}, "y");
  relu.origin = tanh.origin = "e";
  Node sigmoid = make("Sigmoid", {"b"}, "c");
  sigmoid.origin = "e";
  const Graph graph = compute_halves_in_float32(
      convert(chain({make("Mul", {"x", "w"}, "a"), make("Neg", {"a"}, "b"), sigmoid, relu, tanh},
                    {weight("w", {1, 2, 3, 4})})));
  const TypeCheck check(graph);
  EXPECT_EQ(text(graph),
            (Lines{"Cast(x) -> x_fp16", "Cast(x_fp16) -> x_fp16_fp32",
                   "Cast(w_fp16) -> w_fp16_fp32", "Mul(x_fp16_fp32, w_fp16_fp32) -> a_fp16_fp32",
                   "Cast(a_fp16_fp32) -> a_fp16", "Cast(a_fp16) -> a_fp16_fp32_1",
                   "Neg(a_fp16_fp32_1) -> b_fp16_fp32", "Sigmoid(b_fp16_fp32) -> c_fp16_fp32",
                   "Relu(c_fp16_fp32) -> d_fp16_fp32", "Tanh(d_fp16_fp32) -> y_fp16_fp32",
                   "Cast(y_fp16_fp32) -> y_fp16", "Cast(y_fp16) -> y"}));
}

// Nodes that compute a model's own halves in float32 are no float32 of the model's.
TEST(ConvertPrecision, LeavesTheModelsOwnHalves) {
  Node narrow = make_cast("c", "h", DType::kBFloat16);
  Node wide = make_cast("h", "d", DType::kFloat32);
  Node add = make("Add", {"a", "a"}, "c");
  add.origin = narrow.origin = "own";
  const Graph graph =
      convert(chain({make("Mul", {"x", "x"}, "a"), add, narrow, wide, make("Relu", {"d"}, "y")}));
  const Lines lines = text(graph);
  EXPECT_TRUE(std::find(lines.begin(), lines.end(), "Add(a, a) -> c") != lines.end());
  EXPECT_TRUE(std::find(lines.begin(), lines.end(), "Cast(c) -> h") != lines.end());
  EXPECT_TRUE(std::find(lines.begin(), lines.end(), "Mul(x_fp16, x_fp16) -> a_fp16") !=
              lines.end());
}

TEST(ConvertPrecision, RefusesOtherTypes) {
  EXPECT_FALSE(convert_precision(chain({make("Relu", {"x"}, "y")}), DType::kFloat64, {}).ok());
}

// What the lowering makes of real programs stays well typed.
TEST(ConvertPrecision, ConvertsEveryArchive) {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(SLIPWAY_TEST_DATA) + "/golden")) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".pt2" || name.starts_with("engine_")) continue;
    if (name.starts_with("complex_")) continue;  // which ONNX does not have
    if (name.starts_with("map.") || name.starts_with("scan.") || name.starts_with("while_loop.")) {
      continue;  // loops, which stay outside
    }
    if (name.starts_with("recurrent_loop.")) continue;  // which has an LSTM with projections
    SCOPED_TRACE(name);
    auto program = pt2::read_program(entry.path().string());
    ASSERT_TRUE(program.ok());
    ASSERT_TRUE(passes::functionalize(*program).ok());
    ASSERT_TRUE(passes::remove_no_ops(*program).ok());
    const auto graph = lower(*program, LoweringOptions{});
    ASSERT_TRUE(graph.ok());
    for (const DType half : kHalves) {
      const Graph converted = convert(*graph, half);
      for (size_t i = 0; i < converted.inputs.size(); ++i) {
        EXPECT_EQ(converted.inputs[i].dtype, graph->inputs[i].dtype);
      }
    }
    ++count;
  }
  EXPECT_GT(count, 20);
}

}  // namespace
}  // namespace slipway::onnx
