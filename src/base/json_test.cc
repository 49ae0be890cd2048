#include "base/json.h"

#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/memory_limit_test.h"

namespace slipway {
namespace {

std::unique_ptr<JsonDocument> parse(std::string_view text) {
  auto document = JsonDocument::parse(text, "m.json");
  if (!document.ok()) ADD_FAILURE() << document.error().message();
  return document.ok() ? *std::move(document) : nullptr;
}

std::string problem_of(std::string_view text) {
  const auto document = JsonDocument::parse(text, "m.json");
  return document.ok() ? "" : document.error().message();
}

TEST(Json, ReadsEveryKindOfValue) {
  const auto document = parse(
      R"({"n": null, "t": true, "i": -3, "f": 2.5, "s": "aé\n\"b", "a": [1, [], {}], "o": {"k": 9}})");
  const JsonValue root = document->root();
  EXPECT_EQ(root.size(), 7U);
  EXPECT_TRUE(root["n"].is_none());
  EXPECT_TRUE(root["t"].to_bool());
  EXPECT_EQ(root["i"].to_int(), -3);
  EXPECT_EQ(root["i"].to_double(), -3.0);
  EXPECT_EQ(root["f"].to_double(), 2.5);
  EXPECT_EQ(root["s"].to_string_view(), "a\u00e9\n\"b");
  std::vector<size_t> sizes;
  for (JsonValue item : root["a"].items()) sizes.push_back(item.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{0, 0, 0}));
  EXPECT_EQ(root["o"].to_union().first, "k");
  EXPECT_EQ(root["o"].to_union().second.to_int(), 9);
  std::string keys;
  for (auto [key, item] : root.members()) keys += key;
  EXPECT_EQ(keys, "ntifsao");
  EXPECT_TRUE(document->status().ok());
}

TEST(Json, TheLastOfTwoMembersCounts) {
  EXPECT_EQ(parse(R"({"a": 1, "a": 2})")->root()["a"].to_int(), 2);
}

TEST(Json, KeepsTheFirstMisuseWithItsPath) {
  const auto document = parse(R"({"graph": {"nodes": [{"target": "x"}, {"target": 5}]}})");
  for (JsonValue node : document->root()["graph"]["nodes"].items()) {
    node["target"].to_string_view();
    node["missing"].to_int();
  }
  EXPECT_EQ(document->status().error().message(), "m.json: graph.nodes[0] has no \"missing\"");
  EXPECT_EQ(document->status().error().code(), ErrorCode::kInvalidFile);

  const auto other = parse(R"({"a": [{"b": 1}, 2, {"c": [true]}]})");
  JsonValue last;
  for (JsonValue item : other->root()["a"].items()) last = item;
  EXPECT_EQ((*last["c"].items().begin()).to_int(), 0);
  EXPECT_EQ(other->status().error().message(), "m.json: a[2].c[0] is not an integer of 64 bits");
}

TEST(Json, WrongTypesGiveEmptyValues) {
  const char* text = R"([1, "s"])";
  const auto check = [&](const auto& use) {
    const auto document = parse(text);
    use(document->root());
    EXPECT_FALSE(document->status().ok());
  };
  check([](JsonValue v) { EXPECT_EQ(v.to_int(), 0); });
  check([](JsonValue v) { EXPECT_EQ(v.to_string_view(), ""); });
  check([](JsonValue v) { EXPECT_FALSE(v.to_bool()); });
  check([](JsonValue v) { EXPECT_EQ(v.to_double(), 0.0); });
  check([](JsonValue v) { EXPECT_TRUE(v["key"].is_absent()); });
  check([](JsonValue v) { EXPECT_TRUE(v.to_union().second.is_absent()); });
  check([](JsonValue v) { EXPECT_FALSE(v.members().begin() != v.members().end()); });
  // What is absent stays silent: its absence has been recorded already.
  const auto document = parse("{}");
  document->root().find("a").find("b").to_int();
  EXPECT_TRUE(document->status().ok());
  EXPECT_FALSE(document->root().find("a").items().begin() !=
               document->root().find("a").items().end());
}

TEST(Json, NumbersPast64BitsAreFloats) {
  const auto document = parse("[18446744073709551615, -9223372036854775808, 1e300]");
  auto item = document->root().items().begin();
  EXPECT_EQ((*item).kind(), JsonValue::Kind::kFloat);
  ++item;
  EXPECT_EQ((*item).to_int(), std::numeric_limits<int64_t>::min());
  ++item;
  EXPECT_EQ((*item).to_double(), 1e300);
}

TEST(Json, RefusesWhatIsNoJson) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\" 1}", "nul", "1 2", "\"\xff\"", "[1e999]",
                           "{\"a\":1}}", "NaN", "\"\\ud800\""}) {
    EXPECT_NE(problem_of(text).find("m.json is not JSON at byte"), std::string::npos)
        << text << ": " << problem_of(text);
  }
}

TEST(Json, DepthAndSizeAreCapped) {
  EXPECT_EQ(problem_of(std::string(256, '[') + std::string(256, ']')), "");
  EXPECT_EQ(problem_of(std::string(257, '[') + std::string(257, ']')),
            "m.json nests past 256 levels");
  EXPECT_EQ(problem_of(std::string(1'000'000, '[')), "m.json nests past 256 levels");
  std::string objects;
  for (int i = 0; i < 300; ++i) objects += "{\"a\":";
  EXPECT_EQ(problem_of(objects), "m.json nests past 256 levels");
  const auto document = JsonDocument::parse("[1, 2, 3]", "m.json", {.text = 8, .depth = 4});
  ASSERT_FALSE(document.ok());
  EXPECT_EQ(document.error().message(),
            "m.json is a JSON text of 9 bytes, more than the 8 that are allowed");
}

