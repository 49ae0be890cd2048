// slipway completion: scripts for shells, and slipway manual: the page that man shows.

#include <memory>
#include <string>

#include <fmt/core.h>

#include "cli/command_table.h"
#include "cli/commands.h"
#include "slipway/version.h"

namespace slipway::cli {

void add_completion(const Command& tool, Action& action) {
  const auto shell = std::make_shared<std::string>();
  const Command completion = tool.add_command(
      "completion", "Print a script that completes the words of slipway in a shell");
  completion.add_option("shell", *shell, "Which shell").required().one_of(shells());
  completion.footer(R"(
Examples:
  slipway completion bash > ~/.local/share/bash-completion/completions/slipway
  slipway completion fish > ~/.config/fish/completions/slipway.fish
  slipway completion zsh > "${fpath[1]}/_slipway")");
  completion.on_parsed([&action, tool, shell] {
    action = [tool, shell]() -> Status {
      fmt::print("{}", completion_script(tool.table(), *shell));
      return {};
    };
  });

  const Command manual = tool.add_command("manual", "Print the page that man shows");
  manual.footer("\nExample:\n  slipway manual | man -l -");
  manual.on_parsed([&action, tool] {
    action = [tool]() -> Status {
      fmt::print("{}", manual_page(tool.table(), version()));
      return {};
    };
  });
}

}  // namespace slipway::cli
