// How numbers, tables and trees are written for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "slipway/tree.h"

namespace slipway::inspection {

template <class... Args>
void append(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
}

// "640 bytes", "1.5 MiB"
std::string format_bytes(uint64_t bytes);

// "1 node", "2 nodes"
std::string count_text(size_t count, const std::string& noun);

// Rows of equal length, columns padded to the widest cell, which are made printable; the first row
// is the heading.
std::string format_table(const std::vector<std::vector<std::string>>& rows,
                         const std::string& indent = "");

// A heading, and a line for each with its count, most frequent first. Nothing without any.
void append_counts(std::string& text, const char* title,
                   const std::map<std::string, size_t>& counts);

// The path of each leaf of an input or output tree for people: " at ['mask'].logits", escaped, and
// empty where it says no more than the position.
std::vector<std::string> leaf_places(const Tree& tree);

}  // namespace slipway::inspection
