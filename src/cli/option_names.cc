#include "cli/option_names.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>

#include <fmt/format.h>

#include "base/printable.h"

namespace slipway::cli {

std::string flag_of(const std::string& option) {
  // Others are called the same.
  static const std::map<std::string, std::string> kFlags = {
      {"alloc_graph_output", "--no-alloc-graph-output"},
      {"bounds", "--bound"},
      {"exclude_nodes", "--exclude-node"},
      {"exclude_ops", "--exclude-op"},
      {"time_limit", "--timeout"}};
  if (const auto found = kFlags.find(option); found != kFlags.end()) return found->second;
  std::string flag = "--" + option;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string with_flags(const std::string& message) {
  static const std::regex kOption("option '([a-z0-9_]+)'");
  std::string text;
  auto rest = message.begin();
  for (std::sregex_iterator match(message.begin(), message.end(), kOption), end; match != end;
       ++match) {
    text.append(rest, (*match)[0].first);
    text += flag_of((*match)[1]);
    rest = (*match)[0].second;
  }
  return text.append(rest, message.end());
}

void print_warning(const std::string& message) {
  fmt::print(stderr, "warning: {}\n", printable_message(with_flags(message)));
}

}  // namespace slipway::cli
