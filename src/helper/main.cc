// slipway-build-engine: builds engines for a process that compiles, which starts it
// (engine_build/helper.h).

#include <map>
#include <string>

#include "engine_build/helper.h"
#include "engine_list/compilers/registry.h"

int main(int argc, char** argv) {
  std::map<std::string, slipway::engine_build::JobHandler> handlers;
  for (const auto* compiler : slipway::engine_list::compilers()) {
    if (compiler->handle_job != nullptr) handlers[compiler->name] = compiler->handle_job;
  }
  return slipway::engine_build::run_helper(argc, argv, handlers);
}
