// Writing JSON (base/json.h reads it).
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace slipway::engine {

using OrderedJson = nlohmann::ordered_json;

// As text, without spaces or indented. What is not UTF-8 is replaced, not refused: names are bytes
// to us.
std::string dump_json(const OrderedJson& json, int indent = -1);

template <class T, class ToJson>
OrderedJson array_to_json(const std::vector<T>& items, const ToJson& to_json) {
  OrderedJson json = OrderedJson::array();
  for (const T& item : items) json.push_back(to_json(item));
  return json;
}

}  // namespace slipway::engine
