#include "passes/decompositions/registry.h"

#include <algorithm>
#include <cstring>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace slipway::passes::decompositions
