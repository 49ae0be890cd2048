#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "base/printable.h"
#include "base/temporary_file.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/option_names.h"
#include "cli/suggestion.h"
#include "cli/versions.h"

namespace slipway::cli {
namespace {

constexpr int kWorkFailed = 1;
constexpr int kWrongUse = 2;

constexpr const char* kExamples = R"(
Examples:
  slipway compile model.pt2 -o model.pte
  slipway compile forward=model.pt2 encode=encoder.pt2 -o model.pte --bound s77=64
  slipway run model.pte --input x=x.npy --input 1=3 --output-dir out
  slipway inspect model.pte
  slipway verify model.pte --reference tests/model
  slipway doctor

Exit codes: 0 done, 1 the work failed, 2 wrong use.)";

// Takes away what only a living process would; then the signal does what it always does.
void end_by_signal(int signal) {
  remove_temporary_names();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// A signal that the caller ignores, as nohup does, stays ignored.
void handle_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(signal, end_by_signal) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
  // A limit on the size of files gives errors of the calls.
  std::signal(SIGXFSZ, SIG_IGN);
}

// CLI11 only says that a subcommand is missing.
const char* unknown_subcommand(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return nullptr;
  for (const CLI::App* known : app.get_subcommands({})) {
    if (known->get_name() == argv[1]) return nullptr;
  }
  return argv[1];
}

// The long and short names of a command's options, those of its option groups too.
std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  for (const CLI::App* group : command.get_subcommands({})) {
    const std::vector<std::string> inner = option_names(*group);
    names.insert(names.end(), inner.begin(), inner.end());
  }
  return names;
}

// CLI11 names what is missing before what is misspelled, and takes an empty value, as of a variable
// that is not set, for none. Empty where every option exists and has what it is given.
std::string wrong_option(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2) return {};
  const auto commands = app.get_subcommands(
      [&](const CLI::App* candidate) { return candidate->get_name() == argv[1]; });
  // `slipway cache list`: what may follow depends on the next word.
  if (commands.empty() || commands[0]->get_require_subcommand_min() > 0) return {};
  const std::vector<std::string> known = option_names(*commands[0]);
  for (int i = 2; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const std::string name = argument.substr(0, argument.find('='));
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      const bool is_empty = argument == name ? i + 1 < argc && argv[i + 1][0] == '\0'
                                             : argument.size() == name.size() + 1;
      if (is_empty) return fmt::format("{} is given an empty value", name);
      continue;
    }
    return fmt::format("there is no option {}{} (try `slipway {} --help`)", name,
                       did_you_mean(name, known), argv[1]);
  }
  return {};
}

int fail(int code, const std::string& message) {
  std::fflush(stdout);
  // Messages quote what is in files.
  std::fprintf(stderr, "slipway: error: %s\n", printable_message(with_flags(message)).c_str());
  return code;
}

}  // namespace

int run_tool(int argc, const char* const* argv) {
  // The library that counts cores for an engine complains where /sys is not mounted, as in many
  // containers, and then counts otherwise. There is one thread yet.
  ::setenv("HWLOC_HIDE_ERRORS", "2", 0);
  handle_signals();
  CLI::App app("Compiles PyTorch programs saved by torch.export ahead of time, and runs them.",
               "slipway");
  app.footer(kExamples);
  app.set_version_flag("--version", versions);
  app.require_subcommand(1);
  const Command tool(app);
  Action action;
  add_compile(tool, action);
  add_run(tool, action);
  add_inspect(tool, action);
  add_extract(tool, action);
  add_tune(tool, action);
  add_verify(tool, action);
  add_operators(tool, action);
  add_cache(tool, action);
  add_doctor(tool, action);
  add_completion(tool, action);
  if (const char* unknown = unknown_subcommand(app, argc, argv)) {
    std::vector<std::string> commands;
    for (const CLI::App* known : app.get_subcommands({})) commands.push_back(known->get_name());
    return fail(kWrongUse, fmt::format("there is no `slipway {}`{} (try `slipway --help`)", unknown,
                                       did_you_mean(unknown, commands)));
  }
  if (const std::string problem = wrong_option(app, argc, argv); !problem.empty()) {
    return fail(kWrongUse, problem);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto chosen = app.get_subcommands();
    const std::string help = chosen.empty() ? "slipway" : "slipway " + chosen[0]->get_name();
    const std::string problem = error.what();
    const bool is_bare_input =
        problem.ends_with(".npy") && dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    return fail(kWrongUse,
                fmt::format("{}{} (try `{} --help`)", problem,
                            is_bare_input ? "; inputs are given as --input 0=FILE" : "", help));
  }
  try {
    const Status status = action();
    if (status.ok()) return std::fflush(stdout) == 0 ? 0 : fail(kWorkFailed, "can't write output");
    const bool wrong_use = status.error().code() == ErrorCode::kInvalidArgument;
    return fail(wrong_use ? kWrongUse : kWorkFailed, status.error().message());
  } catch (const std::exception& error) {
    // Out of memory, or an output that fmt can't write to.
    return fail(kWorkFailed, error.what());
  }
}

}  // namespace slipway::cli
