#include "schema/traits.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "schema/operator_name.h"
#include "schema/schema.h"

namespace slipway::schema {
namespace {

TEST(Traits, HoldForAllFormsOfAName) {
  for (const char* op : {"aten.view.default", "aten.view_copy.default", "aten.squeeze.dims",
                         "aten.squeeze_copy.dim", "aten.squeeze_.dim"}) {
    EXPECT_EQ(trait_of(op), Trait::kReshaped) << op;
    EXPECT_TRUE(only_moves(op)) << op;
  }
  EXPECT_EQ(trait_of("aten._to_copy.default"), Trait::kConverted);
  EXPECT_FALSE(only_moves("aten._to_copy.default"));
  EXPECT_EQ(trait_of("aten.bernoulli_.float"), Trait::kRandom);
  EXPECT_EQ(trait_of("aten.add.Tensor"), Trait::kNone);
  EXPECT_EQ(trait_of("view.default"), Trait::kNone);
  EXPECT_EQ(trait_of("custom.view.default"), Trait::kNone);
}

TEST(Traits, AnOverloadMayDoSomethingElse) {
  EXPECT_FALSE(only_moves("aten.view.dtype"));
  EXPECT_FALSE(only_moves("aten.view_copy.dtype"));
  EXPECT_FALSE(only_moves("aten.repeat_interleave.Tensor"));
  EXPECT_TRUE(only_moves("aten.repeat_interleave.self_int"));
  EXPECT_FALSE(only_moves("aten.index_copy.default"));
}

// By PyTorch's own word for it: a result that may share memory with the first argument.
bool is_view(const Schema& op) {
  const auto aliases = [](const Type& type) { return !type.alias.empty() && !type.is_mutable(); };
  return std::any_of(op.returns.begin(), op.returns.end(), aliases) &&
         std::none_of(op.parameters.begin(), op.parameters.end(),
                      [](const Parameter& parameter) { return parameter.type.is_mutable(); });
}

TEST(Traits, KnowEveryView) {
  // Complex numbers in other forms, which no kernel and no engine has.
  const std::set<std::string_view> kComplex = {"_conj", "_neg_view",       "conj",        "imag",
                                               "real",  "view_as_complex", "view_as_real"};
  size_t count = 0;
  for (const Schema& op : operators()) {
    const std::string target = op.target();
    if (!is_view(op) || kComplex.contains(base_name(target))) continue;
    ++count;
    const Trait trait = trait_of(target);
    EXPECT_TRUE(only_moves(target) || trait == Trait::kConverted || trait == Trait::kOther)
        << target << " is a view: which kind of one?";
  }
  EXPECT_GT(count, 50U);
}

TEST(Traits, KnowEveryOperatorThatDraws) {
  // Of these, what is drawn matters in training alone.
  const std::set<std::string_view> kOfTraining = {"rrelu", "rrelu_", "rrelu_with_noise_functional"};
  size_t count = 0;
  for (const Schema& op : operators()) {
    const std::string target = op.target();
    const bool draws = std::any_of(
        op.parameters.begin(), op.parameters.end(),
        [](const Parameter& parameter) { return parameter.type.base == BaseType::kGenerator; });
    if (!draws || kOfTraining.contains(base_name(target))) continue;
    ++count;
    EXPECT_EQ(trait_of(target), Trait::kRandom) << target;
  }
  EXPECT_GT(count, 20U);
}

TEST(Traits, KnowEveryAssertion) {
  for (const Schema& op : operators()) {
    const std::string target = op.target();
    if (target.find("assert") == std::string::npos) continue;
    EXPECT_EQ(trait_of(target), Trait::kAssertion) << target;
  }
}

// Whether an operator of this name exists, in any form.
TEST(Traits, NameWhatExists) {
  std::set<std::string> names;
  for (const Schema& op : operators()) {
    std::string target = op.target();
    target.erase(0, target.find('.') + 1);
    names.insert(target);
    for (std::string name = target.substr(0, target.find('.')); !name.empty();) {
      names.insert(name);
      const size_t length = name.ends_with("_copy") ? 5 : name.ends_with('_') ? 1 : name.size();
      name.resize(name.size() - length);
    }
  }
  for (const Trait trait : {Trait::kSame, Trait::kReshaped, Trait::kPermuted, Trait::kExpanded,
                            Trait::kMoved, Trait::kConverted, Trait::kOther}) {
    for (const std::string& name : names_of(trait)) EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Traits, TellIndicesByTheirNames) {
  EXPECT_TRUE(is_index_argument("aten.embedding.default", 1));
  EXPECT_TRUE(is_index_argument("aten.embedding_bag.padding_idx", 2));  // where each bag starts
  EXPECT_TRUE(is_index_argument("aten.index_put.default", 1));
  EXPECT_TRUE(is_index_argument("aten.scatter_reduce.two", 2));
  EXPECT_FALSE(is_index_argument("aten.scatter_reduce.two", 3));
  EXPECT_FALSE(is_index_argument("aten.select.int", 2));  // a number
  EXPECT_FALSE(is_index_argument("aten._unsafe_masked_index.default", 2));
  EXPECT_FALSE(is_index_argument("aten.gather.default", 9));
  EXPECT_FALSE(is_index_argument("custom.gather.default", 2));
}

}  // namespace
}  // namespace slipway::schema
