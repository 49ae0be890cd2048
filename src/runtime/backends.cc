#include "runtime/backends.h"

#include <algorithm>
#include <mutex>

#include <executorch/runtime/backend/interface.h>

#include "base/error.h"
#include "base/shared_library.h"
#include "runtime/platform.h"

namespace slipway::runtime {

const std::vector<KnownBackend>& known_backends() {
  static const std::vector<KnownBackend> backends = {
      {"XnnpackBackend", "libexecutorch_backend_xnnpack.so",
       "put it beside libexecutorch.so; ExecuTorch's wheel for Python has it (`pip download "
       "executorch==1.5.1`, in executorch/lib)"},
      {"OpenvinoBackend", kOpenvinoLibrary, kOpenvinoRemedy},
      {"TensorRTBackend", nullptr,
       "this version of Slipway builds TensorRT engines but does not run them: run the file under "
       "an "
       "ExecuTorch that has Torch-TensorRT's delegate, or take the engine out with `slipway "
       "extract` for TensorRT's own tools"},
  };
  return backends;
}

et::BackendOptions<2> openvino_options(const LoadOptions& options) {
  et::BackendOptions<2> given;
  if (options.engine_threads) {
    given.set_option("num_threads", static_cast<int>(*options.engine_threads));
  }
  if (options.performance_hint) {
    const bool latency = *options.performance_hint == PerformanceHint::kLatency;
    given.set_option("performance_hint", latency ? "latency" : "throughput");
  }
  return given;
}

std::string engine_settings() {
  et::BackendOptions<2> asked;
  asked.set_option("num_threads", 0);
  asked.set_option("performance_hint", "");
  int threads = 0;
  const char* hint = "";
  const bool found = et::get_backend_class("OpenvinoBackend") != nullptr &&
                     et::get_option("OpenvinoBackend", asked.view()) == et::Error::Ok &&
                     asked.get_option("num_threads", threads) == et::Error::Ok &&
                     asked.get_option("performance_hint", hint) == et::Error::Ok;
  if (!found || threads == 0) return "";
  return fmt::format("{} {}, {}", threads, threads == 1 ? "thread" : "threads", hint);
}

Status require_backend(const std::string& id) {
  initialize_platform();
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  et::BackendInterface* backend = et::get_backend_class(id.c_str());
  if (backend == nullptr) {
    const auto& known = known_backends();
    auto found = std::find_if(known.begin(), known.end(),
                              [&](const KnownBackend& candidate) { return id == candidate.id; });
    if (found == known.end()) {
      return unavailable(
          "backend '{}' is not one that Slipway knows: load the shared library that registers it "
          "into the process first",
          id);
    }
    if (found->library == nullptr) {
      return unavailable("backend {} is not here: {}", id, found->remedy);
    }
    LogCapture capture;
    if (auto opened = open_library(found->library, found->remedy); !opened.ok()) {
      return opened.error().with_context(fmt::format("backend {}", id));
    }
    backend = et::get_backend_class(id.c_str());
    if (backend == nullptr) {
      return unavailable(
          "{} does not register backend {}: is it from another version of ExecuTorch?",
          found->library, id);
    }
  }
  if (!backend->is_available()) {
    return unavailable("backend {} says that it can't work on this machine", id);
  }
  return {};
}

}  // namespace slipway::runtime
