#include "cuda/libraries/cudnn.h"

#include <array>
#include <dlfcn.h>
#include <filesystem>
#include <memory>
#include <system_error>
#include <type_traits>

#include <fmt/format.h>

#include "base/error.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "cuda/libraries/cudnn_numbers.h"
#include "cuda/libraries/find_library.h"

namespace slipway::cuda {
namespace {

const LibraryPlaces kDnnPlaces = {
    .title = "cuDNN",
    .names = {"libcudnn.so.9"},
    .variable = kCudnnVariable,
    .setup_folder = "cudnn",
    .wheel_folder = "cudnn",
    .remedy = "get it by `make setup-cuda` or `pip install nvidia-cudnn-cu13==9.19.0.56`",
};

// NVRTC, by which the library compiles some of its engines, looks for its builtins by their name
// alone: they are found where they are open already. Those beside the library, or where wheels have
// them; without any, such engines are not there.
void open_builtins(const std::filesystem::path& library) {
  const auto folder = library.parent_path();
  for (const auto& place : {folder, folder / "../../cu13/lib"}) {
    std::error_code error;
    for (const auto& file : std::filesystem::directory_iterator(place, error)) {
      if (!file.path().filename().string().starts_with("libnvrtc-builtins.so.")) continue;
      ::dlopen(file.path().c_str(), RTLD_NOW | RTLD_LOCAL);
    }
  }
}

}  // namespace

Result<const Cudnn*> Cudnn::open() {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string file, find_library(kDnnPlaces));
  return loaded_once(file, &Cudnn::load);
}

Result<const Cudnn*> Cudnn::load(const std::string& file) {
  SLIPWAY_ASSIGN_OR_RETURN(OpenedLibrary library, OpenedLibrary::open(file));
  std::unique_ptr<Cudnn> loaded(new Cudnn());
#define SLIPWAY_CUDNN_FUNCTION(member, symbol, ...) \
  library.find(loaded->functions_.member, #symbol);
  SLIPWAY_CUDNN_FUNCTIONS(SLIPWAY_CUDNN_FUNCTION)
#undef SLIPWAY_CUDNN_FUNCTION
  library.find(loaded->functions_.version, "cudnnGetVersion");
  library.find(loaded->functions_.error_text, "cudnnGetErrorString");
  library.find(loaded->functions_.last_error, "cudnnGetLastErrorString");
  SLIPWAY_RETURN_IF_ERROR(library.check("cuDNN"));
  loaded->path_ = library.path();
  open_builtins(loaded->path_);
  return loaded.release();
}

std::string Cudnn::version_text() const {
  const size_t version = functions_.version();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

Status Cudnn::check(int code, std::string_view what) const {
  if (code == 0) return {};
  std::array<char, 512> more = {};
  functions_.last_error(more.data(), more.size() - 1);
  const std::string message = fmt::format("{}: {}{}{}", what, functions_.error_text(code),
                                          more.front() == '\0' ? "" : ": ", more.data());
  if (code == dnn::kNoHostMemory || code == dnn::kNoDeviceMemory) {
    return resource_exhausted("{}", message);
  }
  if (code == dnn::kOtherVersion || (code >= dnn::kNotSupported && code < dnn::kInternal)) {
    return unsupported("{}", message);
  }
  return internal_error("{}", message);
}

}  // namespace slipway::cuda
