#include "base/json_writer.h"

#include <limits>

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(JsonWriter, PutsCommasBetweenValues) {
  JsonWriter json;
  json.begin_object().key("a").begin_array().end_array().key("b").begin_array();
  json.value(1).value("two").begin_object().end_object().null().end_array();
  json.key("c").value(true).end_object();
  EXPECT_EQ(json.take(), R"({"a": [], "b": [1, "two", {}, null], "c": true})");
}

TEST(JsonWriter, EscapesTexts) {
  JsonWriter json;
  json.value(std::string_view("\"\\\n\t\0\x7f\u00e9", 8));
  EXPECT_EQ(json.take(), "\"\\\"\\\\\\n\\u0009\\u0000\x7f\u00e9\"");
}

TEST(JsonWriter, CopiesWhatADocumentHas) {
  const std::string text =
      R"({"s": "a\n\"b\"", "n": [-9223372036854775808, 1.0, 0.1, 1e+300, -0.0], "o": {"k": [false, null]}})";
  const auto document = JsonDocument::parse(text, "t");
  ASSERT_TRUE(document.ok());
  JsonWriter json;
  EXPECT_EQ(json.copy((*document)->root()).take(), text);
}

TEST(JsonWriter, TextsMayStayWhereTheyAre) {
  const OwnedSpan first = own_bytes("abc");
  JsonWriter json;
  json.begin_object().key("a").left_where_it_is(first).key("b").begin_array();
  json.left_where_it_is(own_bytes("")).left_where_it_is(own_bytes("d")).value(1);
  json.end_array().end_object();
  EXPECT_EQ(json.text(), R"({"a": "", "b": ["", "", 1]})");
  EXPECT_EQ(first.owner.use_count(), 2);
  const ByteSource source = json.take_source();
  std::string written;
  const std::byte* lies_at = nullptr;
  const Status status = source.write([&](std::span<const std::byte> bytes) {
    if (bytes.size() == 3) lies_at = bytes.data();
    written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Status();
  });
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(written, R"({"a": "abc", "b": ["", "d", 1]})");
  EXPECT_EQ(source.size(), written.size());
  EXPECT_EQ(lies_at, first.bytes.data());
}

TEST(JsonWriter, NumbersComeBackAsTheyWere) {
  for (const double number : {0.0, 1.0 / 3, 5e-324, std::numeric_limits<double>::max(), 1e22}) {
    JsonWriter json;
    const auto document = JsonDocument::parse(json.value(number).text(), "t");
    ASSERT_TRUE(document.ok());
    EXPECT_EQ((*document)->root().kind(), JsonValue::Kind::kFloat) << number;
    EXPECT_EQ((*document)->root().to_double(), number);
  }
}

}  // namespace
}  // namespace slipway
