// Runs a compiled model on .npy files: run_model MODEL.pte INPUT.npy...
//
// Links slipway::runtime alone: no compiler, no PyTorch, no Python.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <utility>
#include <vector>

#include <slipway/module.h>
#include <slipway/npy.h>

namespace {

int report(const slipway::Error& error) {
  std::cerr << "run_model: " << error.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: run_model MODEL.pte INPUT.npy...\n";
    return 2;
  }
  // Maps the file; no weight is read before it is used.
  auto module = slipway::Module::load(argv[1]);
  if (!module.ok()) return report(module.error());
  auto method = module->method();
  if (!method.ok()) return report(method.error());

  std::vector<slipway::Value> inputs;
  for (int i = 2; i < argc; ++i) {
    auto tensor = slipway::read_npy(argv[i]);
    if (!tensor.ok()) return report(tensor.error());
    inputs.emplace_back(std::move(*tensor));
  }
  auto outputs = method->run(inputs);
  if (!outputs.ok()) return report(outputs.error());

  // Outputs lie in the module's memory until the next run.
  for (const slipway::Value& output : *outputs) {
    std::cout << slipway::format_value_type(output) << ":";
    const auto* tensor = std::get_if<slipway::Tensor>(&output);
    if (tensor != nullptr && tensor->dtype() == slipway::DType::kFloat32) {
      constexpr int64_t kShown = 8;
      const float* data = tensor->data_as<float>();
      for (int64_t k = 0; k < std::min(kShown, tensor->numel()); ++k) std::cout << " " << data[k];
      if (tensor->numel() > kShown) std::cout << " ...";
    }
    std::cout << "\n";
  }
  return 0;
}
