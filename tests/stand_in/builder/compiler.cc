#include "engine_build/compiler.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"
#include "stand_in/builder/builder.h"
#include "stand_in/format/description.h"

namespace slipway::stand_in {

namespace {

const EngineOption kOptions[] = {
    {.name = "variant",
     .value = "NAME",
     .help = "A target that engines are built for; repeated, one engine for each",
     .is_repeated = true},
    {.name = "refuse",
     .value = "OPERATOR",
     .help = "An operator that a build refuses; may be repeated",
     .is_repeated = true},
    {.name = "fail",
     .value = "OPERATOR",
     .help = "An operator that a build fails at without a name; may be repeated",
     .is_repeated = true},
    {.name = "wrong",
     .value = "OPERATOR",
     .help = "An operator whose results have the wrong sign; may be repeated",
     .is_repeated = true},
};

class StandInCompiler : public engine_build::Compiler {
 public:
  StandInCompiler(const engine::Description& engine, const Options& options,
                  std::vector<std::string> variants) {
    if (variants.empty()) variants.emplace_back();
    for (const std::string& variant : variants) {
      builders_.push_back(make_builder(engine, options, variant));
    }
  }
};

bool supports(const std::string& op) {
  const auto operators = supported_operators();
  return std::find(operators.begin(), operators.end(), op) != operators.end();
}

template <const engine::Description& kEngine>
Result<std::unique_ptr<engine_build::Compiler>> make(const engine_build::OptionValues& values,
                                                     const engine_build::BuildOptions& /*build*/) {
  Options options;
  std::vector<std::string> variants;
  for (const auto& [name, value] : values) {
    if (name == "variant") {
      if (std::find(variants.begin(), variants.end(), value) != variants.end()) {
        return invalid_argument("option 'variant': '{}' is given twice", value);
      }
      variants.push_back(value);
      continue;
    }
    if (!supports(value)) {
      return invalid_argument("option '{}': the stand-in has no operator {}", name, value);
    }
    auto& named = name == "refuse" ? options.refuse : name == "fail" ? options.fail : options.wrong;
    named.insert(value);
  }
  return std::unique_ptr<engine_build::Compiler>(
      std::make_unique<StandInCompiler>(kEngine, options, std::move(variants)));
}

template <const engine::Description& kEngine>
std::vector<std::pair<std::string, std::string>> state() {
  return {{std::string("engine ") + kEngine.name, "ready: in this program alone"}};
}

constexpr const char* kExtensions[] = {".standin"};

}  // namespace

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kDescription.name,
    .options = kOptions,
    .make = make<kDescription>,
    .bare_extensions = kExtensions,
    .state = state<kDescription>,
};

}  // namespace slipway::stand_in

namespace slipway::stand_in_twin {

extern const engine_build::CompilerDescription kCompiler;
const engine_build::CompilerDescription kCompiler = {
    .name = kDescription.name,
    .options = stand_in::kOptions,
    .make = stand_in::make<kDescription>,
    .state = stand_in::state<kDescription>,
};

}  // namespace slipway::stand_in_twin
