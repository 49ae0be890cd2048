#include "engine_build/compiler.h"

#include <memory>

#include "xnnpack/builder/builder.h"
#include "xnnpack/format/description.h"

namespace slipway::xnnpack {

namespace {

class XnnpackCompiler : public engine_build::Compiler {
 public:
  explicit XnnpackCompiler(bool allow_reduced_precision) {
    builders_.push_back(make_builder(allow_reduced_precision));
  }
};

Result<std::unique_ptr<engine_build::Compiler>> make(const engine_build::OptionValues&,
                                                     const engine_build::BuildOptions& options) {
  return std::unique_ptr<engine_build::Compiler>(
      std::make_unique<XnnpackCompiler>(options.allow_reduced_precision));
}

std::vector<std::pair<std::string, std::string>> state() {
  return {{"engine xnnpack", "ready: it needs no library to compile"}};
}

constexpr const char* kExamples[] = {
    "slipway compile model.pt2 -o model.pte --engine xnnpack",
};

}  // namespace

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kDescription.name,
    .options = {},
    .make = make,
    .examples = kExamples,
    .state = state,
};

}  // namespace slipway::xnnpack
