// The subcommands of the tool, one a file.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "slipway/result.h"

namespace slipway::cli {

// What the command line asked for; set by the subcommand that was named. kInvalidArgument is wrong
// use.
using Action = std::function<Status()>;

void add_compile(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_extract(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_operators(CLI::App& app, Action& action);
void add_cache(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

// The whole tool. The exit code: 0 done, 1 the work failed, 2 wrong use.
int run_tool(int argc, const char* const* argv);

}  // namespace slipway::cli
