#include "openvino/library/library.h"

#include <dlfcn.h>
#include <mutex>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "openvino/format/description.h"
#include "openvino/shim/shim.h"

namespace slipway::openvino {

Result<const Library*> Library::open() {
  static std::mutex mutex;
  static const Library* opened = nullptr;  // Never destroyed: the library stays open, too.
  const std::lock_guard<std::mutex> lock(mutex);
  if (opened == nullptr) {
    SLIPWAY_ASSIGN_OR_RETURN(void* library, open_library(kLibrary, kRemedy));
    const auto functions =
        reinterpret_cast<decltype(&slipway_openvino)>(::dlsym(library, "slipway_openvino"));
    if (functions == nullptr) {
      return unavailable("{} is another library than Slipway's: {}", kLibrary, kRemedy);
    }
    opened = new Library(*functions());
  }
  return opened;
}

Library::Library(const shim::Functions& functions)
    : functions_(functions), version_(functions.version()), path_(functions.path()) {}

Status Library::compile(std::string_view model,
                        const std::map<std::string, std::string>& properties,
                        const ByteSink& sink) const {
  std::string device = "CPU";
  std::vector<shim::Property> list;
  for (const auto& [name, value] : properties) {
    if (name == "DEVICE") {
      device = value;
    } else {
      list.push_back({name.c_str(), value.c_str()});
    }
  }
  struct Writing {
    const ByteSink& sink;
    Status status;
  } writing{sink, {}};
  const shim::Sink write = {&writing, [](void* context, const void* data, size_t size) {
                              auto& to = *static_cast<Writing*>(context);
                              to.status = to.sink({static_cast<const std::byte*>(data), size});
                              return to.status.ok();
                            }};
  std::string reason;
  const shim::Report report = {&reason, [](void* context, const char* text) {
                                 *static_cast<std::string*>(context) += text;
                               }};
  switch (functions_.compile(model.data(), model.size(), device.c_str(), {list.data(), list.size()},
                             write, report)) {
    case shim::CompileResult::kDone:
      return {};
    case shim::CompileResult::kStopped:
      return writing.status;
    case shim::CompileResult::kRefused:
      break;
  }
  return unsupported("OpenVINO {} refuses the model: {}", version_, reason);
}

}  // namespace slipway::openvino
