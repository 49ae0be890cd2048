#include "runtime/backends.h"

#include <algorithm>
#include <dlfcn.h>
#include <link.h>
#include <mutex>
#include <string_view>

#include <executorch/runtime/backend/interface.h>

#include "base/error.h"
#include "runtime/platform.h"

namespace slipway::runtime {
namespace {

// Opens the library that registers the backend. It stays open: ExecuTorch keeps pointers into it.
Status open_library(const KnownBackend& backend) {
  const std::string folder = executorch_folder();
  const std::string path = folder.empty() ? backend.library : folder + "/" + backend.library;
  LogCapture capture;
  if (::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return unavailable("backend {} needs {}, which does not open ({}): {}", backend.id,
                       backend.library, ::dlerror(), backend.remedy);
  }
  return {};
}

}  // namespace

const std::vector<KnownBackend>& known_backends() {
  static const std::vector<KnownBackend> backends = {
      {"XnnpackBackend", "libexecutorch_backend_xnnpack.so",
       "put it beside libexecutorch.so; ExecuTorch's wheel for Python has it (`pip download "
       "executorch==1.5.1`, in executorch/lib)"},
      {"OpenvinoBackend", nullptr,
       "this version of Slipway has no OpenVINO engine; compile with --engine none"},
      {"TensorRTBackend", nullptr,
       "this version of Slipway has no TensorRT engine; compile with --engine none"},
  };
  return backends;
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
    if (auto opened = open_library(*found); !opened.ok()) return opened;
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

std::string executorch_folder() {
  std::string folder;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        const std::string_view path = info->dlpi_name;
        constexpr std::string_view kName = "/libexecutorch.so";
        if (!path.ends_with(kName)) return 0;
        *static_cast<std::string*>(result) = path.substr(0, path.size() - kName.size());
        return 1;
      },
      &folder);
  return folder;
}

}  // namespace slipway::runtime
