// Steps through a short text by characters and words.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace slipway {

// The grammars here know spaces between words only. Not thread-safe; keeps a view of the text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::string_view text() const { return text_; }
  size_t position() const { return position_; }
  void move_to(size_t position) { position_ = position; }
  bool at_end() const { return position_ >= text_.size(); }
  // From the position on.
  std::string_view rest() const { return text_.substr(position_); }

  void skip_spaces() {
    while (!at_end() && text_[position_] == ' ') ++position_;
  }
  // The next character that is no space; a zero at the end.
  char peek() {
    skip_spaces();
    return at_end() ? '\0' : text_[position_];
  }
  // Whether that is `c`, which then is passed.
  bool take(char c) {
    if (peek() != c || at_end()) return false;
    ++position_;
    return true;
  }
  // Letters, digits, underscores and the characters of `more`, behind spaces.
  std::string_view word(std::string_view more = "") {
    skip_spaces();
    const size_t begin = position_;
    const auto is_part = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || more.find(c) != std::string_view::npos;
    };
    while (!at_end() && is_part(text_[position_])) ++position_;
    return text_.substr(begin, position_ - begin);
  }
  // What is between two equal quotes, ' or ", behind spaces; none where there are no two.
  std::optional<std::string_view> quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return std::nullopt;
    const size_t begin = position_ + 1;
    const size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) return std::nullopt;
    position_ = end + 1;
    return text_.substr(begin, end - begin);
  }

 private:
  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace slipway
