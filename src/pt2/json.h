// JSON documents of an archive, read once into flat memory.
//
// Parsing is by nlohmann-json's event interface, which does not recurse; depth, size and number of
// values are capped, so that a hostile text is an error and no more. Looking at values is not:
// wrong types and missing members don't return errors one by one. The first one is kept by the
// document with its path ("graph.nodes[3].target is not a string"), the accessor answers with an
// empty value, and whoever reads asks `status()` before it believes what it read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipway/result.h"

namespace slipway::pt2 {

class JsonDocument;

// A place in a document; valid as long as the document. Cheap to copy.
class JsonValue {
 public:
  enum class Kind : uint8_t { kAbsent, kNull, kBool, kInt, kFloat, kString, kArray, kObject };

  JsonValue() = default;

  Kind kind() const;
  bool is_absent() const { return document_ == nullptr; }
  // Absent or null.
  bool is_none() const { return kind() <= Kind::kNull; }

  // A member that must be there; of several with one name the last, as in Python.
  JsonValue operator[](std::string_view key) const;
  // A member, or an absent value.
  JsonValue find(std::string_view key) const;

  // Each requires its type (to_double also takes integers).
  bool to_bool() const;
  int64_t to_int() const;
  double to_double() const;
  std::string_view to_string_view() const;
  std::string to_string() const { return std::string(to_string_view()); }

  // Elements of an array or members of an object.
  size_t size() const;

  // `for (JsonValue item : value.items())`; requires an array.
  class Items;
  Items items() const;
  // `for (auto [key, item] : value.members())`; requires an object.
  class Members;
  Members members() const;

  // A tagged union: the only member of an object.
  std::pair<std::string_view, JsonValue> to_union() const;

  // Where it is: "graph.nodes[3].target".
  std::string path() const;
  // Records "<path> <message>" as the document's error, unless it has one already.
  void fail(const std::string& message, ErrorCode code = ErrorCode::kInvalidFile) const;
  // The error for this place, without recording it.
  Error error(ErrorCode code, const std::string& message) const;

 private:
  friend class JsonDocument;
  JsonValue(const JsonDocument* document, uint32_t index) : document_(document), index_(index) {}
  bool expect(Kind kind, const char* name) const;

  const JsonDocument* document_ = nullptr;
  uint32_t index_ = 0;
};

class JsonDocument {
 public:
  struct Limits {
    size_t text = size_t{1} << 30;
    size_t depth = 256;
  };

  // `name` is for messages: "model.pt2: models/model.json".
  static Result<std::unique_ptr<JsonDocument>> parse(std::string_view text, std::string name,
                                                     const Limits& limits);
  static Result<std::unique_ptr<JsonDocument>> parse(std::string_view text, std::string name) {
    return parse(text, std::move(name), Limits());
  }
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  const std::string& name() const { return name_; }
  JsonValue root() const { return {this, 0}; }
  // The first misuse of a value since parsing.
  Status status() const;

 private:
  friend class JsonValue;
  friend class JsonBuilder;
  JsonDocument() = default;

  // Values in the text's order; a member is its key, a string, and then its value.
  struct Node {
    JsonValue::Kind kind = JsonValue::Kind::kNull;
    uint32_t end = 0;   // the index after this value and all that it holds
    uint32_t size = 0;  // elements, members, or bytes of a string
    union {
      int64_t integer = 0;
      double number;
      uint64_t offset;  // of a string in `strings_`
    };
  };
  std::string_view string(const Node& node) const {
    return std::string_view(strings_).substr(node.offset, node.size);
  }

  std::string name_;
  std::vector<Node> nodes_;
  std::string strings_;
  mutable std::optional<Error> error_;
};

class JsonValue::Items {
 public:
  class Iterator {
   public:
    JsonValue operator*() const { return {document_, index_}; }
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    friend class Items;
    Iterator(const JsonDocument* document, uint32_t index) : document_(document), index_(index) {}
    const JsonDocument* document_;
    uint32_t index_;
  };
  Iterator begin() const { return {document_, begin_}; }
  Iterator end() const { return {document_, end_}; }

 private:
  friend class JsonValue;
  const JsonDocument* document_ = nullptr;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
};

class JsonValue::Members {
 public:
  class Iterator {
   public:
    std::pair<std::string_view, JsonValue> operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    friend class Members;
    Iterator(const JsonDocument* document, uint32_t index) : document_(document), index_(index) {}
    const JsonDocument* document_;
    uint32_t index_;
  };
  Iterator begin() const { return {document_, begin_}; }
  Iterator end() const { return {document_, end_}; }

 private:
  friend class JsonValue;
  const JsonDocument* document_ = nullptr;
  uint32_t begin_ = 0;
  uint32_t end_ = 0;
};

}  // namespace slipway::pt2
