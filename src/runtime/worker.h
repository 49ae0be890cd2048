// The program in which modules run that are isolated (LoadOptions::isolate).
#pragma once

#include <string>

namespace slipway::runtime {

// In libexec/slipway.
constexpr const char* kWorker = "slipway-worker";
// Both programs are of one build, or don't talk.
std::string worker_version();

// Its main function: does what the Module that started it asks until that ends. Gives the exit
// code.
int run_worker(int argc, char** argv);

}  // namespace slipway::runtime
