// slipway-build-engine: builds engines for a process that compiles, which starts it
// (build/helper.h).

#include "build/helper.h"
#include "openvino/builder/job.h"
#include "tensorrt/builder/job.h"

int main(int argc, char** argv) {
  return slipway::build::run_helper(argc, argv,
                                    {{slipway::openvino::kJobLibrary, slipway::openvino::run_job},
                                     {slipway::tensorrt::kJobLibrary, slipway::tensorrt::run_job}});
}
