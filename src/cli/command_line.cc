#include "cli/command_line.h"

#include <cmath>
#include <optional>
#include <sstream>

#include <CLI/CLI.hpp>

namespace slipway::cli {

const Option& Option::required() const {
  option_->required();
  return *this;
}
const Option& Option::show_default() const {
  option_->capture_default_str();
  return *this;
}
const Option& Option::type_name(const std::string& name) const {
  option_->type_name(name);
  return *this;
}
const Option& Option::one_at_a_time() const {
  option_->allow_extra_args(false);
  return *this;
}
const Option& Option::once() const {
  option_->expected(1);
  return *this;
}
const Option& Option::excludes(const Option& other) const {
  option_->excludes(other.option_);
  return *this;
}
const Option& Option::between(int least, int most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}
const Option& Option::between(uint64_t least, uint64_t most) const {
  option_->check(CLI::Range(least, most));
  return *this;
}
const Option& Option::between(double least, double most) const {
  option_->check(CLI::Range(least, most));
  // Which is not below the least, nor above the most.
  option_->check([](const std::string& text) {
    double number = 0;
    const bool is_nan = CLI::detail::lexical_cast(text, number) && std::isnan(number);
    return is_nan ? std::string("NaN is no number of these") : std::string();
  });
  return *this;
}
const Option& Option::one_of(const std::vector<std::string>& values) const {
  option_->check(CLI::IsMember(values));
  return *this;
}

Command Command::add_command(const std::string& name, const std::string& description) const {
  return Command(*app_->add_subcommand(name, description));
}

Command Command::add_group(const std::string& title) const {
  return Command(*app_->add_option_group(title));
}

void Command::require_command() const { app_->require_subcommand(1); }

template <class T>
Option Command::add_option(const std::string& name, T& value, const std::string& help) const {
  return Option(*app_->add_option(name, value, help));
}

Option Command::add_flag(const std::string& name, bool& value, const std::string& help) const {
  return Option(*app_->add_flag(name, value, help));
}

void Command::footer(const std::string& text) const { app_->footer(text); }

void Command::on_parsed(const std::function<void()>& parsed) const { app_->callback(parsed); }

std::vector<std::string> Command::given() const {
  std::vector<std::string> names;
  for (const CLI::Option* option : app_->get_options()) {
    if (option->count() > 0) names.push_back(option->get_name());
  }
  return names;
}

namespace {

// "TEXT:{off,small}" is the type of an option that takes one of these.
std::vector<std::string> choices_of(const std::string& type) {
  const size_t begin = type.find(":{");
  const size_t end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  std::vector<std::string> choices;
  std::stringstream list(type.substr(begin + 2, end - begin - 2));
  for (std::string choice; std::getline(list, choice, ',');) choices.push_back(choice);
  return choices;
}

OptionRow row_of(const CLI::Option& option) {
  OptionRow row;
  for (const std::string& name : option.get_snames()) row.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) row.names.push_back("--" + name);
  if (row.names.empty()) row.names.push_back(option.get_name());
  row.help = option.get_description();
  if (option.get_expected_max() == 0) return row;
  const std::string type = option.get_type_name();
  row.choices = choices_of(type);
  row.value = row.choices.empty() ? type : type.substr(type.find('{'));
  return row;
}

// Groups of options have no name.
void add_rows(const CLI::App& app, CommandRow& row) {
  for (const CLI::Option* option : app.get_options()) row.options.push_back(row_of(*option));
  for (const CLI::App* inner : app.get_subcommands({})) {
    if (inner->get_name().empty()) {
      add_rows(*inner, row);
    } else {
      CommandRow& command = row.commands.emplace_back();
      command.name = inner->get_name();
      command.description = inner->get_description();
      command.footer = inner->get_footer();
      add_rows(*inner, command);
    }
  }
}

}  // namespace

CommandRow Command::table() const {
  CommandRow row{app_->get_name(), app_->get_description(), app_->get_footer(), {}, {}};
  add_rows(*app_, row);
  return row;
}

#define SLIPWAY_OPTION_OF(...)                                                     \
  template Option Command::add_option(const std::string& name, __VA_ARGS__& value, \
                                      const std::string& help) const;
SLIPWAY_OPTION_OF(std::string)
SLIPWAY_OPTION_OF(std::vector<std::string>)
SLIPWAY_OPTION_OF(int)
SLIPWAY_OPTION_OF(uint32_t)
SLIPWAY_OPTION_OF(uint64_t)
SLIPWAY_OPTION_OF(double)
SLIPWAY_OPTION_OF(std::optional<uint32_t>)
SLIPWAY_OPTION_OF(std::optional<uint64_t>)
SLIPWAY_OPTION_OF(std::optional<double>)
#undef SLIPWAY_OPTION_OF

}  // namespace slipway::cli
