#include "engine/json.h"

namespace slipway::engine {
namespace {

// Stops where there are too many values. The parser's own callback would do, but with one the
// parser searches all earlier items of an array at the end of each object in it.
class Counter final : public nlohmann::json_sax<Json> {
 public:
  bool is_full() const { return count_ > kMaxJsonValues; }

  bool null() override { return add(); }
  bool boolean(bool) override { return add(); }
  bool number_integer(int64_t) override { return add(); }
  bool number_unsigned(uint64_t) override { return add(); }
  bool number_float(double, const std::string&) override { return add(); }
  bool string(std::string&) override { return add(); }
  bool binary(Json::binary_t&) override { return add(); }
  bool start_object(size_t) override { return add(); }
  bool key(std::string&) override { return add(); }
  bool end_object() override { return add(); }
  bool start_array(size_t) override { return add(); }
  bool end_array() override { return add(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  bool add() {
    ++count_;
    return !is_full();
  }

  size_t count_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (text.size() > kMaxJsonText) return invalid_file("{} bytes are too long", text.size());
  Counter counter;
  const bool is_json = Json::sax_parse(text, &counter);
  if (counter.is_full()) return invalid_file("it has too many values");
  Json json;
  if (is_json) json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return invalid_file("it is not a JSON object");
  return json;
}

std::string dump_json(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

Error wrong_type(const char* key) { return invalid_file("\"{}\" has the wrong type", key); }

Result<const Json*> member(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) return invalid_file("\"{}\" is missing", key);
  return &*found;
}

template <>
Status read_item(const Json& json, const char* key, std::string& out) {
  if (!json.is_string()) return wrong_type(key);
  out = json.get_ref<const std::string&>();
  return {};
}

template <>
Status read_item(const Json& json, const char* key, bool& out) {
  if (!json.is_boolean()) return wrong_type(key);
  out = json.get<bool>();
  return {};
}

template <>
Status read_item(const Json& json, const char* key, int64_t& out) {
  // Without this, nlohmann would wrap unsigned numbers beyond int64.
  if (!json.is_number_integer() || (json.is_number_unsigned() && json.get<uint64_t>() >> 63 != 0)) {
    return wrong_type(key);
  }
  out = json.get<int64_t>();
  return {};
}

template <>
Status read_item(const Json& json, const char* key, uint64_t& out) {
  if (!json.is_number_unsigned()) return wrong_type(key);
  out = json.get<uint64_t>();
  return {};
}

Status read_texts(const Json& object, const char* key, std::map<std::string, std::string>& out) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json* json, member(object, key));
  if (!json->is_object()) return wrong_type(key);
  for (const auto& [name, value] : json->items()) {
    SLIPWAY_RETURN_IF_ERROR(read_item(value, key, out[name]));
  }
  return {};
}

}  // namespace slipway::engine
