// Runs models as PyTorch does that loads them for a CUDA device, with stand-ins for PyTorch and for
// NVIDIA's driver, and compares what they give with what PyTorch gave.
// usage: aoti_cuda DRIVERS (MODEL.so CASES)..., where CASES has a line for each case: the inputs,
// "--" and the outputs, each a .npy file or "none". A first line "in_place" says that calls copy
// nothing to the host or from there, "mutations" that it is that model of tests/data/pt2.

#include <cmath>
#include <cstdio>
#include <dlfcn.h>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "model_library/stand_in_torch.h"
#include "slipway/npy.h"

namespace slipway::stand_in_torch {
namespace {

using Container = void*;
using Tensors = std::vector<TorchTensor*>;

// The functions of a model.
struct Model {
  explicit Model(const char* path) : library(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (library == nullptr) std::cerr << ::dlerror() << "\n";
    CHECK(library != nullptr);
    find("ModelContainerCreateWithDevice", create);
    find("ModelContainerDelete", destroy);
    find("ModelContainerRun", run);
    find("ModelContainerGetNumInputs", count_inputs);
    find("ModelContainerGetNumOutputs", count_outputs);
    find("ModelContainerGetInputName", input_name);
    find("ModelContainerGetOutputName", output_name);
    find("GetLastError", last_error);
  }
  ~Model() { CHECK(::dlclose(library) == 0); }

  template <class Function>
  void find(const char* name, Function& function) {
    const std::string symbol = std::string("AOTInductor") + name;
    function = reinterpret_cast<Function>(::dlsym(library, symbol.c_str()));
    CHECK(function != nullptr);
  }
  std::string error() const {
    const char* text = "";
    CHECK(last_error(&text) == 0);
    return text;
  }

  void* library;
  int32_t (*create)(Container*, size_t, const char*, const char*);
  int32_t (*destroy)(Container);
  int32_t (*run)(Container, TorchTensor**, size_t, TorchTensor**, size_t, void*, void*);
  int32_t (*count_inputs)(Container, size_t*);
  int32_t (*count_outputs)(Container, size_t*);
  int32_t (*input_name)(Container, size_t, const char**);
  int32_t (*output_name)(Container, size_t, const char**);
  int32_t (*last_error)(const char**);
};

// One that is loaded, and the stream of its calls.
struct Loaded {
  Loaded(const Model& of, const char* device, int32_t at)
      : model(of), place{kCuda, at}, stream(make_stream(at)) {
    if (model.create(&container, 1, device, nullptr) != 0) std::cerr << model.error() << "\n";
    CHECK(container != nullptr);
    CHECK(model.count_inputs(container, &inputs) == 0);
    CHECK(model.count_outputs(container, &outputs) == 0);
  }
  ~Loaded() {
    CHECK(model.destroy(container) == 0);
    wait();
  }
  void wait() const { wait_for(stream, place.index); }
  TorchTensor* give(const Tensor& tensor) const { return to_torch(tensor, place, stream); }

  // The error; empty where there is none. Inputs are the model's.
  std::string run(Tensors given, Tensors& results) const {
    results.assign(outputs, nullptr);
    const int32_t failed = model.run(container, given.data(), given.size(), results.data(),
                                     results.size(), stream, nullptr);
    for (const TorchTensor* input : given) CHECK(input == nullptr);
    for (const TorchTensor* result : results) CHECK(failed == 0 || result == nullptr);
    return failed == 0 ? "" : model.error();
  }

