// Shared libraries that are opened on demand.
#pragma once

#include <string>

#include "slipway/result.h"

namespace slipway {

// OpenVINO's engine, and what to do where it does not open.
inline constexpr const char* kOpenvinoLibrary = "libslipway_openvino.so";
inline constexpr const char* kOpenvinoRemedy =
    "keep it beside libexecutorch.so or the program, install OpenVINO (`pip install "
    "openvino==2026.4.1`), and put its folder openvino/libs on LD_LIBRARY_PATH";

// Opens a library from beside libexecutorch.so; else where the dynamic loader finds it, which is
// the program's run path, LD_LIBRARY_PATH and the system; else from beside the program. It stays
// open. kUnavailable gives the loader's reason and then `remedy`. Any thread may call it.
Result<void*> open_library(const std::string& name, const std::string& remedy);

// The folder that libexecutorch.so was loaded from; empty when the system does not tell.
std::string executorch_folder();

// The folder that this program lies in; empty when the system does not tell.
std::string program_folder();

// What the two functions above give from now on: in a program that opens libraries for another one,
// and is to find the same. Call it before there are threads.
void open_libraries_for(std::string executorch_folder, std::string program_folder);

}  // namespace slipway
