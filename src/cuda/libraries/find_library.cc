#include "cuda/libraries/find_library.h"

#include <algorithm>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/shared_library.h"

namespace slipway::cuda {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The library in a folder; empty if there is none.
std::string in_folder(const LibraryPlaces& places, const fs::path& folder) {
  for (const std::string& name : places.names) {
    if (is_there(folder / name)) return folder / name;
  }
  return "";
}

// What a person named: a file, or a folder with a library.
Result<std::string> named_file(const LibraryPlaces& places, const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    if (is_there(path)) return path;
    return not_found("{}, which is to be {}, does not exist", printable(path), places.title);
  }
  std::string file = in_folder(places, path);
  if (!file.empty()) return file;
  return not_found("{}, which is to hold {}, has none of {}", printable(path), places.title,
                   fmt::join(places.names, ", "));
}

// Folders that may have it where the loader does not look.
std::vector<fs::path> other_folders(const LibraryPlaces& places) {
  std::vector<fs::path> folders;
  for (fs::path folder = program_folder(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (folder.filename() != "build") continue;
    folders.push_back(folder.parent_path() / ".deps" / places.setup_folder);
  }
  // As wheels have it, of CUDA 13 and 12.
  std::string_view paths = std::getenv("PYTHONPATH") == nullptr ? "" : std::getenv("PYTHONPATH");
  while (!paths.empty()) {
    const size_t end = std::min(paths.find(':'), paths.size());
    const fs::path folder = paths.substr(0, end);
    if (!folder.empty()) {
      folders.push_back(folder / "nvidia/cu13/lib");
      folders.push_back(folder / "nvidia" / places.wheel_folder / "lib");
    }
    paths.remove_prefix(std::min(end + 1, paths.size()));
  }
  folders.emplace_back("/usr/local/cuda/lib64");
  return folders;
}

}  // namespace

Result<std::string> find_library(const LibraryPlaces& places, const std::string& named) {
  if (!named.empty()) return named_file(places, named);
  const char* const variable = std::getenv(places.variable);
  if (variable != nullptr && *variable != '\0') return named_file(places, variable);
  std::string reason;
  for (const std::string& name : places.names) {
    if (::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) return name;
    // The loader says so of a library that is there and does not open, too.
    const std::string error = ::dlerror();
    if (error.find("cannot open shared object file: No such file") == std::string::npos) {
      reason = fmt::format(" ({})", error);
    }
  }
  for (const fs::path& folder : other_folders(places)) {
    std::string file = in_folder(places, folder);
    if (!file.empty()) return file;
  }
  return unavailable(
      "there is no {} on this machine: neither {} opens{}: {}, and name its file or folder with "
      "the environment variable {}",
      places.title, fmt::join(places.names, " nor "), reason, places.remedy, places.variable);
}

Result<OpenedLibrary> OpenedLibrary::open(std::string file) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return unavailable("{} does not open: {}", file, ::dlerror());
  return OpenedLibrary(library, std::move(file));
}

Status OpenedLibrary::check(const char* title) const {
  if (missing_ == nullptr) return {};
  return unavailable("{} lacks {}: it is not {}, or one that is too old", file_, missing_, title);
}

std::string OpenedLibrary::path() const {
  std::string own = library_of(found_);
  return own.empty() ? file_ : own;
}

}  // namespace slipway::cuda
