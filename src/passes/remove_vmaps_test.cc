#include <functional>

#include "passes/passes.h"
#include "passes/program_test.h"

namespace slipway::passes {
namespace {

using ir::Argument;
using ir::Node;
using ir::SymInt;
using ir::TensorType;
using ir::Value;

// Programs with torch.vmap's marks.
struct Marks : TestProgram {
  static constexpr const char* kMark = "torch._functorch.predispatch.";

  Node* mark(const std::string& name, std::vector<Argument> args) {
    return graph().add_node(kMark + name, std::move(args), {});
  }
  void begin(SymInt size, const std::string& randomness = "error") {
    mark("lazy_load_decompositions", {});
    mark("_vmap_increment_nesting", {std::move(size), randomness});
  }
  void end() { mark("_vmap_decrement_nesting", {}); }
  Value* element(Value* x, int64_t dim, int64_t level = 1) {
    TensorType result = x->type();
    result.sizes.erase(result.sizes.begin() + dim);
    Node* node = mark("_add_batch_dim", {x, SymInt(dim), SymInt(level)});
    return graph().add_output(node, result, "element");
  }
  Value* whole(Value* x, const SymInt& size, int64_t dim = 0, int64_t level = 1) {
    TensorType result = x->type();
    result.sizes.insert(result.sizes.begin() + dim, size);
    Node* node = mark("_remove_batch_dim", {x, SymInt(level), size, SymInt(dim)});
    return graph().add_output(node, result, "whole");
  }
};

class RemoveVmapsTest : public testing::Test, protected Marks {
 protected:
  // What becomes of the node that `make` makes of an element of x and of one of y, which are
  // batches of 3.
  Ops batched(const TensorType& x, const TensorType& y,
              const std::function<Value*(Value*, Value*)>& make) {
    Value* a = input("x", x);
    Value* b = input("y", y);
    begin(3);
    Value* made = make(element(a, 0), element(b, 0));
    output(whole(made, 3));
    end();
    const std::vector<SymInt> sizes = result(0)->sizes();
    EXPECT_TRUE(apply(remove_vmaps).ok());
    EXPECT_EQ(result(0)->sizes(), sizes);
    return ops();
  }
};

TEST_F(RemoveVmapsTest, ElementsAreAlignedAtTheirRight) {
  const Ops got = batched(type({3}), type({3, 4}), [&](Value* a, Value* b) {
    return call("aten.add.Tensor", {a, b, SymInt(1)}, type({4}), "sum");
  });
  EXPECT_EQ(got, (Ops{"aten.view_copy.default", "aten.add.Tensor"}));
  EXPECT_EQ(at(0)->output()->sizes(), (Ints{3, 1}));
}

// An int64 vector and a float64 without dimensions meet in float64, and so does their batch, where
// both have dimensions; of float32 and float64 the latter gives way.
TEST_F(RemoveVmapsTest, NumbersWithoutDimensionsGiveWay) {
  const Ops got = batched(type({3}, DType::kFloat64), type({3, 4}), [&](Value* a, Value* b) {
    return call("aten.mul.Tensor", {a, b}, type({4}), "product");
  });
  EXPECT_EQ(got, (Ops{"aten.view_copy.default", "aten._to_copy.default", "aten.mul.Tensor"}));
  EXPECT_EQ(at(1)->output()->dtype(), DType::kFloat32);
}

TEST_F(RemoveVmapsTest, DimensionsLieOneFurtherBack) {
  batched(type({3, 4, 5}), type({3}), [&](Value* a, Value*) {
    return call("aten.sum.dim_IntList", {a, Ints{-2}, false, ir::None{}}, type({5}), "sum");
  });
  EXPECT_EQ(ops(), Ops{"aten.sum.dim_IntList"});
  EXPECT_EQ(std::get<Ints>(at(0)->arg(1)), Ints{1});
}

TEST_F(RemoveVmapsTest, ViewsKeepTheBatch) {
  batched(type({3, 4, 5}), type({3}), [&](Value* a, Value*) {
    Value* turned = call("aten.transpose.int", {a, SymInt(0), SymInt(1)}, type({5, 4}), "turned");
    return call("aten.view.default", {turned, Ints{-1}}, type({20}), "flat");
  });
  EXPECT_EQ(ops(), (Ops{"aten.permute_copy.default", "aten.view_copy.default"}));
  EXPECT_EQ(at(0)->output()->sizes(), (Ints{3, 5, 4}));
}

TEST_F(RemoveVmapsTest, ProductsAreOneProduct) {
  const Ops got = batched(type({3, 2, 4}), type({3, 4}), [&](Value* a, Value* b) {
    return call("aten.mv.default", {a, b}, type({2}), "product");
  });
  EXPECT_EQ(got, (Ops{"aten.view_copy.default", "aten.matmul.default", "aten.view_copy.default"}));
}

// x[i] of a table that is no batch; the batch lies where the index was.
TEST_F(RemoveVmapsTest, IndicesBringTheBatchWithThem) {
  Value* table = input("table", type({5, 6}));
  batched(type({3, 2}, DType::kInt64), type({3}), [&](Value* a, Value*) {
    return call("aten.index.Tensor", {table, std::vector<Value*>{nullptr, a}}, type({5, 2}), "x");
  });
  EXPECT_EQ(ops(), (Ops{"aten.index.Tensor", "aten.permute_copy.default"}));
  EXPECT_EQ(at(0)->output()->sizes(), (Ints{5, 3, 2}));
}

TEST_F(RemoveVmapsTest, WhatHasNoRuleIsALoop) {
  Value* given = input("given", type({4}));
  const Ops got = batched(type({3, 4}), type({3, 4}), [&](Value* a, Value*) {
    return call("aten.frobnicate.default", {a, given, a}, type({2}), "y");
  });
  EXPECT_EQ(got, Ops{"higher_order.map_impl"});
  EXPECT_EQ(std::get<std::vector<Value*>>(at(0)->arg(1)).size(), 1U);
  EXPECT_EQ(std::get<std::vector<Value*>>(at(0)->arg(2)), std::vector<Value*>{given});
  const auto& body = *std::get<std::shared_ptr<ir::Graph>>(at(0)->arg(0));
  EXPECT_EQ(ops(body), Ops{"aten.frobnicate.default"});
  EXPECT_EQ(body.inputs().size(), 2U);
}

// Distances between the rows of two matrices of a dynamic number of rows.
TEST_F(RemoveVmapsTest, OneInAnother) {
  const SymInt rows = SymInt::symbol("s0");
  program.ranges["s0"] = {0, 8};
  Value* x = input("x", type({rows, 4}));
  Value* y = input("y", type({5, 4}));
  begin(rows);
  Value* a = element(x, 0);
  begin(5);
  Value* b = element(y, 0, 2);
  Value* difference = call("aten.sub.Tensor", {a, b, SymInt(1)}, type({4}), "difference");
  Value* sum = call("aten.sum.default", {difference, ir::None{}}, type({}), "sum");
  Value* inner = whole(sum, 5, 0, 2);
  end();
  output(whole(inner, rows, 1));
  end();
  ASSERT_TRUE(apply(remove_vmaps).ok());
  EXPECT_EQ(ops(), (Ops{"aten.view_copy.default", "aten.sub.Tensor", "aten.view_copy.default",
                        "aten.sum.dim_IntList", "aten.permute_copy.default"}));
  EXPECT_EQ(at(1)->output()->sizes(), (Ints{rows, 5, 4}));
  EXPECT_EQ(result(0)->sizes(), (Ints{5, rows}));
}

TEST_F(RemoveVmapsTest, WhatIsNoElementIsRepeated) {
  Value* x = input("x", type({4}));
  begin(3);
  output(whole(x, 3, 1));
  end();
  ASSERT_TRUE(apply(remove_vmaps).ok());
  EXPECT_EQ(ops(), (Ops{"aten.expand_copy.default", "aten.permute_copy.default"}));
  EXPECT_EQ(result(0)->sizes(), (Ints{4, 3}));
}

TEST_F(RemoveVmapsTest, RandomNumbersDifferOrAreThoseOfOneElement) {
  for (const std::string randomness : {"different", "same"}) {
    begin(3, randomness);
    output(whole(call("aten.rand.default", {Ints{4}}, type({4}), "numbers"), 3));
    end();
  }
  ASSERT_TRUE(apply(remove_vmaps).ok());
  EXPECT_EQ(ops(), (Ops{"aten.rand.default", "aten.rand.default", "aten.expand_copy.default"}));
  EXPECT_EQ(at(0)->output()->sizes(), (Ints{3, 4}));
  EXPECT_EQ(at(1)->output()->sizes(), Ints{4});
}

TEST_F(RemoveVmapsTest, RandomNumbersThatNothingIsSaidOfAreRefused) {
  Value* x = input("x", type({3, 4}));
  begin(3, "same");
  output(whole(call("aten.bernoulli.default", {element(x, 0)}, type({4}), "numbers"), 3));
  end();
  const Status status = remove_vmaps(program);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message().find("randomness='same'"), std::string::npos);
}

TEST_F(RemoveVmapsTest, MarksThatDoNotFitAreErrors) {
  const auto refuses = [](void (*build)(Marks&, Value*)) {
    Marks test;
    build(test, test.input("x", type({3, 4})));
    const Status status = remove_vmaps(test.program);
    return !status.ok() && status.error().message().find("do not fit") != std::string::npos;
  };
  EXPECT_TRUE(refuses([](Marks& t, Value*) { t.begin(3); }));
  EXPECT_TRUE(refuses([](Marks& t, Value*) { t.end(); }));
  EXPECT_TRUE(refuses([](Marks& t, Value* x) {  // of another size
    t.begin(4);
    t.element(x, 0);
    t.end();
  }));
  EXPECT_TRUE(refuses([](Marks& t, Value* x) {  // an element outside
    t.begin(3);
    Value* a = t.element(x, 0);
    t.end();
    t.output(a);
  }));
  EXPECT_TRUE(refuses([](Marks& t, Value* x) {  // of no dimension
    t.begin(3);
    t.mark("_add_batch_dim", {x, SymInt(2), SymInt(1)});
    t.end();
  }));
  EXPECT_TRUE(refuses([](Marks& t, Value* x) {
    t.begin(3);
    t.whole(t.element(x, 0), 5);
    t.end();
  }));
  EXPECT_TRUE(refuses([](Marks& t, Value*) {
    t.mark("_vmap_increment_nesting", {});
    t.end();
  }));
}

}  // namespace
}  // namespace slipway::passes
