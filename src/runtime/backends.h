// Backends: the code that runs the delegated parts of a program.
//
// A backend registers itself with ExecuTorch when its shared library is opened, once a process. We
// open a library when a file first names its backend, so that a program without engines carries
// none. Any thread may call what is here.
#pragma once

#include <string>
#include <vector>

#include <executorch/runtime/backend/options.h>

#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::runtime {

struct KnownBackend {
  const char* id;       // as files name it: "XnnpackBackend"
  const char* library;  // opened on demand; null where this version has none
  const char* remedy;   // what to do where it is missing
};
const std::vector<KnownBackend>& known_backends();

// What the backend of OpenVINO takes of the options of Module::load.
executorch::runtime::BackendOptions<2> openvino_options(const LoadOptions& options);

// What the engine that was loaded last in this process runs with, such as "2 threads, latency";
// empty without one.
std::string engine_settings();

// Makes sure that a backend is registered and says that it can work. The error names the library
// and how to get it.
Status require_backend(const std::string& id);

}  // namespace slipway::runtime
