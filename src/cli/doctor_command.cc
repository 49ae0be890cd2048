// slipway doctor: what this machine has for Slipway, and what to do for what is missing.

#include <string>
#include <vector>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/option_names.h"
#include "cli/text.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

Status doctor() {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, text] : describe_machine()) rows.push_back({name, with_flags(text)});
  fmt::print("{}", format_table(rows));
  return {};
}

}  // namespace

void add_doctor(const Command& tool, Action& action) {
  const Command command =
      tool.add_command("doctor", "Show which engines and libraries are here, and what to do");
  command.footer("\nExample:\n  slipway doctor");
  command.on_parsed([&action] { action = doctor; });
}

}  // namespace slipway::cli
