#include "cuda/compiler/nvrtc.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <dlfcn.h>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/shared_library.h"
#include "base/try.h"
#include "cuda/libraries/find_library.h"

namespace slipway::cuda {
namespace {

const LibraryPlaces kPlaces = {
    .title = "NVRTC",
    .names = {"libnvrtc.so.13", "libnvrtc.so.12"},
    .variable = kNvrtcVariable,
    .setup_folder = "nvrtc",
    .wheel_folder = "cuda_nvrtc",
    .remedy = "get it by `make setup-cuda` or `pip install nvidia-cuda-nvrtc==13.0.88`",
};

// "sm_90" and "sm_90a" are {90, false}, and "compute_90" {90, true}; nothing for other texts.
std::optional<std::pair<int, bool>> read_target(std::string_view text) {
  const bool is_ptx = text.starts_with("compute_");
  if (!is_ptx && !text.starts_with("sm_")) return std::nullopt;
  text.remove_prefix(text.find('_') + 1);
  if (!is_ptx && text.ends_with('a')) text.remove_suffix(1);
  int capability = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), capability);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return std::pair(capability, is_ptx);
}

}  // namespace

Result<const Nvrtc*> Nvrtc::open(const std::string& path) {
  SLIPWAY_ASSIGN_OR_RETURN(const std::string file, find_library(kPlaces, path));
  return loaded_once(file, &Nvrtc::load);
}

void Nvrtc::find_functions(OpenedLibrary& library) {
  library.find(call_.error_text, "nvrtcGetErrorString");
  library.find(call_.version, "nvrtcVersion");
  library.find(call_.count_capabilities, "nvrtcGetNumSupportedArchs");
  library.find(call_.capabilities, "nvrtcGetSupportedArchs");
  library.find(call_.create, "nvrtcCreateProgram");
  library.find(call_.destroy, "nvrtcDestroyProgram");
  library.find(call_.compile, "nvrtcCompileProgram");
  library.find(call_.log_size, "nvrtcGetProgramLogSize");
  library.find(call_.log, "nvrtcGetProgramLog");
  library.find(call_.ptx_size, "nvrtcGetPTXSize");
  library.find(call_.ptx, "nvrtcGetPTX");
  library.find(call_.cubin_size, "nvrtcGetCUBINSize");
  library.find(call_.cubin, "nvrtcGetCUBIN");
}

Result<const Nvrtc*> Nvrtc::load(const std::string& file) {
  SLIPWAY_ASSIGN_OR_RETURN(OpenedLibrary library, OpenedLibrary::open(file));
  std::unique_ptr<Nvrtc> nvrtc(new Nvrtc());
  nvrtc->find_functions(library);
  SLIPWAY_RETURN_IF_ERROR(library.check("NVRTC"));
  nvrtc->path_ = library.path();
  int count = 0;
  const Functions& call = nvrtc->call_;
  int code = call.version(&nvrtc->major_, &nvrtc->minor_);
  if (code == 0) code = call.count_capabilities(&count);
  nvrtc->capabilities_.resize(static_cast<size_t>(std::max(count, 0)));
  if (code == 0 && count > 0) code = call.capabilities(nvrtc->capabilities_.data());
  if (code != 0) {
    return unavailable("{} does not say what it compiles for: {}", file, call.error_text(code));
  }
  std::sort(nvrtc->capabilities_.begin(), nvrtc->capabilities_.end());
  // It opens its builtins by their name alone, and the loader has those that lie beside it only
  // where they are open already.
  const std::string builtins =
      fmt::format("libnvrtc-builtins.so.{}.{}", nvrtc->major_, nvrtc->minor_);
  ::dlopen(std::filesystem::path(nvrtc->path_).replace_filename(builtins).c_str(),
           RTLD_NOW | RTLD_LOCAL);
  return nvrtc.release();
}

std::string Nvrtc::version() const { return fmt::format("{}.{}", major_, minor_); }

Status Nvrtc::check_target(const std::string& target) const {
  const auto read = read_target(target);
  if (read && std::binary_search(capabilities_.begin(), capabilities_.end(), read->first)) {
    return {};
  }
  return unsupported("NVRTC {} does not compile for '{}': it knows sm_{}", version(),
                     printable(target), fmt::join(capabilities_, ", sm_"));
}

std::string Nvrtc::log_of(Program program) const {
  size_t size = 0;
  if (call_.log_size(program, &size) != 0 || size <= 1) return "";
  std::string log(size, '\0');
  if (call_.log(program, log.data()) != 0) return "";
  log.resize(size - 1);
  return log;
}

Result<std::string> Nvrtc::compile(const std::string& source, const std::string& target) const {
  SLIPWAY_RETURN_IF_ERROR(check_target(target));
  const bool is_ptx = read_target(target)->second;
  Program program = nullptr;
  int code = call_.create(&program, source.c_str(), "kernels.cu", 0, nullptr, nullptr);
  if (code != 0) {
    return internal_error("NVRTC {} takes no source: {}", version(), call_.error_text(code));
  }
  const std::unique_ptr<Program, int (*)(Program*)> owner(&program, call_.destroy);
  const std::string architecture = "-arch=" + target;
  // What different operators give is rounded apart; kernels say where a product and a sum are one.
  const std::array<const char*, 4> options = {architecture.c_str(), "-std=c++17", "-w",
                                              "-fmad=false"};
  code = call_.compile(program, static_cast<int>(options.size()), options.data());
  if (code != 0) {
    return internal_error("NVRTC {} does not compile kernels for {}: {}\n{}", version(), target,
                          call_.error_text(code), printable_message(log_of(program)));
  }
  size_t size = 0;
  code = is_ptx ? call_.ptx_size(program, &size) : call_.cubin_size(program, &size);
  std::string image(size, '\0');
  if (code == 0) {
    code = is_ptx ? call_.ptx(program, image.data()) : call_.cubin(program, image.data());
  }
  if (code != 0 || image.empty()) {
    return internal_error("NVRTC {} gives no code for {}: {}", version(), target,
                          call_.error_text(code));
  }
  return image;
}

}  // namespace slipway::cuda
