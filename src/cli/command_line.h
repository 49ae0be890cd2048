// What subcommands are made of. CLI11 is behind it, in command_line.cc and tool.cc alone: each file
// that includes it compiles all of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/command_table.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace slipway::cli {

// A handle to an option of a command. Each function gives the option itself.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  const Option& required() const;
  const Option& show_default() const;
  const Option& type_name(const std::string& name) const;
  // One value each time that it is given; lists take all that follow otherwise.
  const Option& one_at_a_time() const;
  // It may be given once, with one value.
  const Option& once() const;
  const Option& excludes(const Option& other) const;
  const Option& between(int least, int most) const;
  const Option& between(uint64_t least, uint64_t most) const;
  const Option& between(double least, double most) const;
  const Option& one_of(const std::vector<std::string>& values) const;

 private:
  CLI::Option* option_;
};

// A handle to a command, or to a group of options in its help.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  Command add_command(const std::string& name, const std::string& description) const;
  Command add_group(const std::string& title) const;
  void require_command() const;
  // `value` must outlive the command, as must what `parsed` refers to. T is one of the types at the
  // end of command_line.cc.
  template <class T>
  Option add_option(const std::string& name, T& value, const std::string& help) const;
  Option add_flag(const std::string& name, bool& value, const std::string& help) const;
  void footer(const std::string& text) const;
  // Called where the command was named, when all of its options have their values.
  void on_parsed(const std::function<void()>& parsed) const;

  // Those of its options that were given: "--engine".
  std::vector<std::string> given() const;
  // All of it, with the commands below it.
  CommandRow table() const;

 private:
  CLI::App* app_;
};

}  // namespace slipway::cli
