// JSON documents that come from files, read once into flat memory.
//
// Parsing is by nlohmann-json's event interface, which does not recurse; depth, size, number of
// values and length of each are capped, so that a hostile text is an error and no more: a document
// takes at most 9 MiB and 2.25 times its text, besides 5 times the longest string that is allowed
// while it is parsed. Long strings such as data in Base64 stay in the text where that outlives the
// document: they take nothing, have any length, and the rest of the text is copied for as long as
// it is parsed. Looking at values is not capped: wrong types and missing members don't return
// errors one by one. The first one is kept by the document with its path ("graph.nodes[3].target is
// not a string"), the accessor answers with an empty value, and whoever reads asks `status()`
// before it believes what it read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway {

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
  // Not negative.
  uint64_t to_count() const;
  double to_double() const;
  std::string_view to_string_view() const;
  // The same of a string that may be longer than Limits::token.
  std::string_view to_long_string_view() const;
  // Where a string lies that was left in the text; nothing for others.
  std::optional<OwnedSpan> left_in_text() const;
  std::string to_string() const { return std::string(to_string_view()); }
  // Lists of them.
  std::vector<std::string> to_strings() const;
  std::vector<int64_t> to_ints() const;

  // Elements of an array or members of an object.
  size_t size() const;

  template <bool kKeys>
  class Children;
  using Items = Children<false>;
  using Members = Children<true>;
  // `for (JsonValue item : value.items())`; requires an array.
  Items items() const;
  // `for (auto [key, item] : value.members())`; requires an object.
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
  template <bool kKeys>
  Children<kKeys> children() const;

  const JsonDocument* document_ = nullptr;
  uint32_t index_ = 0;
};

class JsonDocument {
 public:
  struct Limits {
    // Of all but the strings that are left in it.
    size_t text = size_t{1} << 30;
    size_t depth = 256;
    // Programs have one value in eight bytes and more; members count twice, for their names.
    size_t values = size_t{1} << 20;
    size_t bytes_per_further_value = 4;
    // Of a string or a number. Programs have none past some KiB, but for data in Base64.
    size_t token = size_t{8} << 20;
    // Longer strings are left in the text.
    size_t held = size_t{64} << 10;
  };

  // `name` is for messages: "model.pt2: models/model.json".
  static Result<std::unique_ptr<JsonDocument>> parse(std::string_view text, std::string name,
                                                     const Limits& limits);
  static Result<std::unique_ptr<JsonDocument>> parse(std::string_view text, std::string name) {
    return parse(text, std::move(name), Limits());
  }
  // Of a text that the document keeps, or that outlives it where nobody owns it. A string past
  // Limits::held of printable ASCII without escapes is left in it. One past Limits::token can be
  // nothing else, is no name of a member, and is read by to_long_string_view() alone.
  static Result<std::unique_ptr<JsonDocument>> parse(OwnedSpan text, std::string name,
                                                     const Limits& limits);
  static Result<std::unique_ptr<JsonDocument>> parse(OwnedSpan text, std::string name) {
    return parse(std::move(text), std::move(name), Limits());
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

  // A value is a kind and what there is to know of it, apart: together they would take twice as
  // much.
  union Data {
    int64_t integer = 0;
    double number;
    struct {
      uint32_t end;   // the index after an array or object and all that it holds
      uint32_t size;  // its elements or members
    } items;
    struct {
      uint32_t offset;  // in `strings_`; with kInText for its size the index in `in_text_`
      uint32_t size;
    } text;
  };
  bool is_container(uint32_t index) const { return kinds_[index] >= JsonValue::Kind::kArray; }
  // The index after a value and all that it holds.
  uint32_t end(uint32_t index) const {
    return is_container(index) ? data_[index].items.end : index + 1;
  }
  bool is_in_text(uint32_t index) const { return data_[index].text.size == kInText; }
  std::string_view string(uint32_t index) const {
    const auto [offset, size] = data_[index].text;
    return size == kInText ? in_text_[offset] : std::string_view(strings_).substr(offset, size);
  }
  static Result<std::unique_ptr<JsonDocument>> parse(std::string_view text, std::string name,
                                                     const Limits& limits, bool keeps_text);

  // No length of a string in `strings_`.
  static constexpr uint32_t kInText = UINT32_MAX;

  std::string name_;
  // Values in the text's order; a member is its key, a string, and then its value.
  std::vector<JsonValue::Kind> kinds_;
  std::vector<Data> data_;
  std::string strings_;
  std::vector<std::string_view> in_text_;
  OwnedSpan text_;      // where these are
  size_t longest_ = 0;  // Limits::token
  mutable std::optional<Error> error_;
};

// What items() (values) and members() (pairs of a key and a value) go over.
template <bool kKeys>
class JsonValue::Children {
 public:
  class Iterator {
   public:
    auto operator*() const {
      if constexpr (kKeys) {
        return std::pair(document_->string(index_), JsonValue(document_, index_ + 1));
      } else {
        return JsonValue(document_, index_);
      }
    }
    Iterator& operator++() {
      index_ = document_->end(kKeys ? index_ + 1 : index_);
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    friend class Children;
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

}  // namespace slipway
