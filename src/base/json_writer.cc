#include "base/json_writer.h"

#include <span>

#include <fmt/core.h>

#include "base/piece_writer.h"

namespace slipway {

void JsonWriter::separate() {
  if (needs_comma_) text_ += ", ";
  needs_comma_ = true;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  text_ += bracket;
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  text_ += bracket;
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  value(name);
  text_ += ": ";
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  text_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (c == '\n') {
      text_ += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text_ += c;
    }
  }
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::left_where_it_is(OwnedSpan text) {
  separate();
  text_ += '"';
  left_out_.emplace_back(text_.size(), std::move(text));
  text_ += '"';
  return *this;
}

ByteSource JsonWriter::take_source() {
  const OwnedSpan whole = own_bytes(std::move(text_));
  PieceList pieces;
  size_t begin = 0;
  for (auto& [place, text] : left_out_) {
    pieces.add(OwnedSpan{whole.bytes.subspan(begin, place - begin), whole.owner});
    pieces.add(std::move(text));
    begin = place;
  }
  pieces.add(OwnedSpan{whole.bytes.subspan(begin), whole.owner});
  return source_of(std::move(pieces));
}

JsonWriter& JsonWriter::value(bool flag) {
  separate();
  text_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::value(int64_t number) {
  separate();
  text_ += fmt::format("{}", number);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  separate();
  const std::string digits = fmt::format("{}", number);
  text_ += digits;
  // Without one of these it would be an integer.
  if (digits.find_first_of(".e") == std::string::npos) text_ += ".0";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  text_ += "null";
  return *this;
}

JsonWriter& JsonWriter::copy(JsonValue from) {
  switch (from.kind()) {
    case JsonValue::Kind::kAbsent:
    case JsonValue::Kind::kNull:
      return null();
    case JsonValue::Kind::kBool:
      return value(from.to_bool());
    case JsonValue::Kind::kInt:
      return value(from.to_int());
    case JsonValue::Kind::kFloat:
      return value(from.to_double());
    case JsonValue::Kind::kString:
      return value(from.to_long_string_view());
    case JsonValue::Kind::kArray:
      begin_array();
      for (JsonValue item : from.items()) copy(item);
      return end_array();
    case JsonValue::Kind::kObject:
      begin_object();
      for (auto [name, item] : from.members()) {
        key(name);
        copy(item);
      }
      return end_object();
  }
  return null();
}

}  // namespace slipway
