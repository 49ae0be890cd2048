// Backends: the code that runs the delegated parts of a program.
//
// A backend registers itself with ExecuTorch when its shared library is opened, once a process. We
// open a library when a file first names its backend, so that a program without engines carries
// none. Any thread may call what is here.
#pragma once

#include <string>
#include <vector>

#include "slipway/result.h"

namespace slipway::runtime {

struct KnownBackend {
  const char* id;       // as files name it: "XnnpackBackend"
  const char* library;  // opened from beside libexecutorch.so; null where this version has none
  const char* remedy;   // what to do where it is missing
};
const std::vector<KnownBackend>& known_backends();

// Makes sure that a backend is registered and says that it can work. The error names the library
// and how to get it.
Status require_backend(const std::string& id);

// The folder that libexecutorch.so was loaded from; empty when the system does not tell.
std::string executorch_folder();

}  // namespace slipway::runtime
