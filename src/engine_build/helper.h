// The program that does the jobs of builders, so that a crash, an abort or a leak of an engine's
// library ends there: both sides of the conversation with it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine_build/engine_cache.h"
#include "engine_build/job.h"

namespace slipway::engine_build {

// Where the helper program lies; empty where it is not found (find_program).
std::string find_helper();

// Does jobs in the helper `program`, which starts at the first job and again after one that it did
// not survive. `for_each_job`: a new process for each, so that its addresses, which decide about
// some libraries' bytes, are the same whatever was built before. Where the program does not start,
// jobs are done in this process, and `warn` is told so.
std::shared_ptr<Worker> make_helper(std::string program, bool for_each_job, Warn warn);

// The helper's main function: does what the parent asks until it has no more. Addresses are the
// same each time where the system allows that. Gives the program's exit code.
int run_helper(int argc, char** argv, const std::map<std::string, JobHandler>& handlers);

}  // namespace slipway::engine_build
