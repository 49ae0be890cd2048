// Where libraries of NVIDIA's lie that are opened at run time.
#pragma once

#include <string>
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

}  // namespace slipway::cuda