constexpr size_t kMiB = size_t{1} << 20;

// `count` times the item, in an array.
std::string array_of(std::string_view item, size_t count) {
  std::string text = "[";
  for (size_t i = 0; i < count; ++i) text.append(item).push_back(',');
  text.back() = ']';
  return text;
}

TEST(Json, TakesNoMoreMemoryThanItsTextDeserves) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  // As many values as are allowed, and as many bytes in strings.
  for (const auto& text : {array_of("101", 10 * kMiB),
                           array_of(R"("a name of 32 bytes, in quotes")", kMiB + kMiB / 4)}) {
    in_child([&]() -> std::string {
      if (!limit_data(9 * kMiB + 9 * text.size() / 4 + 2 * kMiB)) return "no limit";
      return problem_of(text);
    });
  }
  // What is refused takes nothing.
  const std::string dense = array_of("0", 40 * kMiB);
  const std::string empties = array_of("[]", 20 * kMiB);
  const std::string name = '"' + std::string(40 * kMiB, 'x') + '"';
  in_child([&]() -> std::string {
    if (!limit_data(2 * kMiB)) return "no limit";
    EXPECT_EQ(problem_of(dense),
              "m.json has 41943041 values in 83886081 bytes of JSON, more than the 22020096 that "
              "are allowed");
    EXPECT_NE(problem_of(empties).find("more than the 16777216 that are allowed"),
              std::string::npos);
    EXPECT_EQ(problem_of(name),
              "m.json has a string or number of 41943040 bytes, more than the 8388608 that are "
              "allowed");
    return testing::Test::HasFailure() ? "see above" : "";
  });
}

// Data in Base64, which are left where they are.
TEST(Json, LongStringsStayInTheText) {
  const std::string data(9 * kMiB, 'x');
  const auto text =
      own_bytes(R"(["\u00e9", {"a b": ")" + data + R"("}, ")" + data + R"(", "end"])");
  const auto document = JsonDocument::parse(text, "m.json");
  ASSERT_TRUE(document.ok()) << document.error().message();
  auto item = (*document)->root().items().begin();
  EXPECT_EQ((*item).to_string_view(), "\xc3\xa9");
  ++item;
  const std::string_view first = (*item)["a b"].to_long_string_view();
  EXPECT_EQ(first, data);
  EXPECT_EQ(static_cast<const void*>(first.data()), text.bytes.data() + 20);
  ++item;
  EXPECT_EQ((*item).to_long_string_view(), data);
  EXPECT_TRUE((*document)->status().ok());
  EXPECT_EQ((*item).to_string_view(), "");
  EXPECT_EQ((*document)->status().error().message(), "m.json: [2] has 9437184 bytes");
  ++item;
  EXPECT_EQ((*item).to_long_string_view(), "end");
  // What they are not.
  for (const std::string& other :
       {"{\"" + data + "\": 1}", "[\"\\n" + data + "\"]", "[\"\xc3\xa9" + data + "\"]",
        "[1" + data + "]", "[\"" + data + "\"", "\"" + data}) {
    EXPECT_FALSE(JsonDocument::parse(own_bytes(other), "m.json").ok()) << other.substr(0, 8);
  }
  EXPECT_NE(problem_of("\"" + data + "\""), "") << "nobody keeps the text";
}

// What stays in the text is not counted.
TEST(Json, LimitsAreOfWhatIsNotLeftInTheText) {
  const auto problem = [](const std::string& start, size_t values) -> std::string {
    const JsonDocument::Limits limits = {.text = 100, .values = values, .held = 10};
    const auto text = own_bytes(start + std::string(1000, 'x') + "\"]");
    const auto document = JsonDocument::parse(text, "m.json", limits);
    return document.ok() ? "" : document.error().message();
  };
  EXPECT_EQ(problem(R"(["a", ")", 10), "");
  EXPECT_NE(problem("[" + std::string(100, ' ') + "\"", 10).find("a JSON text of 104 bytes"),
            std::string::npos);
  EXPECT_NE(problem("[1, 2, 3, 4, \"", 1).find("values in"), std::string::npos);
  EXPECT_EQ(problem("[1, 2, 3, 4, \"", 2), "");
}

// Those that any string may be as long as are read as others are, too.
TEST(Json, StringsThatAreLeftInTheTextAreStrings) {
  const std::string data(70'000, 'x');
  const auto text = own_bytes("{\"" + data + "\": \"" + data + "\", \"a\": \"b\", \"\\n\": 1}");
  const auto document = JsonDocument::parse(text, "m.json");
  ASSERT_TRUE(document.ok()) << document.error().message();
  const JsonValue root = (*document)->root();
  EXPECT_EQ(root[data].to_string_view(), data);
  const auto left = root[data].left_in_text();
  ASSERT_TRUE(left.has_value());
  EXPECT_EQ(left->bytes.data(), text.bytes.data() + data.size() + 6);
  EXPECT_EQ(left->bytes.size(), data.size());
  EXPECT_EQ(left->owner, text.owner);
  EXPECT_FALSE(root["a"].left_in_text().has_value());
  EXPECT_FALSE(root["\n"].left_in_text().has_value());
  EXPECT_FALSE(root.left_in_text().has_value());
  EXPECT_TRUE((*document)->status().ok());
}

TEST(Json, LongStringsTakeNoMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  const auto text = own_bytes("[\"" + std::string(200 * kMiB, 'x') + "\", 1]");
  in_child([&]() -> std::string {
    if (!limit_data(2 * kMiB)) return "no limit";
    const auto document = JsonDocument::parse(text, "m.json");
    return document.ok() ? "" : document.error().message();
  });
}

}  // namespace
}  // namespace slipway
