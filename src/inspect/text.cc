#include "inspect/text.h"

#include <algorithm>

#include "base/printable.h"

namespace slipway::inspection {
namespace {

// Most frequent first.
std::vector<std::pair<std::string, size_t>> by_count(const std::map<std::string, size_t>& counts) {
  std::vector<std::pair<std::string, size_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  constexpr uint64_t kKiB = 1024;
  if (bytes < kKiB) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}) {
    if (value < kKiB) break;
    value /= kKiB;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string count_text(size_t count, const std::string& noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string format_table(const std::vector<std::vector<std::string>>& rows,
                         const std::string& indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], printable_message(row[i]).size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = indent;
    for (size_t i = 0; i < row.size(); ++i) {
      line += fmt::format("{:<{}}  ", printable_message(row[i]), widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

void append_counts(std::string& text, const char* title,
                   const std::map<std::string, size_t>& counts) {
  if (counts.empty()) return;
  append(text, "{}:\n", title);
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, count] : by_count(counts)) {
    rows.push_back({std::to_string(count), name});
  }
  append(text, "{}", format_table(rows, "  "));
}

std::vector<std::string> leaf_places(const Tree& tree) {
  std::vector<std::string> places = tree.leaf_paths();
  for (std::string& place : places) {
    const bool named = place.find_first_of("'.") != std::string::npos;
    place = named ? " at " + printable(place) : "";
  }
  return places;
}

}  // namespace slipway::inspection
