// The subcommands of the tool, one a file.
#pragma once

#include <functional>
#include <string>

#include "cli/command_line.h"
#include "slipway/result.h"

namespace slipway::cli {

// What the command line asked for; set by the subcommand that was named. kInvalidArgument is wrong
// use.
using Action = std::function<Status()>;

void add_compile(const Command& tool, Action& action);
void add_run(const Command& tool, Action& action);
void add_inspect(const Command& tool, Action& action);
void add_extract(const Command& tool, Action& action);
void add_tune(const Command& tool, Action& action);
void add_verify(const Command& tool, Action& action);
void add_operators(const Command& tool, Action& action);
void add_cache(const Command& tool, Action& action);
void add_doctor(const Command& tool, Action& action);
void add_completion(const Command& tool, Action& action);

// The whole tool. The exit code: 0 done, 1 the work failed, 2 wrong use.
int run_tool(int argc, const char* const* argv);

}  // namespace slipway::cli
