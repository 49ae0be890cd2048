#include "schema/traits.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "schema/operator_name.h"
#include "schema/schema.h"

namespace slipway::schema {

// The text of traits.txt.
extern const std::string_view kTraits;

namespace {

const std::map<std::string_view, Trait>& trait_names() {
  static const auto* const kNames = new std::map<std::string_view, Trait>{
      {"same", Trait::kSame},           {"reshaped", Trait::kReshaped},
      {"permuted", Trait::kPermuted},   {"expanded", Trait::kExpanded},
      {"moved", Trait::kMoved},         {"converted", Trait::kConverted},
      {"other", Trait::kOther},         {"random", Trait::kRandom},
      {"assertion", Trait::kAssertion}, {"constraint", Trait::kConstraint}};
  return *kNames;
}

using TraitTable = std::map<std::string, Trait, std::less<>>;

TraitTable parse_trait_table() {
  TraitTable table;
  std::istringstream lines{std::string(kTraits)};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string word;
    words >> word;
    const auto trait = trait_names().find(word);
    bool is_good = trait != trait_names().end();
    while (is_good && words >> word) is_good = table.emplace(word, trait->second).second;
    if (!is_good) {  // The table is part of this program.
      std::fprintf(stderr, "schema: %s in line: %s\n", word.c_str(), line.c_str());
      std::abort();
    }
  }
  return table;
}

const TraitTable& trait_table() {
  static const auto* const kTable = new TraitTable(parse_trait_table());
  return *kTable;
}

}  // namespace

Trait trait_of(std::string_view op) {
  std::string_view name = aten_name(op);
  if (name.empty()) return Trait::kNone;
  const auto find = [](std::string_view key) {
    const auto entry = trait_table().find(key);
    return entry == trait_table().end() ? Trait::kNone : entry->second;
  };
  op.remove_prefix(std::string_view("aten.").size());
  for (const std::string_view key : {op, name}) {
    if (const Trait trait = find(key); trait != Trait::kNone) return trait;
  }
  for (const std::string_view ending : {"_copy", "_"}) {
    if (name.ends_with(ending)) return find(name.substr(0, name.size() - ending.size()));
  }
  return Trait::kNone;
}

bool only_moves(std::string_view op) {
  switch (trait_of(op)) {
    case Trait::kSame:
    case Trait::kReshaped:
    case Trait::kPermuted:
    case Trait::kExpanded:
    case Trait::kMoved:
      return true;
    default:
      return false;
  }
}

bool is_index_argument(std::string_view op, size_t i) {
  const Schema* schema = find_operator(op);
  if (schema == nullptr || i >= schema->parameters.size()) return false;
  // What lies outside of their mask may be any number.
  if (base_name(op).starts_with("_unsafe_masked_index")) return false;
  const Parameter& parameter = schema->parameters[i];
  return parameter.type.base == BaseType::kTensor &&
         (parameter.name == "index" || parameter.name == "indices" || parameter.name == "offsets");
}

std::vector<std::string> names_of(Trait trait) {
  std::vector<std::string> names;
  for (const auto& [name, of] : trait_table()) {
    if (of == trait) names.push_back(name);
  }
  return names;
}

}  // namespace slipway::schema
