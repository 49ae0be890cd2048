// Engines for OpenVINO's CPU plugin.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "engine_build/builder.h"

namespace slipway::openvino {

// The version besides its own that engines can be written for.
inline constexpr const char* kCompat = "2025.4";

struct Options {
  std::string compat = {};                    // kCompat, or empty: the version that builds
  std::set<std::string> disabled_rules = {};  // of workarounds.h
};

// Its engines are what OpenVINO's export writes: the model after the plugin's own transformations,
// with its weights, and no machine code, which the import makes. The transformations look at the
// processor, so an engine is for processors with the features of the one that built it. While one
// is built, memory holds the weights that have to be laid out anew, and OpenVINO's copies.
std::unique_ptr<engine_build::Builder> make_builder(const Options& options,
                                                    const engine_build::BuildOptions& build = {});

}  // namespace slipway::openvino