  const Model& model;
  Place place;
  void* stream;
  Container container = nullptr;
  size_t inputs = 0;
  size_t outputs = 0;
};

void delete_all(Tensors& tensors) {
  for (TorchTensor* tensor : tensors) {
    if (tensor != nullptr) delete_tensor(tensor);
  }
  tensors.clear();
}

struct Case {
  std::vector<Tensor> inputs;
  std::vector<std::optional<Tensor>> outputs;
};

double number_at(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::kFloat32:
      return tensor.data_as<float>()[i];
    case DType::kFloat64:
      return tensor.data_as<double>()[i];
    case DType::kInt64:
      return static_cast<double>(tensor.data_as<int64_t>()[i]);
    default:
      CHECK(dtype_size(tensor.dtype()) == 1);
      return static_cast<double>(tensor.data_as<uint8_t>()[i]);
  }
}

void check_same(const Tensor& found, const Tensor& expected) {
  CHECK(format_type(found.dtype(), found.sizes()) ==
        format_type(expected.dtype(), expected.sizes()));
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const double a = number_at(found, i);
    const double b = number_at(expected, i);
    const bool is_same =
        a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-5 + 1e-5 * std::abs(b);
    if (!is_same) std::cerr << "element " << i << " is " << a << ", not " << b << "\n";
    CHECK(is_same);
  }
}

Tensors give_all(const Loaded& loaded, const Case& one) {
  Tensors given;
  for (const Tensor& input : one.inputs) given.push_back(loaded.give(input));
  return given;
}

void check_case(const Model& model, const Case& one, bool in_place, const char* device,
                int32_t index, const cuda::StandInDriver& driver) {
  const Loaded loaded(model, device, index);
  CHECK(loaded.inputs == one.inputs.size() && loaded.outputs == one.outputs.size());
  size_t used = 0;
  for (int call = 0; call < 6; ++call) {
    Tensors results;
    Tensors given = give_all(loaded, one);
    const int before = driver.copies_to_device + driver.copies_to_host;
    const std::string error = loaded.run(std::move(given), results);
    if (!error.empty()) std::cerr << error << "\n";
    CHECK(error.empty());
    CHECK(!in_place || call == 0 || driver.copies_to_device + driver.copies_to_host == before);
    loaded.wait();
    for (size_t i = 0; i < results.size(); ++i) {
      CHECK((results[i] != nullptr) == one.outputs[i].has_value());
      if (results[i] == nullptr || call > 0) continue;  // its state is another one
      const bool is_number = results[i]->place.type == kCpu;
      CHECK(is_number ? results[i]->sizes.empty() : results[i]->place.index == index);
      check_same(to_host(*results[i]), *one.outputs[i]);
    }
    delete_all(results);
    loaded.wait();
    if (call == 2) used = driver.used;
    CHECK(call < 2 || driver.used == used);
  }
}

void check_names(const Model& model) {
  const Loaded loaded(model, "cuda", kCurrentDevice);
  const char* name = nullptr;
  for (size_t i = 0; i < loaded.inputs; ++i) {
    CHECK(model.input_name(loaded.container, i, &name) == 0 && !std::string(name).empty());
  }
  CHECK(model.input_name(loaded.container, loaded.inputs, &name) != 0);
  CHECK(model.error() == "there is no such input");
  for (size_t i = 0; i < loaded.outputs; ++i) {
    CHECK(model.output_name(loaded.container, i, &name) == 0 && !std::string(name).empty());
  }
  CHECK(model.output_name(loaded.container, loaded.outputs, &name) != 0);
  CHECK(model.error() == "there is no such output");
}

void check_error(const std::string& found, const std::string& expected) {
  if (found.find(expected) == std::string::npos) std::cerr << found << "\n";
  CHECK(found.find(expected) != std::string::npos);
}

