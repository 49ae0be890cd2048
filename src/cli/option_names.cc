#include "cli/option_names.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/printable.h"

namespace slipway::cli {

std::string flag_of(const std::string& option) {
  // Others are called the same.
  constexpr std::pair<std::string_view, const char*> kFlags[] = {
      {"alloc_graph_output", "--no-alloc-graph-output"},
      {"bounds", "--bound"},
      {"engines", "--engine"},
      {"exclude_nodes", "--exclude-node"},
      {"exclude_ops", "--exclude-op"},
      {"time_limit", "--timeout"},
      {"tune_sizes", "--tune-size"}};
  for (const auto& [name, flag] : kFlags) {
    if (option == name) return flag;
  }
  std::string flag = "--" + option;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string with_flags(const std::string& message) {
  constexpr std::string_view kBegin = "option '";
  constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  std::string text;
  size_t rest = 0;
  for (size_t at = message.find(kBegin); at != std::string::npos; at = message.find(kBegin, at)) {
    const size_t name = at + kBegin.size();
    const size_t end = message.find_first_not_of(kLetters, name);
    if (end != std::string::npos && end > name && message[end] == '\'') {
      text.append(message, rest, at - rest);
      text += flag_of(message.substr(name, end - name));
      rest = end + 1;
    }
    at = name;
  }
  return text.append(message, rest, std::string::npos);
}

void print_warning(const std::string& message) {
  fmt::print(stderr, "warning: {}\n", printable_message(with_flags(message)));
}

}  // namespace slipway::cli
