#include "base/json.h"

#include <algorithm>
#include <limits>
#include <new>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace slipway {

using Kind = JsonValue::Kind;

namespace {

// A string that stays where it lies.
struct LongString {
  size_t begin = 0;
  size_t size = 0;
  size_t number = 0;  // of the strings before it
};

// What a text will take, found before anything is made of it.
struct Extent {
  size_t values = 1;                          // at most
  size_t strings = 0;                         // their bytes, at most
  size_t longest = 0;                         // string or number
  std::vector<LongString> long_strings = {};  // which are in neither of these
};

// Whether a string stands for itself.
bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '\\' && c != '"'; });
}

// Strings of more than `most_held` bytes stay where they lie if they are plain.
Extent measure(std::string_view text, size_t most_held) {
  Extent extent;
  size_t begin = 0;  // of what lies between two separators or quotes
  size_t strings = 0;
  bool in_string = false;
  const auto end_token = [&](size_t end) {
    const size_t size = end - begin;
    if (in_string && size > most_held && is_plain(text.substr(begin, size))) {
      extent.long_strings.push_back({begin, size, strings});
    } else {
      extent.longest = std::max(extent.longest, size);
      if (in_string) extent.strings += size;
    }
    begin = end + 1;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c != '"') continue;
      end_token(i);
      in_string = false;
      ++strings;
    } else if (c == '"') {
      end_token(i);
      in_string = true;
    } else if (c == ',' || c == ':' || c == '[' || c == '{') {
      end_token(i);
      ++extent.values;
    } else if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      end_token(i);
    }
  }
  end_token(text.size());
  return extent;
}

// The text with nothing in the quotes of these strings.
std::string without(std::string_view text, const std::vector<LongString>& strings) {
  std::string rest;
  size_t size = text.size();
  for (const LongString& string : strings) size -= string.size;
  rest.reserve(size);
  size_t begin = 0;
  for (const LongString& string : strings) {
    rest += text.substr(begin, string.begin - begin);
    begin = string.begin + string.size;
  }
  return rest += text.substr(begin);
}

}  // namespace

// Receives nlohmann's events and appends to the document.
class JsonBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  // Strings of these numbers are those of the text.
  JsonBuilder(JsonDocument& document, size_t max_depth, std::string_view text,
              const std::vector<LongString>& in_text)
      : document_(document), max_depth_(max_depth), text_(text), in_text_(in_text) {}

  bool null() override { return add(Kind::kNull) != nullptr; }
  bool boolean(bool value) override { return add_integer(Kind::kBool, value ? 1 : 0); }
  bool number_integer(number_integer_t value) override { return add_integer(Kind::kInt, value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return number_float(static_cast<double>(value), {});
    }
    return add_integer(Kind::kInt, static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t& /*text*/) override {
    JsonDocument::Data* data = add(Kind::kFloat);
    if (data != nullptr) data->number = value;
    return data != nullptr;
  }
  bool string(string_t& value) override { return add_string(value, /*is_element=*/true); }
  bool key(string_t& value) override {
    document_.data_[open_.back()].items.size++;
    return add_string(value, /*is_element=*/false);
  }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(Kind::kObject); }
  bool start_array(std::size_t /*size*/) override { return open(Kind::kArray); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return fail(fmt::format("is not JSON at byte {}", position));
  }

  const std::string& problem() const { return problem_; }

 private:
  bool fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }

  JsonDocument::Data* add(Kind kind, bool is_element = true) {
    if (document_.kinds_.size() >= std::numeric_limits<uint32_t>::max() - 1) {
      fail("has too many values");
      return nullptr;
    }
    if (is_element && !open_.empty() && document_.kinds_[open_.back()] == Kind::kArray) {
      document_.data_[open_.back()].items.size++;
    }
    document_.kinds_.push_back(kind);
    return &document_.data_.emplace_back();
  }
  bool add_integer(Kind kind, int64_t value) {
    JsonDocument::Data* data = add(kind);
    if (data != nullptr) data->integer = value;
    return data != nullptr;
  }
  bool add_string(const std::string& value, bool is_element) {
    JsonDocument::Data* data = add(Kind::kString, is_element);
    if (data == nullptr) return false;
    const size_t next = document_.in_text_.size();
    if (next < in_text_.size() && in_text_[next].number == strings_++) {
      if (!is_element && in_text_[next].size > document_.longest_) {
        return fail(fmt::format("has a name of {} bytes", in_text_[next].size));
      }
      data->text = {static_cast<uint32_t>(next), JsonDocument::kInText};
      document_.in_text_.push_back(text_.substr(in_text_[next].begin, in_text_[next].size));
      return true;
    }
    data->text = {static_cast<uint32_t>(document_.strings_.size()),
                  static_cast<uint32_t>(value.size())};
    document_.strings_ += value;
    return true;
  }
  bool open(Kind kind) {
    if (open_.size() >= max_depth_) return fail(fmt::format("nests past {} levels", max_depth_));
    const auto index = static_cast<uint32_t>(document_.kinds_.size());
    JsonDocument::Data* data = add(kind);
    if (data == nullptr) return false;
    data->items = {index + 1, 0};
    open_.push_back(index);
    return true;
  }
  bool close() {
    document_.data_[open_.back()].items.end = static_cast<uint32_t>(document_.kinds_.size());
    open_.pop_back();
    return true;
  }

  JsonDocument& document_;
  size_t max_depth_;
  std::string_view text_;
  const std::vector<LongString>& in_text_;
  size_t strings_ = 0;  // so far
  std::vector<uint32_t> open_;
  std::string problem_;
};

