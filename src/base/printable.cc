#include "base/printable.h"

#include <cstddef>
#include <cstdint>

#include <fmt/core.h>

namespace slipway {
namespace {

struct Character {
  uint32_t code = 0;
  size_t size = 0;  // in bytes; 0: not UTF-8
};

// The first character of a text that is not empty: no longer form than needed, no surrogate.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  uint32_t code = lead & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, size};
}

// Control characters, and what changes the direction or the lines of text.
bool is_obeyed(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
         (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe007f);
}

std::string escape(std::string_view text, std::string_view kept) {
  std::string result;
  while (!text.empty()) {
    const Character character = first_character(text);
    const size_t size = character.size == 0 ? 1 : character.size;
    const bool is_kept = kept.find(text[0]) != std::string_view::npos;
    if (character.size == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (is_kept || (character.code != '\\' && !is_obeyed(character.code))) {
      result += text.substr(0, size);
    } else if (character.code < 0x80) {
      result += fmt::format("\\x{:02x}", character.code);
    } else {
      result += fmt::format("\\u{:04x}", character.code);
    }
    text.remove_prefix(size);
  }
  return result;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = first_character(text).size;
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string printable(std::string_view text) { return escape(text, ""); }

std::string printable_start(std::string_view text) { return printable(text.substr(0, 100)); }

std::string printable_message(std::string_view text) { return escape(text, "\n\t\\"); }

}  // namespace slipway
