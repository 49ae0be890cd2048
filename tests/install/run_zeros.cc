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
  auto inputs = module->inputs();
  if (!inputs.ok()) {
    std::cerr << inputs.error().message() << "\n";
    return 1;
  }
  std::vector<slipway::Value> values;
  for (const auto& input : *inputs) {
    if (!input.is_tensor) {
      values.push_back(input.literal);
      continue;
    }
    auto zeros = slipway::Tensor::zeros(input.dtype, input.min_sizes);
    if (!zeros.ok()) {
      std::cerr << zeros.error().message() << "\n";
      return 1;
    }
    values.emplace_back(*zeros);
  }
  auto outputs = module->run(values);
  if (!outputs.ok()) {
    std::cerr << outputs.error().message() << "\n";
    return 1;
  }
  for (const auto& output : *outputs) std::cout << slipway::format_value_type(output) << "\n";
}
