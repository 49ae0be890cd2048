// JSON texts written from front to back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/json.h"

namespace slipway {

// `json.begin_object().key("a").value(1).end_object()`; commas are added. Whoever writes sees to it
// that what is opened is closed. Not thread-safe.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  // UTF-8.
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(int64_t number);
  JsonWriter& value(int number) { return value(static_cast<int64_t>(number)); }
  // As many digits as give the same number again; JSON has no infinities and NaNs, and requires
  // that there are none.
  JsonWriter& value(double number);
  JsonWriter& null();
  // What a document has at this place.
  JsonWriter& copy(JsonValue value);

  // A string of printable ASCII without quotes and backslashes, as JsonValue::left_in_text() gives
  // it. It stays where it lies until take_source() is written, and is "" in text().
  JsonWriter& left_where_it_is(OwnedSpan text);

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }
  // The whole text.
  ByteSource take_source();

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  // Before each value.
  void separate();

  std::string text_;
  // What is left out of it, by place.
  std::vector<std::pair<size_t, OwnedSpan>> left_out_;
  bool needs_comma_ = false;
};

}  // namespace slipway
