#include "pt2/json.h"

#include <limits>
#include <new>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace slipway::pt2 {

using Kind = JsonValue::Kind;

// Receives nlohmann's events and appends to the document.
class JsonBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonBuilder(JsonDocument& document, size_t max_depth)
      : document_(document), max_depth_(max_depth) {}

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
    JsonDocument::Node* node = add(Kind::kFloat);
    if (node != nullptr) node->number = value;
    return node != nullptr;
  }
  bool string(string_t& value) override { return add_string(value, /*is_element=*/true); }
  bool key(string_t& value) override {
    document_.nodes_[open_.back()].size++;
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

  JsonDocument::Node* add(Kind kind, bool is_element = true) {
    auto& nodes = document_.nodes_;
    if (nodes.size() >= std::numeric_limits<uint32_t>::max() - 1) {
      fail("has too many values");
      return nullptr;
    }
    if (is_element && !open_.empty()) {
      JsonDocument::Node& parent = nodes[open_.back()];
      if (parent.kind == Kind::kArray) parent.size++;
    }
    JsonDocument::Node node;
    node.kind = kind;
    node.end = static_cast<uint32_t>(nodes.size()) + 1;
    nodes.push_back(node);
    return &nodes.back();
  }
  bool add_integer(Kind kind, int64_t value) {
    JsonDocument::Node* node = add(kind);
    if (node != nullptr) node->integer = value;
    return node != nullptr;
  }
  bool add_string(const std::string& value, bool is_element) {
    JsonDocument::Node* node = add(Kind::kString, is_element);
    if (node == nullptr) return false;
    node->offset = document_.strings_.size();
    node->size = static_cast<uint32_t>(value.size());
    document_.strings_ += value;
    return true;
  }
  bool open(Kind kind) {
    if (open_.size() >= max_depth_) return fail(fmt::format("nests past {} levels", max_depth_));
    const auto index = static_cast<uint32_t>(document_.nodes_.size());
    if (add(kind) == nullptr) return false;
    open_.push_back(index);
    return true;
  }
  bool close() {
    document_.nodes_[open_.back()].end = static_cast<uint32_t>(document_.nodes_.size());
    open_.pop_back();
    return true;
  }

  JsonDocument& document_;
  size_t max_depth_;
  std::vector<uint32_t> open_;
  std::string problem_;
};

Result<std::unique_ptr<JsonDocument>> JsonDocument::parse(std::string_view text, std::string name,
                                                          const Limits& limits) {
  std::unique_ptr<JsonDocument> document(new JsonDocument);
  document->name_ = std::move(name);
  // A string's length must fit a node.
  if (text.size() > limits.text || text.size() > std::numeric_limits<uint32_t>::max()) {
    return invalid_file("{} is a JSON text of {} bytes, more than the {} that are allowed",
                        document->name_, text.size(), limits.text);
  }
  JsonBuilder builder(*document, limits.depth);
  bool parsed = false;
  try {
    parsed = nlohmann::json::sax_parse(text.data(), text.data() + text.size(), &builder);
  } catch (const std::bad_alloc&) {
    return resource_exhausted("{}: not enough memory to read {} bytes of JSON", document->name_,
                              text.size());
  } catch (const std::exception& exception) {
    return invalid_file("{} is not JSON: {}", document->name_, exception.what());
  }
  if (!parsed || document->nodes_.empty()) {
    return invalid_file("{} {}", document->name_,
                        builder.problem().empty() ? "is not JSON" : builder.problem());
  }
  return document;
}

Status JsonDocument::status() const {
  if (error_) return *error_;
  return {};
}

Kind JsonValue::kind() const {
  return is_absent() ? Kind::kAbsent : document_->nodes_[index_].kind;
}

bool JsonValue::expect(Kind expected, const char* name) const {
  if (is_absent()) return false;
  if (kind() == expected) return true;
  fail(fmt::format("is not {}", name));
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
  return expect(Kind::kBool, "true or false") && document_->nodes_[index_].integer != 0;
}

int64_t JsonValue::to_int() const {
  return expect(Kind::kInt, "an integer of 64 bits") ? document_->nodes_[index_].integer : 0;
}

double JsonValue::to_double() const {
  if (kind() == Kind::kInt) return static_cast<double>(to_int());
  return expect(Kind::kFloat, "a number") ? document_->nodes_[index_].number : 0.0;
}

std::string_view JsonValue::to_string_view() const {
  if (!expect(Kind::kString, "a string")) return {};
  return document_->string(document_->nodes_[index_]);
}

size_t JsonValue::size() const {
  const Kind k = kind();
  if (k != Kind::kArray && k != Kind::kObject) return 0;
  return document_->nodes_[index_].size;
}

JsonValue::Items JsonValue::items() const {
  Items items;
  if (!expect(Kind::kArray, "an array")) return items;
  items.document_ = document_;
  items.begin_ = index_ + 1;
  items.end_ = document_->nodes_[index_].end;
  return items;
}

JsonValue::Members JsonValue::members() const {
  Members members;
  if (!expect(Kind::kObject, "an object")) return members;
  members.document_ = document_;
  members.begin_ = index_ + 1;
  members.end_ = document_->nodes_[index_].end;
  return members;
}

JsonValue::Items::Iterator& JsonValue::Items::Iterator::operator++() {
  index_ = document_->nodes_[index_].end;
  return *this;
}

std::pair<std::string_view, JsonValue> JsonValue::Members::Iterator::operator*() const {
  return {document_->string(document_->nodes_[index_]), JsonValue(document_, index_ + 1)};
}

JsonValue::Members::Iterator& JsonValue::Members::Iterator::operator++() {
  index_ = document_->nodes_[index_ + 1].end;
  return *this;
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
        if (index_ < document_->nodes_[item.index_].end) {
          path += fmt::format("[{}]", position);
          next = item;
          break;
        }
        position++;
      }
    } else {
      for (auto [key, item] : at.members()) {
        if (index_ < document_->nodes_[item.index_].end) {
          if (!path.empty()) path += ".";
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

}  // namespace slipway::pt2
