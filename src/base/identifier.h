// Names as Python and sympy write them.
#pragma once

#include <algorithm>
#include <string_view>

namespace slipway {

// Letters of ASCII, digits and underscores, and no digit at the start.
inline bool is_identifier(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace slipway
