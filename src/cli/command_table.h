// What commands and options there are, as data: for shells that complete words, and for the manual.
#pragma once

#include <string>
#include <vector>

namespace slipway::cli {

struct OptionRow {
  std::vector<std::string> names;    // "--output", "-o"; one without dashes for an argument
  std::string value;                 // what it takes: "FILE", "{off,small}"; empty: nothing
  std::vector<std::string> choices;  // all that it takes, where these are few
  std::string help;
  bool is_argument() const { return names.front().front() != '-'; }
};

struct CommandRow {
  std::string name;  // "slipway", "compile"
  std::string description;
  std::string footer;
  std::vector<OptionRow> options;  // those of its groups, too
  std::vector<CommandRow> commands;
};

// A script for one of shells(); empty for another one.
std::string completion_script(const CommandRow& tool, const std::string& shell);
std::vector<std::string> shells();

// The manual's page as man reads it, in section 1.
std::string manual_page(const CommandRow& tool, const std::string& version);

}  // namespace slipway::cli
