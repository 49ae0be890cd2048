#include "engine_build/compiler.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "openvino/builder/builder.h"
#include "openvino/builder/job.h"
#include "openvino/builder/workarounds.h"
#include "openvino/library/library.h"

namespace slipway::openvino {

namespace {

const EngineOption kOptions[] = {
    {.name = "openvino_compat",
     .value = "VERSION",
     .help = "Write engines for ExecuTorch's own OpenVINO delegate, with this version: 2025.4"},
    {.name = "disable_rule",
     .value = "RULE",
     .help = "A rule against a fault of OpenVINO that is left off, to see what it is for "
             "(docs/openvino.md); may be repeated",
     .is_repeated = true},
};

class OpenVinoCompiler : public engine_build::Compiler {
 public:
  OpenVinoCompiler(const Options& options, const engine_build::BuildOptions& build) {
    builders_.push_back(make_builder(options, build));
  }
};

Result<std::unique_ptr<engine_build::Compiler>> make(const engine_build::OptionValues& values,
                                                     const engine_build::BuildOptions& build) {
  Options options;
  const std::vector<std::string> rules = workaround_names();
  for (const auto& [name, value] : values) {
    if (name == "openvino_compat") {
      if (value != kCompat) {
        return invalid_argument("option '{}': engines can be written for OpenVINO {}, not for {}",
                                name, kCompat, value);
      }
      options.compat = value;
    } else if (name == "disable_rule") {
      if (std::find(rules.begin(), rules.end(), value) == rules.end()) {
        return invalid_argument("option '{}': there is no rule '{}'; there are {}", name, value,
                                fmt::join(rules, ", "));
      }
      options.disabled_rules.insert(value);
    }
  }
  return std::unique_ptr<engine_build::Compiler>(
      std::make_unique<OpenVinoCompiler>(options, build));
}

std::vector<std::pair<std::string, std::string>> state() {
  const auto library = Library::open();
  return {{"engine openvino", library.ok() ? fmt::format("ready: OpenVINO {}, {}",
                                                         (*library)->version(), (*library)->path())
                                           : library.error().message()}};
}

}  // namespace

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kJobLibrary,
    .options = kOptions,
    .make = make,
    .handle_job = run_job,
    .state = state,
};

}  // namespace slipway::openvino
