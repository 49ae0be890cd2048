#include "schema/kernel_types.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace slipway::schema {

// The text of kernel_types.txt.
extern const std::string_view kKernelTypes;

namespace {

using Pairs = std::set<std::pair<std::optional<DType>, DType>>;

// What comes before the mark, which is dropped from `text` with it.
std::string_view cut(std::string_view& text, std::string_view mark) {
  const size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + mark.size());
  return head;
}

// "integers,bool"; "=" is kept as nothing.
std::vector<std::optional<DType>> parse_types(std::string_view text) {
  std::vector<std::optional<DType>> types;
  while (!text.empty()) {
    const std::string_view name = cut(text, ",");
    const auto group = std::find_if(kTypeGroups.begin(), kTypeGroups.end(),
                                    [&](const auto& each) { return each.first == name; });
    if (group == kTypeGroups.end()) {
      types.push_back(dtype_from_name(name));
      continue;
    }
    for (const auto& type : parse_types(group->second)) types.push_back(type);
  }
  return types;
}

// "bool,integers -> float32; floats -> =", or "-> integers" of a kernel without operands.
Pairs parse_groups(std::string_view groups) {
  Pairs pairs;
  while (!groups.empty()) {
    std::string_view group = cut(groups, "; ");
    const bool has_operands = !group.starts_with("-> ");
    auto operands = parse_types(has_operands ? cut(group, " -> ") : std::string_view());
    if (!has_operands) {
      cut(group, "-> ");
      operands = {std::nullopt};
    }
    for (const auto& operand : operands) {
      for (const auto& result : parse_types(group)) {
        if (const auto type = result ? result : operand) pairs.emplace(operand, *type);
      }
    }
  }
  return pairs;
}

using Table = std::map<std::string, Pairs, std::less<>>;

const Table& table() {
  static const auto* const kTable = [] {
    auto* table = new Table;
    std::string_view text = kKernelTypes;
    while (!text.empty()) {
      std::string_view line = cut(text, "\n");
      if (line.empty() || line.front() == '#') continue;
      const std::string_view name = cut(line, " ");
      table->emplace(name, parse_groups(line));
    }
    return table;
  }();
  return *kTable;
}

}  // namespace

std::optional<DType> fixed_type_of(std::string_view parameter) {
  if (parameter == "index" || parameter == "indices" || parameter == "repeats") {
    return DType::kInt64;
  }
  if (parameter == "mask" || parameter == "condition") return DType::kBool;
  return std::nullopt;
}

bool computes(const Schema& kernel, std::optional<DType> operands, DType result) {
  const auto entry =
      table().find(kernel.overload.empty() ? kernel.name : kernel.name + "." + kernel.overload);
  return entry == table().end() || entry->second.contains({operands, result});
}

std::string_view kernel_types_text() { return kKernelTypes; }

}  // namespace slipway::schema
