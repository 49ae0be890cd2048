#include "base/printable.h"

#include <string>

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(PrintableTest, PlainTextStays) {
  for (const char* text : {"", "aten.add.Tensor", "\u00e4\u4f60\u597d \U0001f680"}) {
    EXPECT_EQ(printable(text), text);
    EXPECT_EQ(printable_message(text), text);
    EXPECT_TRUE(is_utf8(text));
  }
}

TEST(PrintableTest, WhatATerminalObeysIsEscaped) {
  const std::pair<std::string, std::string> cases[] = {
      {"\x1b[2J", "\\x1b[2J"},
      {std::string("a\0b", 3), "a\\x00b"},
      {"\x7f\r\b", "\\x7f\\x0d\\x08"},
      {"\u009b2J", "\\u009b2J"},           // CSI of one character
      {"\u202e\u2066", "\\u202e\\u2066"},  // text turned around
      {"\u200b\u2028\ufeff", "\\u200b\\u2028\\ufeff"},
      {"\U000e0041", "\\ue0041"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(printable(text), expected);
    EXPECT_EQ(printable_message(text), expected);
  }
  EXPECT_EQ(printable("a\n\t\\"), "a\\x0a\\x09\\x5c");
  EXPECT_EQ(printable_message("a\n\t\\"), "a\n\t\\");
}

TEST(PrintableTest, WhatIsNotUtf8IsEscapedByteByByte) {
  const std::pair<std::string, std::string> cases[] = {
      {"\x80z", "\\x80z"},
      {"\xc0\xaf", "\\xc0\\xaf"},                    // a longer form than needed
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // half of a pair
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // past the last character
      {"\xe4\xbd", "\\xe4\\xbd"},                    // cut short
      {"\xff\xe4\xbd\xa0", "\\xff\u4f60"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_EQ(printable(text), expected);
  }
}

}  // namespace
}  // namespace slipway
