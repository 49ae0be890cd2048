#include "engine_build/compiler.h"

#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/printable.h"
#include "base/try.h"
#include "cuda/builder/builder.h"
#include "cuda/builder/images.h"
#include "cuda/builder/options.h"
#include "cuda/format/description.h"
#include "cuda/libraries/cublaslt.h"
#include "cuda/libraries/cudnn.h"

namespace slipway::cuda {

namespace {

class CudaCompiler : public engine_build::Compiler {
 public:
  explicit CudaCompiler(const Options& options) : options_(options) {
    builders_.push_back(make_builder(options));
  }

  // What loads are told, which is no part of an engine in the cache.
  void finish(const std::vector<engine::Engine*>& engines) const override {
    for (engine::Engine* engine : engines) {
      auto& specs = engine->record.compile_specs;
      if (options_.cuda_graphs) specs[kGraphsOption] = *options_.cuda_graphs ? "1" : "0";
      if (options_.weight_streaming_budget) {
        specs[kBudgetOption] = std::to_string(*options_.weight_streaming_budget);
      }
    }
  }

 private:
  const Options options_;
};

Result<std::unique_ptr<engine_build::Compiler>> make(const engine_build::OptionValues& values,
                                                     const engine_build::BuildOptions&) {
  SLIPWAY_ASSIGN_OR_RETURN(const Options options, parse_options(values));
  return std::unique_ptr<engine_build::Compiler>(std::make_unique<CudaCompiler>(options));
}

template <class Library>
std::string state_of(const Result<const Library*>& library) {
  return library.ok()
             ? fmt::format("{}: {}", (*library)->version_text(), printable((*library)->path()))
             : library.error().message();
}

std::vector<std::pair<std::string, std::string>> state() {
  const auto version = compiler_version({});
  return {{"engine cuda", version.ok() ? *version : version.error().message()},
          {"cuBLASLt", state_of(CublasLt::open())},
          {"cuDNN", state_of(Cudnn::open())}};
}

constexpr const char* kExamples[] = {
    "slipway compile model.pt2 -o model.pte --engine cuda --target sm_90",
};

}  // namespace

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kDescription.name,
    .options = option_table(),
    .make = make,
    .examples = kExamples,
    .state = state,
};

}  // namespace slipway::cuda