// Of a model of one input of two dimensions.
void check_errors(const Model& model, const Case& one) {
  const Loaded loaded(model, "cuda", kCurrentDevice);
  const Tensor& x = one.inputs.at(0);
  const auto run = [&](Tensors given) {
    Tensors results;
    const std::string error = loaded.run(std::move(given), results);
    loaded.wait();
    delete_all(results);
    return error;
  };
  check_error(run({to_torch(x, {kCpu, 0}, nullptr)}),
              "input_handles[0]: unmatched device type, expected: 1(cuda), but got: 0");
  check_error(run({to_torch(x, {kCuda, 0}, nullptr)}),
              "input_handles[0]: it is on cuda:0, and the model was loaded for cuda:1");
  check_error(run({loaded.give(*Tensor::zeros(DType::kFloat64, x.sizes()))}),
              "input_handles[0]: unmatched dtype, expected: 6(float32), but got: 7(float64)");
  TorchTensor* const turned = loaded.give(x);
  turned->strides = {1, x.sizes().at(0)};
  check_error(run({turned}), "input_handles[0]: unmatched stride value at 1");
  check_error(run({loaded.give(*Tensor::zeros(DType::kFloat32, {1, 999}))}), "float32[1, 999]");
  check_error(run({loaded.give(x), loaded.give(x)}), "takes 1 tensors");
  CHECK(run({loaded.give(x)}).empty());

  for (const char* device : {"cuda:7", "cuda:x", "cuda:", "cudart", "xpu", "cpu:-1"}) {
    Container container = nullptr;
    CHECK(model.create(&container, 1, device, nullptr) != 0 && container == nullptr);
    check_error(model.error(), device == std::string("cuda:7") ? "cuda:7" : "'cpu' and 'cuda'");
  }
}

// It doubles its input in place, counts its calls in a buffer, and gives the sum; kernels do all of
// that, or an engine.
void check_mutations(const Model& model) {
  constexpr int kSize = 2;
  const Loaded loaded(model, "cuda:0", 0);
  for (int call = 1; call <= 3; ++call) {
    Tensor x = *Tensor::zeros(DType::kFloat32, {kSize});
    for (int i = 0; i < kSize; ++i) x.data_as<float>()[i] = static_cast<float>(i);
    TorchTensor* const given = loaded.give(x);
    const TorchTensor kept = *given;
    Tensors results;
    const std::string error = loaded.run({given}, results);
    if (!error.empty()) std::cerr << error << "\n";
    CHECK(error.empty());
    loaded.wait();
    for (int i = 0; i < kSize; ++i) {
      CHECK(to_host(kept).data_as<float>()[i] == 2.0F * static_cast<float>(i));
      CHECK(to_host(*results.at(0)).data_as<float>()[i] == static_cast<float>(2 * i + call));
    }
    delete_all(results);
  }
}

void check_model(const char* path, std::ifstream cases, const cuda::StandInDriver& driver) {
  const Model model(path);
  bool in_place = false;
  std::string line;
  while (std::getline(cases, line)) {
    if (line == "mutations") return check_mutations(model);
    if (line == "in_place") {
      in_place = true;
      continue;
    }
    Case one;
    bool is_output = false;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == "--") {
        is_output = true;
        continue;
      }
      std::optional<Tensor> tensor;
      if (word != "none") tensor = read_npy(word).value();
      if (is_output) {
        one.outputs.push_back(std::move(tensor));
      } else {
        one.inputs.push_back(*std::move(tensor));
      }
    }
    check_case(model, one, in_place, "cuda:0", 0, driver);
    check_case(model, one, in_place, "cuda", kCurrentDevice, driver);
    check_names(model);
    if (in_place && one.inputs.size() == 1 && one.inputs[0].sizes().size() == 2) {
      check_errors(model, one);
    }
  }
}

}  // namespace
}  // namespace slipway::stand_in_torch

int main(int argc, char** argv) {
  using namespace slipway;  // NOLINT(google-build-using-namespace)
  CHECK(argc >= 4);
  const cuda::StandInDriver& driver = cuda::use_stand_in_driver(argv[1]);
  for (int i = 2; i + 1 < argc; i += 2) {
    std::cerr << argv[i] << "\n";
    stand_in_torch::check_model(argv[i], std::ifstream(argv[i + 1]), driver);
    CHECK(stand_in_torch::live_tensors() == 0);
    CHECK(driver.used == 0 && driver.live_modules == 0 && driver.live_host_allocations == 0);
  }
  return 0;
}
