#include "passes/decompositions/registry.h"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

#include "ir/call_test.h"
#include "schema/schema.h"

namespace slipway::passes::decompositions {
namespace {

// Without a schema, missing arguments would not be filled in, and rules count on them.
TEST(Registry, EveryTargetHasASchema) {
  for (const std::string& target : targets()) {
    EXPECT_NE(schema::find_operator(target), nullptr) << target;
  }
}

TEST(Registry, FindsRulesByTheWholeName) {
  EXPECT_NE(find("aten.silu.default"), nullptr);
  EXPECT_EQ(find("aten.silu"), nullptr);
  EXPECT_EQ(find("aten.relu.default"), nullptr);  // a kernel, without a rule
}

TEST(Registry, NamesNoTargetTwice) {
  size_t named = 0;
  for (const auto family :
       {activation_rules(), attention_rules(), binary_rules(), complex_rules(), convolution_rules(),
        creation_rules(), index_rules(), matmul_rules(), normalization_rules(), pad_rules(),
        pooling_rules(), quantized_rules(), recurrent_rules(), reduction_rules(), resize_rules(),
        scatter_rules(), shape_rules(), sort_rules(), unary_rules()}) {
    for (const Entry& entry : family) {
      named += 1 + std::count(entry.targets, entry.targets + std::strlen(entry.targets), ' ');
    }
  }
  EXPECT_EQ(named, targets().size());
}

// Either gives results or says why not; what matters is that it reads nothing past an end.
TEST(Registry, RulesTakeCallsThatDoNotFit) {
  size_t count = 0;
  size_t refused = 0;
  for (const std::string& target : targets()) {
    ir::UncheckedCall::for_each([&](const ir::UncheckedCall& call) {
      SCOPED_TRACE(target + ": " + call.to_string());
      ir::Graph graph;
      const ir::SymbolRanges ranges;
      Context context(graph, call.add(graph, *schema::find_operator(target)), ranges);
      const Values values = apply(find(target), context);
      ++count;
      if (context.reason() || !context.build.status().ok()) {
        ++refused;
      } else if (!values.empty()) {
        EXPECT_EQ(values.size(), context.output_count());
      }
    });
  }
  EXPECT_GT(refused, 0U);
  EXPECT_LT(refused, count);
}

TEST(Registry, NamesATensorOfTooFewDimensions) {
  ir::Graph graph;
  const ir::SymbolRanges ranges;
  const auto* schema = schema::find_operator("aten.adaptive_max_pool2d.default");
  Context context(graph, ir::UncheckedCall{.rank = 1, .items = 2}.add(graph, *schema), ranges);
  EXPECT_TRUE(apply(find("aten.adaptive_max_pool2d.default"), context).empty());
  ASSERT_TRUE(context.reason());
  EXPECT_NE(context.reason()->find("fewer dimensions"), std::string::npos);
}

}  // namespace
}  // namespace slipway::passes::decompositions
