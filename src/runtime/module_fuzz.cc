// Whatever the checked reader lets pass must load and run to an end or an error, calls of engines
// included.

#include <cstdint>
#include <cstring>

#include "runtime/sum_backend_test.h"
#include "slipway/module.h"

namespace {

// Larger programs are slow to run, and no likelier to crash.
constexpr int64_t kMostElements = 1 << 16;

void exercise(slipway::Module& module, const std::string& method) {
  auto infos = module.inputs(method);
  auto sizes = module.example_sizes(method);
  if (!infos.ok() || !sizes.ok()) return;
  std::vector<slipway::Value> inputs(infos->size());
  for (size_t i = 0; i < infos->size(); ++i) {
    const slipway::TensorInfo* info = (*infos)[i].tensor();
    if (info == nullptr) continue;
    auto nbytes = slipway::contiguous_nbytes(info->dtype, (*sizes)[i]);
    if (!nbytes.ok() || *nbytes > kMostElements) return;
    auto tensor = slipway::Tensor::zeros(info->dtype, (*sizes)[i]);
    if (!tensor.ok()) return;
    inputs[i] = std::move(*tensor);
  }
  (void)module.run(inputs, method).ok();
  (void)module.state(method).ok();
  (void)module.reset_state(method).ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  slipway::runtime::SumBackend::get();
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  auto module = slipway::Module::load(std::vector<std::byte>(bytes, bytes + size), "fuzz.pte");
  if (!module.ok()) return 0;
  for (const std::string& method : module->method_names()) exercise(*module, method);
  return 0;
}
