#include "tensorrt/delegate/shared_runtime.h"

#include <map>
#include <string>
#include <utility>

#include "base/try.h"

namespace slipway::tensorrt {

Result<std::shared_ptr<SharedRuntime>> SharedRuntime::open() {
  static std::mutex mutex;
  // Never destroyed: engines may live longer than static destructors wait.
  static auto* const runtimes = new std::map<std::string, std::shared_ptr<SharedRuntime>>;
  const std::lock_guard<std::mutex> lock(mutex);
  SLIPWAY_ASSIGN_OR_RETURN(LibraryPointer library, Library::open({.with_parser = false}));
  const std::string key = library->version().name() + " " + library->path();
  const auto known = runtimes->find(key);
  if (known != runtimes->end()) return known->second;
  SLIPWAY_ASSIGN_OR_RETURN(Runtime runtime, Runtime::create(std::move(library)));
  std::shared_ptr<SharedRuntime> shared(new SharedRuntime(std::move(runtime)));
  runtimes->emplace(key, shared);
  return shared;
}

}  // namespace slipway::tensorrt
