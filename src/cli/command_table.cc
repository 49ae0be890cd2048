#include "cli/command_table.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace slipway::cli {
namespace {

// Of a command that is not the tool itself: "slipway cache list".
using Path = std::vector<std::string>;

void for_each_command(const CommandRow& command, const Path& path,
                      const std::function<void(const CommandRow&, const Path&)>& look) {
  look(command, path);
  for (const CommandRow& inner : command.commands) {
    Path longer = path;
    longer.push_back(inner.name);
    for_each_command(inner, longer, look);
  }
}

std::vector<std::string> names_of(const std::vector<CommandRow>& commands) {
  std::vector<std::string> names;
  std::transform(commands.begin(), commands.end(), std::back_inserter(names),
                 [](const CommandRow& command) { return command.name; });
  return names;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Of shells: nothing in between single quotes is anything but itself.
std::string shell_quoted(const std::string& text) {
  return "'" + replaced(text, "'", "'\\''") + "'";
}

std::string bash_script(const CommandRow& tool) {
  std::string cases;
  for_each_command(tool, {}, [&](const CommandRow& command, const Path& path) {
    std::vector<std::string> words = names_of(command.commands);
    std::string values;
    for (const OptionRow& option : command.options) {
      if (option.is_argument()) {
        words.insert(words.end(), option.choices.begin(), option.choices.end());
        continue;
      }
      words.insert(words.end(), option.names.begin(), option.names.end());
      if (option.value.empty()) continue;
      values += fmt::format(
          "        {}) values={} ;;\n", fmt::join(option.names, "|"),
          shell_quoted(option.choices.empty() ? "<file>"
                                              : fmt::format("{}", fmt::join(option.choices, " "))));
    }
    cases += fmt::format("    {})\n      words={}\n",
                         shell_quoted(fmt::format("{}", fmt::join(path, " "))),
                         shell_quoted(fmt::format("{}", fmt::join(words, " "))));
    if (!values.empty()) cases += "      case $previous in\n" + values + "      esac\n";
    cases += "      ;;\n";
  });
  std::string commands;
  for_each_command(tool, {}, [&](const CommandRow& /*command*/, const Path& path) {
    if (!path.empty())
      commands += fmt::format("      {}) path=$longer ;;\n",
                              shell_quoted(fmt::format("{}", fmt::join(path, " "))));
  });
  return "# Completes the words of slipway in bash.\n"
         "_slipway() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local path= words= values= longer= i\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    longer=${path:+$path }${COMP_WORDS[i]}\n"
         "    case $longer in\n" +
         commands +
         "    esac\n"
         "  done\n"
         "  case $path in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=()\n"
         "  if [[ $values == '<file>' ]]; then\n"
         "    words=\n"
         "  elif [[ -n $values ]]; then\n"
         "    words=$values\n"
         "  fi\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  if [[ $values == '<file>' || ( -z $values && $word != -* ) ]]; then\n"
         "    local IFS=$'\\n'  # names of files may have spaces\n"
         "    COMPREPLY+=($(compgen -f -- \"$word\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _slipway slipway\n";
}

// zsh reads bash's scripts.
std::string zsh_script(const CommandRow& tool) {
  return "#compdef slipway\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash_script(tool);
}

std::string fish_script(const CommandRow& tool) {
  std::string script = "# Completes the words of slipway in fish.\n";
  for_each_command(tool, {}, [&](const CommandRow& command, const Path& path) {
    // Every command of the path is there, and none of those below.
    std::string condition;
    for (const std::string& name : path) {
      condition +=
          fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", name);
    }
    if (!command.commands.empty()) {
      condition +=
          fmt::format("{}not __fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ",
                      fmt::join(names_of(command.commands), " "));
    }
    const std::string start = fmt::format("complete -c slipway -n {}", shell_quoted(condition));
    for (const CommandRow& inner : command.commands) {
      script += fmt::format("{} -f -a {} -d {}\n", start, shell_quoted(inner.name),
                            shell_quoted(inner.description));
    }
    for (const OptionRow& option : command.options) {
      std::string line = start;
      for (const std::string& name : option.names) {
        if (name.starts_with("--")) {
          line += " -l " + name.substr(2);
        } else if (name.starts_with('-')) {
          line += " -s " + name.substr(1);
        }
      }
      if (!option.choices.empty()) {
        line += fmt::format(" -f -a {}",
                            shell_quoted(fmt::format("{}", fmt::join(option.choices, " "))));
      } else if (option.is_argument()) {
        continue;  // a file
      }
      if (!option.value.empty() && !option.is_argument()) line += " -r";
      script += fmt::format("{} -d {}\n", line, shell_quoted(option.help));
    }
  });
  return script;
}

// A text of the manual: nothing in it is an instruction.
std::string roff(const std::string& text) {
  std::string result = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  result = replaced(result, "\n.", "\n\\&.");
  result = replaced(result, "\n'", "\n\\&'");
  if (result.starts_with('.') || result.starts_with('\'')) result = "\\&" + result;
  return result;
}

}  // namespace

std::vector<std::string> shells() { return {"bash", "zsh", "fish"}; }

std::string completion_script(const CommandRow& tool, const std::string& shell) {
  if (shell == "bash") return bash_script(tool);
  if (shell == "zsh") return zsh_script(tool);
  if (shell == "fish") return fish_script(tool);
  return {};
}

std::string manual_page(const CommandRow& tool, const std::string& version) {
  std::string page = fmt::format(".TH SLIPWAY 1 \"\" \"slipway {}\" \"User Commands\"\n", version);
  page += fmt::format(".SH NAME\n{} \\- {}\n", tool.name, roff(tool.description));
  page += fmt::format(".SH SYNOPSIS\n.B {}\n.I command\n[options]\n", tool.name);
  for_each_command(tool, {}, [&](const CommandRow& command, const Path& path) {
    if (path.empty()) {
      page += ".SH OPTIONS\n";
    } else {
      page += fmt::format(".SH SLIPWAY {}\n{}\n", roff(fmt::format("{}", fmt::join(path, " "))),
                          roff(command.description));
    }
    for (const OptionRow& option : command.options) {
      page += fmt::format(".TP\n.B {}\n{}\n",
                          roff(fmt::format("{}{}{}", fmt::join(option.names, ", "),
                                           option.value.empty() ? "" : " ", option.value)),
                          roff(option.help));
    }
    if (!command.footer.empty()) page += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.footer));
  });
  return page;
}

}  // namespace slipway::cli
