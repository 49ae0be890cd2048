#include "engine_list/registry.h"

#include <algorithm>
#include <utility>
#include <vector>

#define SLIPWAY_DELEGATE(name)                   \
  namespace slipway::name {                      \
  extern const engine::Description kDescription; \
  }
#define SLIPWAY_ENGINE(name) SLIPWAY_DELEGATE(name)
#define SLIPWAY_ENGINE_OF_TESTS(name)                                  \
  namespace slipway::name {                                            \
  extern const engine::Description kDescription __attribute__((weak)); \
  }
#include "engine_list/list.inc"
#undef SLIPWAY_DELEGATE
#undef SLIPWAY_ENGINE_OF_TESTS

namespace slipway::engine_list {

namespace {

template <class Predicate>
const engine::Description* find(Predicate is_it) {
  const auto all = descriptions();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const engine::Description* one) { return is_it(*one); });
  return found == all.end() ? nullptr : *found;
}

using Descriptions = std::vector<const engine::Description*>;

// Never destroyed, because programs may end later than static destructors run.
const Descriptions& without_null(Descriptions all) {
  std::erase(all, nullptr);
  return *new Descriptions(std::move(all));
}

}  // namespace

std::span<const engine::Description* const> descriptions() {
#define SLIPWAY_DELEGATE(name) &name::kDescription,
#define SLIPWAY_ENGINE_OF_TESTS(name) SLIPWAY_DELEGATE(name)
  static const Descriptions& kAll = without_null({
#include "engine_list/list.inc"
  });
#undef SLIPWAY_DELEGATE
#undef SLIPWAY_ENGINE
#undef SLIPWAY_ENGINE_OF_TESTS
  return kAll;
}

const engine::Description* find_engine(std::string_view name) {
  return find([&](const engine::Description& one) { return one.name == name; });
}

const engine::Description* find_backend(std::string_view id) {
  return find([&](const engine::Description& one) { return one.backend == id; });
}

bool takes_cuda_memory(std::string_view id) {
  const engine::Description* known = find_backend(id);
  return known != nullptr && known->takes_cuda_memory;
}

const engine::Description* find_bare_engine(std::span<const std::byte> bytes) {
  return find([&](const engine::Description& one) {
    return one.is_bare_engine != nullptr && one.is_bare_engine(bytes);
  });
}

}  // namespace slipway::engine_list
