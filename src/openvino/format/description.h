// What files and those who run them know of OpenVINO's engines.
#pragma once

#include "engine/description.h"

namespace slipway::openvino {

// Our delegate and what it shares with the builder, and what to do where it does not open.
inline constexpr const char* kLibrary = "libslipway_openvino.so";
inline constexpr const char* kRemedy =
    "keep it beside libexecutorch.so or the program, install OpenVINO (`pip install "
    "openvino==2026.4.1`), and put its folder openvino/libs on LD_LIBRARY_PATH";

extern const engine::Description kDescription;

}  // namespace slipway::openvino
