#include "pt2/tree_reader.h"

#include <gtest/gtest.h>

#include "pt2/tree_writer.h"

namespace slipway::pt2 {
namespace {

constexpr char kLeaf[] = R"({"type": null, "context": null, "children_spec": []})";

std::string node(const std::string& type, const std::string& context,
                 const std::vector<std::string>& children) {
  std::string text =
      R"({"type": ")" + type + R"(", "context": )" + context + R"(, "children_spec": [)";
  for (size_t i = 0; i < children.size(); ++i) text += (i > 0 ? ", " : "") + children[i];
  return text + "]}";
}

Result<Tree> read(const std::string& spec) {
  return read_tree("[1, " + spec + "]", "spec", {{"geometry.Point", {"x", "y"}}});
}

// The tree as Python prints it, with letters for leaves.
std::string text_of(const std::string& spec) {
  const auto tree = read(spec);
  if (!tree.ok()) return tree.error().message();
  return tree->to_string({"a", "b", "c", "d"});
}

TEST(TreeReader, BuiltInTypes) {
  EXPECT_EQ(text_of(kLeaf), "a");
  EXPECT_EQ(text_of(node("builtins.tuple", R"("null")", {kLeaf})), "(a,)");
  EXPECT_EQ(text_of(node("builtins.list", R"("null")", {kLeaf, kLeaf})), "[a, b]");
  EXPECT_EQ(text_of(node("builtins.dict", R"("[\"k\", \"j\"]")",
                         {kLeaf, node("builtins.tuple", R"("null")", {})})),
            "{'k': a, 'j': ()}");
}

TEST(TreeReader, KeysThatAreNoStringsBecomeText) {
  const auto tree =
      read(node("builtins.dict", R"("[5, true, null, 0.5]")", {kLeaf, kLeaf, kLeaf, kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->keys, (std::vector<std::string>{"5", "True", "None", "0.5"}));
}

TEST(TreeReader, OtherTypesAreTheirNearestKind) {
  auto tree = read(node("collections.OrderedDict", R"("[\"k\"]")", {kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->kind, Tree::Kind::kDict);
  EXPECT_EQ(tree->type_name, "collections.OrderedDict");

  tree = read(node(
      "collections.defaultdict",
      R"({"default_factory_module": "builtins", "default_factory_name": "int", "dict_context": ["k"]})",
      {kLeaf}));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(tree->kind, Tree::Kind::kDict);
  EXPECT_EQ(tree->keys, std::vector<std::string>{"k"});
  // Older versions keep the inner context as a text.
  tree = read(node("collections.defaultdict", R"("{\"dict_context\": \"[\\\"k\\\"]\"}")", {kLeaf}));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(tree->keys, std::vector<std::string>{"k"});

  tree = read(node("collections.deque", R"("null")", {kLeaf, kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->kind, Tree::Kind::kList);
  EXPECT_EQ(tree->type_name, "collections.deque");
}

TEST(TreeReader, NamedTuplesAndRegisteredClasses) {
  auto tree = read(node("collections.namedtuple", R"("geometry.Point")", {kLeaf, kLeaf}));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(tree->kind, Tree::Kind::kNamedTuple);
  EXPECT_EQ(tree->type_name, "geometry.Point");
  EXPECT_EQ(tree->keys, (std::vector<std::string>{"x", "y"}));
  tree = read(node("collections.namedtuple", R"("\"unknown.Type\"")", {kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->type_name, "unknown.Type");
  EXPECT_TRUE(tree->keys.empty());

  // A dataclass with two fields, a mapping, and something else.
  tree = read(node("geometry.Pair", R"("[[\"left\", \"right\"], []]")", {kLeaf, kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->kind, Tree::Kind::kNamedTuple);
  EXPECT_EQ(tree->keys, (std::vector<std::string>{"left", "right"}));
  tree = read(node("my.Output", R"("[\"logits\"]")", {kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->kind, Tree::Kind::kDict);
  EXPECT_EQ(tree->type_name, "my.Output");
  tree = read(node("my.Opaque", R"("not JSON")", {kLeaf, kLeaf}));
  ASSERT_TRUE(tree.ok());
  EXPECT_EQ(tree->kind, Tree::Kind::kTuple);
}

TEST(TreeWriter, WritesWhatWasRead) {
  const std::string pair = node("builtins.tuple", R"("null")", {kLeaf, kLeaf});
  const std::string factory =
      R"({"default_factory_module": "builtins", "default_factory_name": "int", "dict_context": ["k"]})";
  const std::vector<std::string> specs = {
      kLeaf,
      node("builtins.list", R"("null")", {pair}),
      node("builtins.dict", R"("[\"5\", \"j\"]")", {kLeaf, pair}),
      node("builtins.dict", R"("[5, true, null, 0.5]")", {kLeaf, kLeaf, kLeaf, kLeaf}),
      node("collections.OrderedDict", R"("[\"k\"]")", {kLeaf}),
      node("collections.defaultdict", factory, {kLeaf}),
      node("collections.deque", R"("7")", {kLeaf}),
      node("collections.namedtuple", R"("geometry.Point")", {kLeaf, kLeaf}),
      node("geometry.Pair", R"("[[\"left\", \"right\"], []]")", {kLeaf, kLeaf}),
      node("my.Opaque", R"("not JSON")", {kLeaf, kLeaf})};
  for (const std::string& spec : specs) {
    const auto written = write_tree(read(spec).value());
    ASSERT_TRUE(written.ok()) << written.error().message();
    EXPECT_EQ(*written, "[1, " + spec + "]");
  }
  // As no archive has it.
  EXPECT_FALSE(write_tree({Tree::Kind::kTuple, {}, "my.Opaque", {}}).ok());
  EXPECT_FALSE(write_tree({Tree::Kind::kNone, {}, "", {}, "\"null\""}).ok());
}

TEST(TreeReader, RefusesWhatDoesNotFit) {
  const auto fails_with = [](const Result<Tree>& tree, const std::string& part) {
    ASSERT_FALSE(tree.ok());
    EXPECT_NE(tree.error().message().find(part), std::string::npos) << tree.error().message();
  };
  fails_with(read_tree("", "spec", {}), "not JSON");
  fails_with(read_tree("[1]", "spec", {}), "no tree");
  fails_with(read_tree("{}", "spec", {}), "no tree");
  fails_with(read_tree(std::string("[2, ") + kLeaf + "]", "spec", {}), "version 2");
  fails_with(read("{}"), "has no \"type\"");
  fails_with(read(R"({"type": "builtins.tuple", "context": null})"), "has no \"children_spec\"");
  fails_with(read(node("builtins.dict", R"("[\"k\"]")", {kLeaf, kLeaf})), "other keys");
  fails_with(read(node("builtins.dict", R"("null")", {kLeaf})), "other keys");
  fails_with(read(node("collections.namedtuple", R"("geometry.Point")", {kLeaf})), "2 fields");
  std::string deep = kLeaf;
  for (int i = 0; i < 100; ++i) deep = node("builtins.tuple", R"("null")", {deep});
  fails_with(read(deep), "nests past");
}

}  // namespace
}  // namespace slipway::pt2
