// Loads packages of AOTInductor as a C++ server of PyTorch does, and compares what they give.
// usage: aoti_program (PACKAGE CASES)..., with a file of "INPUTS OUTPUTS" and for each tensor
// "NUMBER_OF_ITS_TYPE RANK SIZES... BYTES\n" with the bytes themselves, for each case

#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ops/from_blob.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

using Tensors = std::vector<at::Tensor>;

struct Case {
  Tensors inputs;
  Tensors outputs;
};

static at::Tensor read_tensor(std::istream& file) {
  int type = 0;
  size_t rank = 0;
  size_t size = 0;
  file >> type >> rank;
  std::vector<int64_t> sizes(rank);
  for (int64_t& one : sizes) file >> one;
  file >> size;
  file.get();
  auto* const bytes = new char[size + 1];
  file.read(bytes, static_cast<std::streamsize>(size));
  return at::from_blob(
      bytes, sizes, [](void* data) { delete[] static_cast<char*>(data); },
      at::TensorOptions().dtype(static_cast<c10::ScalarType>(type)));
}

static bool is_same(const Tensors& found, const Tensors& expected) {
  if (found.size() != expected.size()) return false;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].sizes() != expected[i].sizes() || found[i].dtype() != expected[i].dtype() ||
        !found[i].allclose(expected[i], 1e-5, 1e-5, /*equal_nan=*/true)) {
      std::cerr << "output " << i << " differs\n";
      return false;
    }
  }
  return true;
}

static bool gives_what_is_expected(const char* package, const char* cases_file) {
  std::vector<Case> cases;
  std::ifstream file(cases_file, std::ios::binary);
  size_t inputs = 0;
  size_t outputs = 0;
  while (file >> inputs >> outputs) {
    Case& one = cases.emplace_back();
    for (size_t i = 0; i < inputs; ++i) one.inputs.push_back(read_tensor(file));
    for (size_t i = 0; i < outputs; ++i) one.outputs.push_back(read_tensor(file));
  }
  // Loaded, unloaded, and loaded again.
  for (const size_t runners : {1, 2}) {
    torch::inductor::AOTIModelPackageLoader loader(package, "model", false, runners);
    for (const Case& one : cases) {
      std::vector<int> right(3);
      std::vector<std::thread> threads;
      for (int& is_right : right) {
        threads.emplace_back([&] {
          is_right = 1;
          for (int call = 0; call < 5; ++call)
            is_right &= is_same(loader.run(one.inputs), one.outputs);
        });
      }
      for (std::thread& thread : threads) thread.join();
      for (const int is_right : right) {
        if (!is_right) return false;
      }
    }
  }
  return !cases.empty();
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (gives_what_is_expected(argv[i], argv[i + 1])) continue;
    std::cerr << argv[i] << " gives something else\n";
    return 1;
  }
  return 0;
}
