// A program of ExecuTorch's own runtime, which knows nothing of Slipway but a delegate of it.

#include <array>
#include <cstdio>

#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/platform/runtime.h>

namespace et = executorch::runtime;

int main() {
  et::runtime_init();
  const et::BackendInterface* const backend = et::get_backend_class("TensorRTBackend");
  if (backend == nullptr) return 1;
  std::array<char, 64> blob{"no blob of an engine"};
  et::FreeableBuffer processed(blob.data(), blob.size(), nullptr);
  et::BackendInitContext context(nullptr);
  const auto made = backend->init(context, &processed, {});
  std::printf("%s\n", et::to_string(made.error()));
  return 0;
}
