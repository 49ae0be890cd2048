// Text out of files, made fit for terminals and logs.
#pragma once

#include <string>
#include <string_view>

namespace slipway {

bool is_utf8(std::string_view text);

// For one name or literal: what a terminal would obey (control characters, ESC among them, in their
// forms of one byte and two; marks that turn the direction of text), what is not UTF-8, and
// backslashes, as "\x1b", "\u202e". The result is one line of UTF-8.
std::string printable(std::string_view text);
// The same of its first 100 bytes, for names and texts that a file may have made long.
std::string printable_start(std::string_view text);

// For a whole message, which may hold printable text already: the same, but line breaks, tabs and
// backslashes stay.
std::string printable_message(std::string_view text);

}  // namespace slipway
