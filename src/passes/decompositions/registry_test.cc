#include "passes/decompositions/registry.h"

#include <set>
#include <span>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "ir/call_test.h"
#include "ir/fake_quantize_rows.h"
#include "schema/schema.h"

namespace slipway::passes::decompositions {
namespace {

// Without a schema, missing arguments would not be filled in, and rules count on them.
TEST(Registry, EveryTargetHasASchema) {
  for (const std::string& target : targets()) {
    // Operators on numbers and those that take graphs have none, and no defaults.
    const bool has_none = is_symbolic(target) || target.starts_with("higher_order.") ||
                          target == ir::kFakeQuantizeRows;
    EXPECT_TRUE(has_none || schema::find_operator(target) != nullptr) << target;
  }
}

TEST(Registry, FindsRulesByTheWholeName) {
  EXPECT_NE(find("aten.silu.default"), nullptr);
  EXPECT_EQ(find("aten.silu"), nullptr);
  EXPECT_EQ(find("aten.relu.default"), nullptr);  // a kernel, without a rule
}

// Each is new.
void add_targets(std::span<const Entry> family, std::set<std::string>& known) {
  for (const Entry& entry : family) {
    std::istringstream names(entry.targets);
    for (std::string name; names >> name;) EXPECT_TRUE(known.insert(name).second) << name;
  }
}

TEST(Registry, NamesNoTargetTwice) {
  std::set<std::string> known;
  for (const auto family :
       {activation_rules(), attention_rules(),      binary_rules(),    bit_rules(),
        complex_rules(),    convolution_rules(),    counting_rules(),  creation_rules(),
        detection_rules(),  difference_rules(),     fourier_rules(),   grouped_product_rules(),
        index_rules(),      linear_algebra_rules(), loop_rules(),      loss_rules(),
        matmul_rules(),     normalization_rules(),  pad_rules(),       pooling_rules(),
        quantized_rules(),  recurrent_rules(),      reduction_rules(), resize_rules(),
        scatter_rules(),    shape_rules(),          sort_rules(),      special_rules(),
        unary_rules()}) {
    add_targets(family, known);
  }
  for (const auto family : {complex_arithmetic_rules(), half_rules()}) {
    std::set<std::string> special;
    add_targets(family, special);
    known.merge(special);
  }
  const std::vector<std::string> all = targets();
  EXPECT_EQ(known, std::set<std::string>(all.begin(), all.end()));
  EXPECT_EQ(known.size(), all.size());
}

// aten.complex alone has complex results from real arguments.
TEST(Registry, FindsRulesForComplexAndHalfTensors) {
  EXPECT_EQ(find("aten.complex.default"), nullptr);
  EXPECT_NE(find_complex("aten.complex.default"), nullptr);
  EXPECT_NE(find_half("aten.mm.default"), nullptr);
  EXPECT_EQ(find_half("aten.relu.default"), nullptr);
}

// Either gives results or says why not; what matters is that it reads nothing past an end.
TEST(Registry, RulesTakeCallsThatDoNotFit) {
  size_t count = 0;
  size_t refused = 0;
  for (const std::string& target : targets()) {
    const schema::Schema* schema = schema::find_operator(target);
    if (schema == nullptr) continue;
    ir::UncheckedCall::for_each(*schema, [&](const ir::UncheckedCall& call) {
      ir::Graph graph;
      const ir::SymbolRanges ranges;
      Context context(graph, call.add(graph, *schema), ranges);
      const Rule rule = find(target)           ? find(target)
                        : find_complex(target) ? find_complex(target)
                                               : find_half(target);
      const Values values = apply(rule, context);
      ++count;
      if (context.reason() || !context.build.status().ok()) {
        ++refused;
      } else if (!values.empty()) {
        EXPECT_EQ(values.size(), context.output_count()) << target << ": " << call.to_string();
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
