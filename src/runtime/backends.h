// Backends: the code that runs the delegated parts of a program.
//
// A backend registers itself with ExecuTorch when its shared library is opened, once a process. We
// open a library when a file first names its backend, so that a program without engines carries
// none. Any thread may call what is here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <executorch/runtime/backend/backend_options_map.h>
#include <executorch/runtime/backend/options.h>

#include "slipway/module.h"
#include "slipway/result.h"

namespace slipway::runtime {

// What the delegates that Slipway knows take of the options of Module::load, as ExecuTorch wants
// it.
class BackendSettings {
 public:
  // `is_checked`: engine::kCheckedOption.
  BackendSettings(const LoadOptions& options, const std::string& program, bool is_checked);
  // Valid as long as this is.
  executorch::runtime::LoadBackendOptionsMap map();

 private:
  std::vector<std::pair<const char*, std::vector<executorch::runtime::BackendOption>>> settings_;
};

// Once all engines of a method are loaded that delegates plan together
// (engine::Description::weight_budget): before that none runs. `program` names them, as it did in
// BackendSettings; what the delegates log comes behind `log`.
Status finish_program(const std::string& program, std::string& log);
// How many bytes of weights they have on their device; `change`, a load option for it, is made
// first. kUnsupported where there is nothing to stream.
Result<uint64_t> weight_budget(const std::string& program, const LoadOptions& change);

// What the engine that was loaded last in this process runs with, such as "2 threads, latency";
// empty without one.
std::string engine_settings();

// What a registered backend runs engines with; empty where it does not tell.
struct Environment {
  std::string library_version;
  std::string capabilities;  // of the device, as the records of its engines have them
};
// Asks for ExecuTorch's options of these names.
Environment environment_of(const std::string& backend);

// Makes sure that a backend is registered and says that it can work. The error names the library
// and how to get it.
Status require_backend(const std::string& id);

}  // namespace slipway::runtime
