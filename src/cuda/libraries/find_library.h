// Where libraries of NVIDIA's lie that are opened at run time.
#pragma once

#include <dlfcn.h>
#include <string>
#include <utility>
#include <vector>

#include "slipway/result.h"

namespace slipway::cuda {

struct LibraryPlaces {
  const char* title;               // for people
  std::vector<std::string> names;  // of the file, the newest first
  const char* variable;            // the environment variable that names the file or its folder
  const char* setup_folder;        // where `make setup-cuda` puts it, in .deps
  const char* wheel_folder;        // in Python's packages of CUDA 12: nvidia/<this>/lib
  const char* remedy;              // how to get it
};

// The file that `named` or else the environment variable names; or else what the loader finds, what
// `make setup-cuda` brought, what lies in the folders of Python's packages that are on PYTHONPATH,
// and the toolkit's in /usr/local/cuda. kUnavailable says how to get one.
Result<std::string> find_library(const LibraryPlaces& places, const std::string& named = "");

// Such a library, whose functions are found by their names. It stays open until the process ends.
class OpenedLibrary {
 public:
  static Result<OpenedLibrary> open(std::string file);

  template <class Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(::dlsym(library_, name));
    if (function == nullptr && missing_ == nullptr) missing_ = name;
    if (function != nullptr) found_ = reinterpret_cast<const void*>(function);
  }
  // kUnavailable where a function was not found.
  Status check(const char* title) const;
  // The file that the functions are in, as the loader has it.
  std::string path() const;

 private:
  OpenedLibrary(void* library, std::string file) : library_(library), file_(std::move(file)) {}

  void* library_;
  std::string file_;
  const void* found_ = nullptr;  // a function
  const char* missing_ = nullptr;
};

}  // namespace slipway::cuda
