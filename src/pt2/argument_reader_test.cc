// Kinds of arguments that few programs have. What torch 2.14 writes only for operators and calls
// that its export does not let through is put into the JSON here.
#include <limits>

#include <gtest/gtest.h>

#include "pt2/archive_test.h"

namespace slipway::pt2 {
namespace {

using ir::Value;
using ir::ValueKind;

const std::string kData = SLIPWAY_TEST_DATA "/pt2/";

using Edits = std::vector<std::pair<std::string, std::string>>;

// Reads an archive of tests/data/pt2 with the first of each edit's left text replaced.
Result<ir::Program> read_edited(const std::string& file, const Edits& edits) {
  auto entries = entries_of(kData + file);
  for (TestEntry& entry : entries) {
    if (!entry.name.ends_with("models/model.json")) continue;
    for (const auto& [from, to] : edits) {
      const size_t at = entry.data.find(from);
      EXPECT_NE(at, std::string::npos) << from;
      if (at != std::string::npos) entry.data.replace(at, from.size(), to);
    }
  }
  return read_entries(entries);
}

// The same, of what must be readable and sound.
ir::Program program_of(const std::string& file, const Edits& edits = {}) {
  auto program = read_edited(file, edits);
  if (!program.ok()) {
    ADD_FAILURE() << program.error().message();
    return {};
  }
  const Status sound = ir::verify(*program);
  EXPECT_TRUE(sound.ok()) << sound.error().message();
  return *std::move(program);
}

std::string problem_of(const std::string& file, const Edits& edits) {
  const auto program = read_edited(file, edits);
  return program.ok() ? "" : program.error().message();
}

const ir::Node& node_at(const ir::Program& program, size_t i) {
  return **std::next(program.graph->nodes().begin(), static_cast<std::ptrdiff_t>(i));
}

TEST(ArgumentReader, ListsOfLists) {
  const ir::Program program = program_of("lists.pt2");
  const ir::Node& node = node_at(program, 0);
  EXPECT_EQ(node.op(), "slipway_test.lists.default");
  Value* x = program.graph->inputs()[0];
  Value* y = program.graph->inputs()[1];
  EXPECT_EQ(std::get<std::vector<std::vector<Value*>>>(node.arg(0)),
            (std::vector<std::vector<Value*>>{{x, y}, {y}}));
  EXPECT_EQ(
      std::get<std::vector<std::vector<double>>>(node.arg(1)),
      (std::vector<std::vector<double>>{{1.5}, {2, std::numeric_limits<double>::infinity()}, {}}));

  EXPECT_NE(problem_of("lists.pt2", {{R"([[{"name": "x"})", R"([[{"name": "z"})"}})
                .find("names \"z\", which nothing before it defines"),
            std::string::npos);
}

TEST(ArgumentReader, Dictionaries) {
  const ir::Program program = program_of("lists.pt2");
  const ir::Node& node = node_at(program, 1);
  EXPECT_EQ(node.op(), "higher_order.hints_wrapper");
  ASSERT_EQ(node.args().size(), 4U);
  EXPECT_EQ(ir::print(node.arg(2)), "{}");
  EXPECT_EQ(ir::print(node.arg(3)), R"({"level": 3, "name": "r", "scale": 1.5})");

  // Dictionaries, tensors and graphs within one.
  const ir::Program nested =
      program_of("lists.pt2", {{R"("level": {"as_int": 3})",
                                R"("level": {"as_string_to_argument": {"t": {"as_tensor": {"name":
            "x"}}, "g": {"as_graph": {"name": "g", "graph": {"inputs": [], "outputs": [], "nodes":
            [], "tensor_values": {}, "sym_int_values": {}, "sym_bool_values": {}}}}}})"}});
  EXPECT_EQ(ir::print(node_at(nested, 1).arg(3)),
            R"({"level": {"t": %x, "g": graph}, "name": "r", "scale": 1.5})");
}

