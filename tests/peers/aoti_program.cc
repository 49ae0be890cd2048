// Loads packages of AOTInductor as a C++ server of PyTorch does, and compares what they give; the
// first is given wrong inputs, too.
// usage: aoti_program DEVICE (PACKAGE CASES)..., with a file of "INPUTS OUTPUTS" and for each
// tensor "NUMBER_OF_ITS_TYPE RANK SIZES... BYTES\n" with the bytes themselves, for each case

#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ops/from_blob.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/headeronly/version.h>

using Tensors = std::vector<at::Tensor>;

struct Case {
  Tensors inputs;
  Tensors outputs;
};

static std::string device;  // of the packages

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
        !found[i].cpu().allclose(expected[i], 1e-5, 1e-5, /*equal_nan=*/true)) {
      std::cerr << "output " << i << " differs\n";
      return false;
    }
  }
  return true;
}

static std::vector<Case> read_cases(const char* cases_file) {
  std::vector<Case> cases;
  std::ifstream file(cases_file, std::ios::binary);
  size_t inputs = 0;
  size_t outputs = 0;
  while (file >> inputs >> outputs) {
    Case& one = cases.emplace_back();
    for (size_t i = 0; i < inputs; ++i) one.inputs.push_back(read_tensor(file).to(device));
    for (size_t i = 0; i < outputs; ++i) one.outputs.push_back(read_tensor(file));
  }
  return cases;
}

static bool refuses(torch::inductor::AOTIModelPackageLoader& loader, const Tensors& inputs,
                    const std::string& reason) {
  try {
    loader.run(inputs);
  } catch (const std::exception& error) {
    // PyTorch asks for the reason from 2.14 on.
    const std::string text = error.what();
    if (TORCH_VERSION_MINOR < 14 || text.find(reason) != std::string::npos) return true;
    std::cerr << text << "\n";
  }
  std::cerr << "not refused with: " << reason << "\n";
  return false;
}

// Of a package whose first input is of float32 and has two dimensions of more than 1.
static bool refuses_wrong_inputs(const char* package, const char* cases_file) {
  const Case one = read_cases(cases_file).at(0);
  torch::inductor::AOTIModelPackageLoader loader(package);
  const auto with_first = [&](const at::Tensor& first) {
    Tensors inputs = one.inputs;
    inputs.at(0) = first;
    return inputs;
  };
  const at::Tensor& x = one.inputs.at(0);
  return refuses(loader, with_first(x.to(at::kDouble)),
                 "input_handles[0]: unmatched dtype, expected: 6(float32), but got: 7(float64)") &&
         refuses(loader, with_first(x.t().contiguous().t()),
                 "input_handles[0]: unmatched stride value at 1, expected: 1, but got: ") &&
         refuses(loader, with_first(x.to(at::kMeta)),
                 "input_handles[0]: unmatched device type, expected: ") &&
         refuses(loader, with_first(x.reshape({-1})), "float32[") &&
         refuses(loader, {}, "the model takes 1 tensors") &&
         is_same(loader.run(one.inputs), one.outputs);
}

static bool gives_what_is_expected(const char* package, const char* cases_file) {
  const std::vector<Case> cases = read_cases(cases_file);
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
  if (argc < 4) return 2;
  device = argv[1];
  if (!refuses_wrong_inputs(argv[2], argv[3])) return 1;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (gives_what_is_expected(argv[i], argv[i + 1])) continue;
    std::cerr << argv[i] << " gives something else\n";
    return 1;
  }
  return 0;
}
