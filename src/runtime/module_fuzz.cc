// Whatever the checked reader lets pass must load and run to an end or an error, calls of engines
// included.

#include <cstdint>
#include <cstring>

#include "runtime/sum_backend_test.h"
#include "slipway/module.h"

namespace {

// Larger programs are slow to run, and no likelier to crash.
constexpr int64_t kMostElements = 1 << 16;

void exercise(const slipway::Method& method) {
  const auto sizes = method.example_sizes();
  std::vector<slipway::Value> inputs(sizes.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const slipway::TensorInfo* info = method.inputs()[i].tensor();
    if (info == nullptr) continue;
    auto nbytes = slipway::contiguous_nbytes(info->dtype, sizes[i]);
    if (!nbytes.ok() || *nbytes > kMostElements) return;
    auto tensor = slipway::Tensor::zeros(info->dtype, sizes[i]);
    if (!tensor.ok()) return;
    inputs[i] = std::move(*tensor);
  }
  (void)method.run(inputs).ok();
  (void)method.state().ok();
  (void)method.reset_state().ok();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  slipway::runtime::SumBackend::get();
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  auto module = slipway::Module::load(std::vector<std::byte>(bytes, bytes + size), "fuzz.pte");
  if (!module.ok()) return 0;
  for (const std::string& name : module->method_names()) exercise(*module->method(name));
  return 0;
}