Result<std::unique_ptr<JsonDocument>> JsonDocument::parse(std::string_view text, std::string name,
                                                          const Limits& limits) {
  return parse(text, std::move(name), limits, /*keeps_text=*/false);
}

Result<std::unique_ptr<JsonDocument>> JsonDocument::parse(OwnedSpan text, std::string name,
                                                          const Limits& limits) {
  const std::string_view content(reinterpret_cast<const char*>(text.bytes.data()),
                                 text.bytes.size());
  auto document = parse(content, std::move(name), limits, /*keeps_text=*/true);
  if (document.ok() && !(*document)->in_text_.empty()) (*document)->text_ = std::move(text);
  return document;
}

Result<std::unique_ptr<JsonDocument>> JsonDocument::parse(std::string_view text, std::string name,
                                                          const Limits& limits, bool keeps_text) {
  std::unique_ptr<JsonDocument> document(new JsonDocument);
  document->name_ = std::move(name);
  document->longest_ = limits.token;
  const Extent extent =
      measure(text, keeps_text ? limits.held : std::numeric_limits<size_t>::max());
  size_t size = text.size();  // of what is parsed
  for (const LongString& string : extent.long_strings) size -= string.size;
  // A string's length must fit a node.
  if (size > limits.text || size > std::numeric_limits<uint32_t>::max()) {
    return invalid_file("{} is a JSON text of {} bytes, more than the {} that are allowed",
                        document->name_, size, limits.text);
  }
  const size_t most_values = limits.values + size / limits.bytes_per_further_value;
  if (extent.values > most_values) {
    return invalid_file("{} has {} values in {} bytes of JSON, more than the {} that are allowed",
                        document->name_, extent.values, text.size(), most_values);
  }
  if (extent.longest > limits.token) {
    return invalid_file("{} has a string or number of {} bytes, more than the {} that are allowed",
                        document->name_, extent.longest, limits.token);
  }
  JsonBuilder builder(*document, limits.depth, text, extent.long_strings);
  bool parsed = false;
  try {
    // Vectors that grow would hold a third more, and half as much again while they do.
    document->kinds_.reserve(extent.values);
    document->data_.reserve(extent.values);
    document->strings_.reserve(extent.strings);
    std::string rest;
    std::string_view parsed_text = text;
    if (!extent.long_strings.empty()) {
      rest = without(text, extent.long_strings);
      parsed_text = rest;
    }
    parsed = nlohmann::json::sax_parse(parsed_text.data(), parsed_text.data() + parsed_text.size(),
                                       &builder);
  } catch (const std::bad_alloc&) {
    return resource_exhausted("{}: not enough memory to read {} bytes of JSON", document->name_,
                              text.size());
  } catch (const std::exception& exception) {
    return invalid_file("{} is not JSON: {}", document->name_, exception.what());
  }
  if (!parsed || document->kinds_.empty()) {
    return invalid_file("{} {}", document->name_,
                        builder.problem().empty() ? "is not JSON" : builder.problem());
  }
  return document;
}

Status JsonDocument::status() const {
  if (error_) return *error_;
  return {};
}

Kind JsonValue::kind() const { return is_absent() ? Kind::kAbsent : document_->kinds_[index_]; }

bool JsonValue::expect(Kind expected, const char* name) const {
  if (is_absent()) return false;
  if (kind() == expected) return true;
  if (!document_->error_) fail(fmt::format("is not {}", name));
  return false;
}

