#include "compile/part_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway {
namespace {

using testing::ElementsAre;

TEST(PartGraph, HasTypesPlacesAndWhatEachNodeReads) {
  ir::Graph graph;
  const auto input = [&](const char* name) {
    return graph.add_input(name, {.dtype = DType::kFloat32, .sizes = {2}, .strides = {}});
  };
  ir::Value* const weight = input("weight");
  ir::Value* const x = input("x");
  ir::Value* const y = input("y");
  const auto node = [&](std::vector<ir::Argument> args, const std::string& trace) {
    ir::Node* const made =
        graph.add_node("aten.add.Tensor", std::move(args), {.stack_trace = trace});
    graph.add_output(made, {.dtype = DType::kFloat32, .sizes = {2}, .strides = {}});
    return made;
  };
  partition::Partition part;
  part.inputs = {y, x};
  const std::string line = "File \"m.py\", line 3, in forward";
  part.nodes.push_back(node({x, weight}, line + "\n    x + self.weight"));
  part.nodes.push_back(node({part.nodes[0]->output(), y}, line));
  part.nodes.push_back(
      node({std::vector<ir::Value*>{part.nodes[1]->output(), part.nodes[1]->output(),
                                    part.nodes[0]->output()}},
           ""));
  graph.add_output(const_cast<ir::Node*>(part.nodes[2]),
                   {.dtype = DType::kInt64, .sizes = {2, 3}, .strides = {}});
  const auto graphs = graphs_of({part, {}});
  ASSERT_EQ(graphs.size(), 2u);
  const engine::EngineGraph& made = graphs[0];
  EXPECT_THAT(made.types, ElementsAre("float32[2]", "float32[2], int64[2, 3]"));
  EXPECT_THAT(made.places, ElementsAre(line));
  ASSERT_EQ(made.nodes.size(), 3u);
  EXPECT_THAT(made.nodes[0].reads, ElementsAre(-2)) << "a constant is the engine's own";
  EXPECT_THAT(made.nodes[1].reads, ElementsAre(0, -1));
  EXPECT_THAT(made.nodes[2].reads, ElementsAre(1, 0));
  EXPECT_EQ(made.nodes[1].type, 0);
  EXPECT_EQ(made.nodes[2].type, 1);
  EXPECT_EQ(made.nodes[1].place, 0);
  EXPECT_EQ(made.nodes[2].place, -1);
  EXPECT_TRUE(graphs[1].nodes.empty());

  partition::Partition large;
  large.nodes.assign(20'000, part.nodes[0]);
  EXPECT_EQ(graphs_of({large})[0].nodes.size(), 20'000u);
  EXPECT_TRUE(graphs_of({part, large})[0].nodes.empty()) << "more than 20,000 together";
}

}  // namespace
}  // namespace slipway