TEST(ArgumentReader, ListsOfSymbolicNumbers) {
  const std::string before = R"("target": "_operator.mul", "inputs": [)";
  const std::string after =
      R"("target": "torch.ops.slipway_test.scales.default", "inputs": [{"name": "s", "arg": )";
  const ir::Program floats = program_of(
      "symbols.pt2",
      {{before,
        after + R"({"as_sym_floats": [{"as_name": "sym_float"}, {"as_float": 1.5}]}, "kind": 1},
          {"name": "l", "arg": {"as_sym_floats": [{"as_float": 2.5}]}, "kind": 1}, )"}});
  const ir::Node& scales = node_at(floats, floats.graph->nodes().size() - 1);
  const auto& items = std::get<std::vector<ir::FloatItem>>(scales.arg(0));
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(std::get<Value*>(items[0])->kind(), ValueKind::kSymFloat);
  EXPECT_EQ(std::get<double>(items[1]), 1.5);
  EXPECT_EQ(std::get<std::vector<double>>(scales.arg(1)), std::vector<double>{2.5});

  const ir::Program bools = program_of(
      "symbols.pt2",
      {{R"([{"as_sym_float": {"as_name": "sym_float"}}])",
        R"([{"as_sym_bool": {"as_name": "sym_float"}}])"},
       {before,
        after +
            R"({"as_sym_bools": [{"as_bool": true}, {"as_name": "sym_float"}]}, "kind": 1}, )"}});
  EXPECT_EQ(ir::print(node_at(bools, bools.graph->nodes().size() - 1).arg(0)),
            "[True, %sym_float]");

  EXPECT_NE(
      problem_of("symbols.pt2",
                 {{before, after + R"({"as_sym_floats": [{"as_name": "none"}]}, "kind": 1}, )"}})
          .find("names \"none\", which nothing before it defines"),
      std::string::npos);
}

TEST(ArgumentReader, LiteralInputsOfSubgraphsKeepTheirPlaces) {
  const ir::Program program = program_of(
      "lists.pt2",
      {{R"("inputs": [{"as_tensor": {"name": "z_1"}}])",
        R"("inputs": [{"as_none": true}, {"as_tensor": {"name": "z_1"}}, {"as_float": 0.5}])"},
       {R"({"as_tensors": [{"name": "lists"}]}, "kind": 1})",
        R"({"as_optional_tensors": [{"as_none": true}, {"as_tensor": {"name": "lists"}}]},
           "kind": 1}, {"name": "", "arg": {"as_float": 0.5}, "kind": 1})"}});
  const ir::Node& node = node_at(program, 1);
  const auto& inputs = std::get<std::shared_ptr<ir::Graph>>(node.arg(0))->inputs();
  ASSERT_EQ(inputs.size(), 3U);
  EXPECT_EQ(inputs[0]->kind(), ValueKind::kAbsent);
  EXPECT_EQ(inputs[1]->name(), "z_1");
  EXPECT_EQ(inputs[1]->index(), 1U);
  EXPECT_EQ(inputs[2]->kind(), ValueKind::kAbsent);
  EXPECT_EQ(std::get<std::vector<Value*>>(node.arg(1))[0], nullptr);
  EXPECT_EQ(std::get<double>(node.arg(2)), 0.5);
}

TEST(ArgumentReader, NoneAmongResultsKeepsItsPlace) {
  const auto kinds = [](const ir::Node& node) {
    std::vector<ValueKind> result;
    for (const Value* output : node.outputs()) result.push_back(output->kind());
    return result;
  };
  const ir::Program program = program_of("backward.pt2");
  EXPECT_EQ(kinds(node_at(program, 0)),
            (std::vector{ValueKind::kTensor, ValueKind::kAbsent, ValueKind::kAbsent}));
  EXPECT_NE(ir::print(program).find("%convolution_backward: None"), std::string::npos);

  const std::string results =
      R"("outputs": [{"as_tensor": {"name": "getitem"}}, {"as_none": true})";
  const ir::Program second = program_of(
      "backward.pt2",
      {{results + ", ", R"("outputs": [{"as_none": true}, {"as_tensor": {"name": "getitem"}}, )"}});
  EXPECT_EQ(kinds(node_at(second, 0)),
            (std::vector{ValueKind::kAbsent, ValueKind::kTensor, ValueKind::kAbsent}));
  EXPECT_EQ(std::get<Value*>(second.graph->outputs()[0])->index(), 1U);
}

TEST(ArgumentReader, UnknownKindsAreUnsupported) {
  const std::string problem =
      problem_of("lists.pt2", {{R"({"as_int": 3})", R"({"as_quaternion": 3})"}});
  EXPECT_NE(problem.find("as_quaternion, which Slipway does not support"), std::string::npos)
      << problem;
}

}  // namespace
}  // namespace slipway::pt2
