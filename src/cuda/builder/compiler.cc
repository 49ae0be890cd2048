#include "engine_build/compiler.h"

#include "base/error.h"
#include "cuda/format/description.h"

namespace slipway::cuda {

namespace {

Result<std::unique_ptr<engine_build::Compiler>> make(const engine_build::OptionValues&,
                                                     const engine_build::BuildOptions&) {
  return unavailable("this version makes no engines of generated kernels");
}

std::vector<std::pair<std::string, std::string>> state() {
  return {{"engine cuda", "its engines run, and are not made by this version"}};
}

}  // namespace

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kDescription.name,
    .options = {},
    .make = make,
    .state = state,
};

}  // namespace slipway::cuda
