#include "compile/compilers.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/try.h"
#include "engine_build/helper.h"
#include "engine_list/compilers/registry.h"

namespace slipway {

namespace {

// What a list of engines may be besides the names of engines.
constexpr const char* kNoEngine = "none";

Status unknown_engine(const std::string& name) {
  std::vector<std::string> names = engine_names();
  names.emplace_back(kNoEngine);
  return invalid_argument("there is no engine '{}'; there are {}", name, fmt::join(names, ", "));
}

Status check_engines(const std::vector<EngineChoice>& engines) {
  std::set<std::string> given;
  for (const EngineChoice& engine : engines) {
    if (engine_list::find_compiler(engine.name) == nullptr) return unknown_engine(engine.name);
    if (!given.insert(engine.name).second) {
      return invalid_argument("the engine {} is given twice", engine.name);
    }
  }
  return {};
}

Status check_options(const EngineChoice& engine, const engine_build::CompilerDescription& known) {
  std::set<std::string> given;
  for (const auto& given_option : engine.options) {
    const std::string& name = given_option.first;
    const auto option = std::find_if(known.options.begin(), known.options.end(),
                                     [&](const EngineOption& one) { return one.name == name; });
    if (option == known.options.end()) {
      return invalid_argument("the engine {} has no option '{}'", engine.name, name);
    }
    if (!given.insert(name).second && !option->is_repeated) {
      return invalid_argument("option '{}' is given twice", name);
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> engine_names() {
  std::vector<std::string> names;
  for (const auto* compiler : engine_list::compilers()) names.emplace_back(compiler->name);
  return names;
}

std::vector<EngineOption> engine_options(const std::string& engine) {
  const auto* compiler = engine_list::find_compiler(engine);
  if (compiler == nullptr) return {};
  return {compiler->options.begin(), compiler->options.end()};
}

Result<std::vector<EngineChoice>> parse_engines(const std::string& names) {
  if (names == kNoEngine) return std::vector<EngineChoice>();
  std::vector<EngineChoice> engines;
  for (size_t start = 0; start <= names.size();) {
    const size_t end = std::min(names.find(',', start), names.size());
    engines.push_back({names.substr(start, end - start)});
    if (engines.back().name == kNoEngine) {
      return invalid_argument("'{}': {} is the absence of engines, and goes with no other", names,
                              kNoEngine);
    }
    start = end + 1;
  }
  SLIPWAY_RETURN_IF_ERROR(check_engines(engines));
  return engines;
}

Result<Compilers> make_compilers(const CompileOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(check_engines(options.engines));
  Compilers compilers;
  for (const EngineChoice& engine : options.engines) {
    const auto* known = engine_list::find_compiler(engine.name);
    SLIPWAY_RETURN_IF_ERROR(check_options(engine, *known));
    SLIPWAY_ASSIGN_OR_RETURN(
        auto compiler,
        known->make(engine.options, {.allow_reduced_precision = options.allow_reduced_precision,
                                     .worker = engine_build::make_helper(
                                         engine_build::find_helper(),
                                         known->process_for_each_engine, options.on_warning)}));
    compilers.push_back(std::move(compiler));
  }
  return compilers;
}

partition::Options exclusions(const CompileOptions& options) {
  partition::Options excluded = {.engines = {},
                                 .exclude_ops = options.exclude_ops,
                                 .exclude_nodes = options.exclude_nodes,
                                 .min_size = options.min_partition_size};
  excluded.engines.reserve(options.engines.size());
  for (const EngineChoice& engine : options.engines) excluded.engines.push_back(engine.name);
  return excluded;
}

}  // namespace slipway
