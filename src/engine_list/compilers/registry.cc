#include "engine_list/compilers/registry.h"

#include <algorithm>
#include <utility>
#include <vector>

#define SLIPWAY_DELEGATE(name)
#define SLIPWAY_ENGINE(name)                                \
  namespace slipway::name {                                 \
  extern const engine_build::CompilerDescription kCompiler; \
  }
#define SLIPWAY_ENGINE_OF_TESTS(name)                                             \
  namespace slipway::name {                                                       \
  extern const engine_build::CompilerDescription kCompiler __attribute__((weak)); \
  }
#include "engine_list/list.inc"
#undef SLIPWAY_ENGINE
#undef SLIPWAY_ENGINE_OF_TESTS

namespace slipway::engine_list {

namespace {

using Compilers = std::vector<const engine_build::CompilerDescription*>;

// Never destroyed, because programs may end later than static destructors run.
const Compilers& without_null(Compilers all) {
  std::erase(all, nullptr);
  return *new Compilers(std::move(all));
}

}  // namespace

std::span<const engine_build::CompilerDescription* const> compilers() {
#define SLIPWAY_ENGINE(name) &name::kCompiler,
#define SLIPWAY_ENGINE_OF_TESTS(name) SLIPWAY_ENGINE(name)
  static const Compilers& kAll = without_null({
#include "engine_list/list.inc"
  });
#undef SLIPWAY_ENGINE
#undef SLIPWAY_ENGINE_OF_TESTS
#undef SLIPWAY_DELEGATE
  return kAll;
}

const engine_build::CompilerDescription* find_compiler(std::string_view name) {
  const auto all = compilers();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto* one) { return one->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace slipway::engine_list
