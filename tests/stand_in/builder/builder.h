// Builds the stand-in's engines: writes the lowered graph down for its interpreter.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "engine/description.h"
#include "engine_build/builder.h"

namespace slipway::stand_in {

struct Options {
  std::set<std::string> refuse;  // operators ("aten.exp.default") that a build refuses
  std::set<std::string> fail;    // that a build fails at, without saying which it is
  std::set<std::string> wrong;   // whose results have the wrong sign
};

// The ATen operators that it takes where all tensors are float32.
std::span<const char* const> supported_operators();

// Under the name of `engine`, which it keeps.
std::unique_ptr<engine_build::Builder> make_builder(const engine::Description& engine,
                                                    const Options& options,
                                                    const std::string& variant);

}  // namespace slipway::stand_in
