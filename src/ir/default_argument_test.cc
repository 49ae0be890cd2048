#include "ir/default_argument.h"

#include <gtest/gtest.h>

namespace slipway::ir {
namespace {

std::optional<Argument> default_of(const std::string& parameter) {
  auto schema = schema::parse("aten::f(" + parameter + ") -> Tensor");
  EXPECT_TRUE(schema.ok()) << parameter;
  return default_argument(schema->parameters[0]);
}

TEST(DefaultArgumentTest, HasTheTypeOfItsParameter) {
  EXPECT_EQ(default_of("Tensor self"), std::nullopt);
  EXPECT_EQ(default_of("Tensor? x=None"), Argument(None()));
  EXPECT_EQ(default_of("int x=3"), Argument(SymInt(3)));
  EXPECT_EQ(default_of("float x=3"), Argument(3.0));
  EXPECT_EQ(default_of("Scalar x=1"), Argument(SymInt(1)));
  EXPECT_EQ(default_of("bool x=True"), Argument(true));
  EXPECT_EQ(default_of("int[2] x=1"), Argument(std::vector<SymInt>{1, 1}));
  EXPECT_EQ(default_of("int[] x=[]"), Argument(std::vector<SymInt>()));
  EXPECT_EQ(default_of("bool[2] x=[True, False]"), Argument(std::vector<bool>{true, false}));
  EXPECT_EQ(default_of("str x=\"none\""), Argument(std::string("none")));
  EXPECT_EQ(default_of("ScalarType? dtype=4"), Argument(DType::kInt64));
  EXPECT_EQ(default_of("ScalarType dtype=float32"), Argument(DType::kFloat32));
  EXPECT_EQ(default_of("int reduction=Mean"), Argument(SymInt(1)));
  EXPECT_EQ(default_of("MemoryFormat format=0"), Argument(MemoryFormat()));
  EXPECT_EQ(default_of("MemoryFormat format=contiguous_format"), Argument(MemoryFormat()));
  EXPECT_EQ(default_of("Layout layout=strided"), Argument(Layout()));
  EXPECT_EQ(default_of("Device device=cuda"), Argument(Device{"cuda", -1}));
}

TEST(DefaultArgumentTest, EveryDefaultOfTheTableIsKnown) {
  for (const schema::Schema& schema : schema::kernels()) {
    for (const schema::Parameter& parameter : schema.parameters) {
      bool given = !std::holds_alternative<schema::NoDefault>(parameter.default_value);
      EXPECT_EQ(default_argument(parameter).has_value(), given) << schema.text;
    }
  }
}

}  // namespace
}  // namespace slipway::ir