JsonValue JsonValue::find(std::string_view key) const {
  JsonValue found;
  if (!expect(Kind::kObject, "an object")) return found;
  for (auto [name, item] : members()) {
    if (name == key) found = item;
  }
  return found;
}

JsonValue JsonValue::operator[](std::string_view key) const {
  const JsonValue found = find(key);
  if (found.is_absent() && kind() == Kind::kObject) fail(fmt::format("has no \"{}\"", key));
  return found;
}

bool JsonValue::to_bool() const {
  return expect(Kind::kBool, "true or false") && document_->data_[index_].integer != 0;
}

int64_t JsonValue::to_int() const {
  return expect(Kind::kInt, "an integer of 64 bits") ? document_->data_[index_].integer : 0;
}

uint64_t JsonValue::to_count() const {
  const int64_t value = to_int();
  if (value < 0) fail("is negative");
  return value < 0 ? 0 : static_cast<uint64_t>(value);
}

double JsonValue::to_double() const {
  if (kind() == Kind::kInt) return static_cast<double>(to_int());
  return expect(Kind::kFloat, "a number") ? document_->data_[index_].number : 0.0;
}

std::string_view JsonValue::to_string_view() const {
  if (!expect(Kind::kString, "a string")) return {};
  const std::string_view text = document_->string(index_);
  if (text.size() <= document_->longest_) return text;
  if (!document_->error_) fail(fmt::format("has {} bytes", text.size()));
  return {};
}

std::string_view JsonValue::to_long_string_view() const {
  return expect(Kind::kString, "a string") ? document_->string(index_) : std::string_view();
}

std::optional<OwnedSpan> JsonValue::left_in_text() const {
  if (kind() != Kind::kString || !document_->is_in_text(index_)) return std::nullopt;
  return OwnedSpan{std::as_bytes(std::span(document_->string(index_))), document_->text_.owner};
}

std::vector<std::string> JsonValue::to_strings() const {
  std::vector<std::string> list;
  for (const JsonValue item : items()) list.push_back(item.to_string());
  return list;
}

std::vector<int64_t> JsonValue::to_ints() const {
  std::vector<int64_t> list;
  for (const JsonValue item : items()) list.push_back(item.to_int());
  return list;
}

size_t JsonValue::size() const {
  if (is_absent() || !document_->is_container(index_)) return 0;
  return document_->data_[index_].items.size;
}

template <bool kKeys>
JsonValue::Children<kKeys> JsonValue::children() const {
  Children<kKeys> children;
  children.document_ = document_;
  children.begin_ = index_ + 1;
  children.end_ = document_->end(index_);
  return children;
}

JsonValue::Items JsonValue::items() const {
  return expect(Kind::kArray, "an array") ? children<false>() : Items();
}

JsonValue::Members JsonValue::members() const {
  return expect(Kind::kObject, "an object") ? children<true>() : Members();
}

std::pair<std::string_view, JsonValue> JsonValue::to_union() const {
  if (!expect(Kind::kObject, "an object")) return {};
  if (size() != 1) {
    fail(fmt::format("has {} members where one names its kind", size()));
    return {};
  }
  return *members().begin();
}

std::string JsonValue::path() const {
  if (is_absent()) return "a missing value";
  // From the root down: each step takes the child whose range holds this value.
  std::string path;
  JsonValue at = document_->root();
  while (at.index_ != index_) {
    JsonValue next;
    if (at.kind() == Kind::kArray) {
      size_t position = 0;
      for (JsonValue item : at.items()) {
        if (index_ < document_->end(item.index_)) {
          path += fmt::format("[{}]", position);
          next = item;
          break;
        }
        position++;
      }
    } else {
      for (auto [key, item] : at.members()) {
        if (index_ < document_->end(item.index_)) {
          if (!path.empty()) path += '.';
          path += key.substr(0, 200);
          next = item;
          break;
        }
      }
    }
    if (next.is_absent()) break;
    at = next;
  }
  return path.empty() ? "the top level" : path;
}

Error JsonValue::error(ErrorCode code, const std::string& message) const {
  if (is_absent()) return Error(code, message);
  return Error(code, fmt::format("{}: {} {}", document_->name_, path(), message));
}

void JsonValue::fail(const std::string& message, ErrorCode code) const {
  if (is_absent() || document_->error_) return;
  document_->error_ = error(code, message);
}

}  // namespace slipway
