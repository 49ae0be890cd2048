// Reading JSON that comes from files. Errors name the member.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/try.h"
#include "slipway/result.h"

namespace slipway::engine {

// Members are found in logarithmic time; the ordered kind searches one by one, also while it
// parses.
using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

// A reader allocates in proportion to the text; these bound what a hostile file can ask for.
inline constexpr size_t kMaxJsonText = size_t{64} << 20;
inline constexpr size_t kMaxJsonValues = size_t{1} << 20;

// A JSON object.
Result<Json> parse_json(std::string_view text);
// As text without spaces. What is not UTF-8 is replaced, not refused: names are bytes to us.
std::string dump_json(const OrderedJson& json);

Error wrong_type(const char* key);
Result<const Json*> member(const Json& object, const char* key);

// `key` is for the error.
template <class T>
Status read_item(const Json& json, const char* key, T& out);
template <>
Status read_item(const Json& json, const char* key, std::string& out);
template <>
Status read_item(const Json& json, const char* key, bool& out);
template <>
Status read_item(const Json& json, const char* key, int64_t& out);
template <>
Status read_item(const Json& json, const char* key, uint64_t& out);

template <class T>
Status read_member(const Json& object, const char* key, T& out) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json* json, member(object, key));
  return read_item<T>(*json, key, out);
}

// `read` is as read_item.
template <class T, class Read>
Status read_array(const Json& object, const char* key, std::vector<T>& out, const Read& read) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json* json, member(object, key));
  if (!json->is_array()) return wrong_type(key);
  out.reserve(json->size());
  for (const Json& item : *json) {
    T value;
    SLIPWAY_RETURN_IF_ERROR(read(item, key, value));
    out.push_back(std::move(value));
  }
  return {};
}

Status read_texts(const Json& object, const char* key, std::map<std::string, std::string>& out);

template <class T, class ToJson>
OrderedJson array_to_json(const std::vector<T>& items, const ToJson& to_json) {
  OrderedJson json = OrderedJson::array();
  for (const T& item : items) json.push_back(to_json(item));
  return json;
}

}  // namespace slipway::engine
