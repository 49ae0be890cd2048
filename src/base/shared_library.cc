#include "base/shared_library.h"

#include <dlfcn.h>
#include <filesystem>
#include <link.h>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/memory_shortage.h"

namespace slipway {
namespace {

// The library's path in a folder; empty if it is not there.
std::string in_folder(const std::string& folder, const std::string& name) {
  std::error_code error;
  const std::string path = folder + "/" + name;
  return !folder.empty() && std::filesystem::exists(path, error) ? path : "";
}

struct Folders {
  std::string executorch;
  std::string program;
};
std::optional<Folders>& folders_of_another() {
  static std::optional<Folders> folders;
  return folders;
}

}  // namespace

std::string library_of(const void* symbol) {
  Dl_info info;
  return ::dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

void open_libraries_for(std::string executorch_folder, std::string program_folder) {
  folders_of_another() = {std::move(executorch_folder), std::move(program_folder)};
}

std::string program_folder() {
  if (folders_of_another()) return folders_of_another()->program;
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

std::string executorch_folder() {
  if (folders_of_another()) return folders_of_another()->executorch;
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

std::string find_program(const std::string& name) {
  namespace fs = std::filesystem;
  std::vector<fs::path> folders;
  const fs::path program = program_folder();
  if (!program.empty()) folders = {program, program.parent_path()};
  const fs::path libraries = executorch_folder();
  if (!libraries.empty()) folders.push_back(libraries.parent_path());
  // ExecuTorch's library may be another's, and this code in a library of its own.
  Dl_info info;
  if (!folders_of_another() && ::dladdr(reinterpret_cast<const void*>(&find_program), &info) != 0) {
    folders.push_back(fs::path(info.dli_fname).parent_path().parent_path());
  }
  for (const fs::path& folder : folders) {
    std::error_code error;
    const fs::path path = folder / "libexec/slipway" / name;
    if (fs::exists(path, error)) return path;
  }
  return "";
}

Result<void*> open_library(const std::string& name, const std::string& remedy) {
  const std::string beside = in_folder(executorch_folder(), name);
  void* library = ::dlopen((beside.empty() ? name : beside).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::string reason = ::dlerror();
    if (const std::string path = in_folder(program_folder(), name);
        beside.empty() && !path.empty()) {
      library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) reason = ::dlerror();
    }
    if (library == nullptr && lacks_memory(reason)) {
      return resource_exhausted("{} does not open: there is not enough memory: {}", name, reason);
    }
    if (library == nullptr) {
      return unavailable("{} does not open ({}): {}", name, reason, remedy);
    }
  }
  return library;
}

}  // namespace slipway
