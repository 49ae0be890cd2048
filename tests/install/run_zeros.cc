// Runs a program on zeros of its smallest sizes and prints each output's type.
// usage: run_zeros MODEL.pte
#include <iostream>
#include <vector>

#include <slipway/module.h>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto module = slipway::Module::load(argv[1]);
  if (!module.ok()) {
    std::cerr << module.error().message() << "\n";
    return 1;
  }
  auto method = module->method();
  if (!method.ok()) {
    std::cerr << method.error().message() << "\n";
    return 1;
  }
  std::vector<slipway::Value> values;
  for (const auto& input : method->inputs()) {
    const slipway::TensorInfo* tensor = input.tensor();
    if (tensor == nullptr) {
      values.emplace_back();
      continue;
    }
    std::vector<int64_t> sizes;
    for (const slipway::SizeInfo& size : tensor->sizes) sizes.push_back(size.min);
    auto zeros = slipway::Tensor::zeros(tensor->dtype, sizes);
    if (!zeros.ok()) {
      std::cerr << zeros.error().message() << "\n";
      return 1;
    }
    values.emplace_back(*zeros);
  }
  auto outputs = method->run(values);
  if (!outputs.ok()) {
    std::cerr << outputs.error().message() << "\n";
    return 1;
  }
  for (const auto& output : *outputs) std::cout << slipway::format_value_type(output) << "\n";
}
