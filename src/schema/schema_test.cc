#include "schema/schema.h"

#include <set>

#include <gtest/gtest.h>

namespace slipway::schema {
namespace {

TEST(SchemaTest, ParsesTypesAndDefaults) {
  auto schema = parse(
      "aten::upsample.vec(Tensor(a!) input, SymInt[]? size=None, int[2] stride=1, float[] "
      "scales=[], "
      "Tensor?[] indices, *, Scalar alpha=1, float eps=1e-05, bool flag=False, str mode=\"none\", "
      "MemoryFormat? format=contiguous_format, bool[3] mask=[True, False], Tensor(b!) out) -> "
      "(Tensor(a!) values, Tensor(b)[])");
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  EXPECT_EQ(schema->name, "aten::upsample");
  EXPECT_EQ(schema->overload, "vec");
  EXPECT_EQ(schema->target(), "aten.upsample.vec");
  const auto& p = schema->parameters;
  ASSERT_EQ(p.size(), 12u);
  EXPECT_EQ(p[0].type.base, BaseType::kTensor);
  EXPECT_TRUE(p[0].type.is_mutable());
  EXPECT_FALSE(p[0].is_out);
  EXPECT_EQ(p[1].type.base, BaseType::kInt);
  EXPECT_TRUE(p[1].type.list && p[1].type.optional && !p[1].type.optional_items);
  EXPECT_EQ(p[1].default_value, Default(NoneDefault()));
  EXPECT_EQ(p[2].type.list_size, 2);
  EXPECT_EQ(p[2].default_value, Default(std::vector<int64_t>{1, 1}));
  EXPECT_EQ(p[3].default_value, Default(std::vector<double>{}));
  EXPECT_TRUE(p[4].type.list && p[4].type.optional_items && !p[4].type.optional);
  EXPECT_EQ(p[4].default_value, Default(NoDefault()));
  EXPECT_FALSE(p[4].keyword_only);
  EXPECT_TRUE(p[5].keyword_only);
  EXPECT_EQ(p[5].default_value, Default(int64_t{1}));
  EXPECT_EQ(p[6].default_value, Default(1e-05));
  EXPECT_EQ(p[7].default_value, Default(false));
  EXPECT_EQ(p[8].default_value, Default(std::string("none")));
  EXPECT_EQ(p[9].default_value, Default(std::string("contiguous_format")));
  EXPECT_EQ(p[10].default_value, Default((std::vector<bool>{true, false})));
  EXPECT_TRUE(p[11].is_out);
  ASSERT_EQ(schema->returns.size(), 2u);
  EXPECT_TRUE(schema->returns[1].list);
  EXPECT_EQ(schema->returns[1].alias, "b");
  EXPECT_EQ(schema->find("eps"), 6u);
  EXPECT_EQ(schema->find("none"), std::nullopt);
}

TEST(SchemaTest, ParsesNoParametersAndNoResults) {
  auto schema = parse("aten::f() -> ()");
  ASSERT_TRUE(schema.ok()) << schema.error().message();
  EXPECT_TRUE(schema->parameters.empty());
  EXPECT_TRUE(schema->returns.empty());
  EXPECT_EQ(schema->target(), "aten.f.default");
}

TEST(SchemaTest, RefusesWhatIsNoSchema) {
  for (const char* text :
       {"", "add", "aten::add", "aten::add(", "aten::add(Tensor self", "aten::add(Tensor self)",
        "aten::add(Tensor) -> Tensor", "aten::add(Tensor self,) -> Tensor",
        "aten::add(Tensor(a self) -> Tensor", "aten::add(Tensor self=) -> Tensor",
        "aten::add(str s=\"x) -> Tensor", "aten::add(int[ self) -> Tensor",
        "aten::add(Tensor self) -> Tensor x y", "aten::add(int[] x=[1, 2) -> Tensor"}) {
    auto schema = parse(text);
    EXPECT_FALSE(schema.ok()) << text;
  }
}

TEST(SchemaTest, KnowsOperators) {
  const Schema* add = find_operator("aten.add.Tensor");
  ASSERT_NE(add, nullptr);
  EXPECT_EQ(add->parameters[2].default_value, Default(int64_t{1}));
  EXPECT_NE(find_operator("aten.relu_.default"), nullptr);
  EXPECT_NE(find_operator("quantized_decomposed.quantize_per_tensor.default"), nullptr);
  EXPECT_EQ(find_operator("aten.add"), nullptr);
  EXPECT_EQ(find_operator("aten.no_such.default"), nullptr);
  const Schema* reshape = find_operator("aten.reshape.default");
  ASSERT_NE(reshape, nullptr);
  EXPECT_FALSE(reshape->returns[0].alias.empty());
  const Schema* chunk = find_operator("aten.chunk.default");
  ASSERT_NE(chunk, nullptr);
  EXPECT_EQ(chunk->parameters[0].type.alias, "a");
}

TEST(SchemaTest, NoKernelIsListedTwice) {
  std::set<std::string> names;
  for (const Schema& schema : kernels()) {
    EXPECT_TRUE(names.insert(schema.name + "." + schema.overload).second) << schema.text;
  }
}

TEST(SchemaTest, OutArgumentsOfKernelsComeLast) {
  ASSERT_GT(kernels().size(), 200u);
  for (const Schema& schema : kernels()) {
    bool out = false;
    for (const Parameter& parameter : schema.parameters) {
      EXPECT_FALSE(out && !parameter.is_out) << schema.text;
      out = parameter.is_out;
    }
    EXPECT_EQ(find_kernel(schema.name, schema.overload), &schema);
  }
}

TEST(SchemaTest, FindsTheKernelOfAnOperator) {
  auto kernel = [](const char* target) -> std::string {
    const Schema* schema = kernel_for(target);
    return schema == nullptr ? "" : schema->name + "." + schema->overload;
  };
  EXPECT_EQ(kernel("aten.add.Tensor"), "aten::add.out");
  EXPECT_EQ(kernel("aten.add.Scalar"), "aten::add.Scalar_out");
  EXPECT_EQ(kernel("aten.permute_copy.default"), "aten::permute_copy.out");
  EXPECT_EQ(kernel("aten.permute.default"), "");
  EXPECT_EQ(kernel("aten.index_put.default"), "aten::index_put.out");
  EXPECT_EQ(kernel("aten.any.dim"), "aten::any.out");
  EXPECT_EQ(kernel("aten.any.default"), "aten::any.all_out");
  EXPECT_EQ(kernel("aten.max.dim"), "aten::max.dim_max");
  EXPECT_EQ(kernel("aten.max.default"), "aten::max.unary_out");
  EXPECT_EQ(kernel("aten.max.other"), "");
  EXPECT_EQ(kernel("aten.mean.default"), "aten::mean.dtype_out");
  EXPECT_EQ(kernel("aten.mean.dim"), "aten::mean.out");
  EXPECT_EQ(kernel("aten.sum.dim_IntList"), "aten::sum.IntList_out");
  EXPECT_EQ(kernel("aten.where.self"), "aten::where.self_out");
  EXPECT_EQ(kernel("aten.linear.default"), "aten::linear.out");
  EXPECT_EQ(kernel("aten.add_.Tensor"), "");
  EXPECT_EQ(kernel("aten.sym_size.int"), "aten::sym_size.int");
  EXPECT_EQ(kernel("aten.clone.default"), "aten::clone.out");
  EXPECT_EQ(kernel("aten.topk.default"), "aten::topk.values");
  EXPECT_EQ(kernel("aten.split_with_sizes_copy.default"), "aten::split_with_sizes_copy.out");
  EXPECT_EQ(kernel("aten.unbind_copy.int"), "aten::unbind_copy.int_out");
  EXPECT_EQ(kernel("aten.arange.start_step"), "aten::arange.start_out");
  EXPECT_EQ(kernel("aten.arange.default"), "aten::arange.out");
  EXPECT_EQ(kernel("aten.full.default"), "aten::full.out");
  EXPECT_EQ(kernel("quantized_decomposed.quantize_per_tensor.default"),
            "quantized_decomposed::quantize_per_tensor.out");
  EXPECT_EQ(kernel("quantized_decomposed.quantize_per_tensor.tensor"),
            "quantized_decomposed::quantize_per_tensor.Tensor_out");
  EXPECT_EQ(kernel("quantized_decomposed.choose_qparams.tensor"),
            "quantized_decomposed::choose_qparams.Tensor_out");
  EXPECT_NE(find_kernel("aten::copy_", ""), nullptr);
  EXPECT_NE(find_kernel("aten::index_put_", ""), nullptr);
  EXPECT_NE(find_kernel("executorch_prim::et_view", "default"), nullptr);
  EXPECT_EQ(find_kernel("aten::add", "no_such"), nullptr);
}

}  // namespace
}  // namespace slipway::schema
