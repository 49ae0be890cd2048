// A helper whose library does what a job asks for, and an OpenVINO that crashes at one operator.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <sys/resource.h>

#include "base/error.h"
#include "base/try.h"
#include "engine_build/helper.h"
#include "openvino/builder/job.h"

namespace slipway {
namespace {

int in_program = 0;

Result<std::string> stand_in(const engine_build::Job& job, const ByteSink& sink) {
  const std::string& what = job.request;
  if (what == "crash") ::raise(SIGSEGV);
  if (what == "be killed") ::raise(SIGKILL);
  if (what == "read past a file") ::raise(SIGBUS);
  if (what == "lack memory") throw std::bad_alloc();
  if (what == "crash for lack of memory") {
    const rlimit limit = {0, 0};
    ::setrlimit(RLIMIT_DATA, &limit);
    ::raise(SIGSEGV);
  }
  if (what == "refuse") return unsupported("no such thing");
  if (what == "abort") {
    std::fputs("the last words\n", stderr);
    std::abort();
  }
  if (what == "abort for lack of memory") {
    std::fputs("terminate called after throwing an instance of 'std::bad_alloc'\n", stderr);
    std::abort();
  }
  if (what == "tell addresses") {
    const int on_stack = 0;
    return fmt::format("{} {} {}", static_cast<const void*>(&in_program),
                       static_cast<const void*>(&on_stack),
                       static_cast<const void*>(job.constants.at(0).data()));
  }
  for (const auto bytes : job.constants) SLIPWAY_RETURN_IF_ERROR(sink(bytes));
  return what + " " + job.model;
}

Result<std::string> fragile_openvino(const engine_build::Job& job, const ByteSink& sink) {
  if (job.model.find("Tanh") != std::string::npos) ::raise(SIGSEGV);
  if (job.model.find("Log") != std::string::npos) {
    // So OpenVINO fails where no thread can be made.
    return resource_exhausted("there is not enough memory to build an engine");
  }
  return openvino::run_job(job, sink);
}

}  // namespace
}  // namespace slipway

int main(int argc, char** argv) {
  return slipway::engine_build::run_helper(
      argc, argv,
      {{"stand-in", slipway::stand_in},
       {slipway::openvino::kJobLibrary, slipway::fragile_openvino}});
}
