// One model in one process, by Slipway or by OpenVINO called directly: engine_benchmark.py asks
// several of them in turn.
//
//   inference_server slipway MODEL.pte INPUT.npy...     Module::load, run
//   inference_server openvino MODEL.onnx INPUT.npy...   read, compile
//   inference_server import ENGINE INPUT.npy...         import what OpenVINO exported
//     writes "<nanoseconds from the start of loading to the first result> <sum of the first
//     output>", then answers each line with the nanoseconds of one inference, until the input ends
//   inference_server compile MODEL.onnx ENGINE          read, compile, export
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "openvino/c/openvino.h"
#include "slipway/module.h"
#include "slipway/npy.h"

namespace {

using slipway::Tensor;
using slipway::Value;

constexpr const char* kDevice = "CPU";
constexpr const char* kThreads = "2";

[[noreturn]] void fail(const std::string& message) {
  std::cerr << "inference_server: " << message << "\n";
  std::exit(1);
}

template <class T>
T take(slipway::Result<T> result) {
  if (!result.ok()) fail(result.error().message());
  return std::move(*result);
}

void check(ov_status_e status) {
  if (status != OK) fail(ov_get_last_err_msg());
}

int64_t nanoseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() -
                                                              start)
      .count();
}

double sum(const float* data, size_t count) {
  double total = 0;
  for (size_t i = 0; i < count; ++i) total += data[i];
  return total;
}

// A model that is ready, its inputs bound. Lives until the process ends, so nothing is released.
class Model {
 public:
  virtual ~Model() = default;
  virtual void infer() = 0;
  // Of the first output, which is float32.
  virtual double sum_of_output() = 0;
};

class SlipwayModel : public Model {
 public:
  SlipwayModel(const std::string& path, const std::vector<Tensor>& inputs)
      : method_(take(take(slipway::Module::load(
                              path, {.engine_threads = 2,
                                     .performance_hint = slipway::PerformanceHint::kLatency}))
                         .method())),
        inputs_(inputs.begin(), inputs.end()) {}

  void infer() override { outputs_ = take(method_.run(inputs_)); }
  double sum_of_output() override {
    const auto& output = std::get<Tensor>(outputs_.at(0));
    return sum(output.data_as<float>(), static_cast<size_t>(output.numel()));
  }

 private:
  slipway::Method method_;
  std::vector<Value> inputs_;
  std::vector<Value> outputs_;
};

ov_element_type_e element_type(slipway::DType dtype) {
  switch (dtype) {
    case slipway::DType::kFloat32:
      return F32;
    case slipway::DType::kInt64:
      return I64;
    case slipway::DType::kBool:
      return BOOLEAN;
    default:
      fail("an input is neither float32, int64 nor bool");
  }
}

ov_core_t* make_core() {
  ov_core_t* core = nullptr;
  check(ov_core_create(&core));
  return core;
}

ov_compiled_model_t* compile(const std::string& path) {
  ov_core_t* core = make_core();
  ov_model_t* model = nullptr;
  check(ov_core_read_model(core, path.c_str(), nullptr, &model));
  ov_compiled_model_t* compiled = nullptr;
  check(ov_core_compile_model(core, model, kDevice, 6, &compiled,
                              ov_property_key_hint_performance_mode, "LATENCY",
                              ov_property_key_inference_num_threads, kThreads,
                              ov_property_key_hint_inference_precision, "f32"));
  ov_model_free(model);
  return compiled;
}

ov_compiled_model_t* import(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0) fail("can't open " + path);
  const auto size = static_cast<size_t>(status.st_size);
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) fail("can't map " + path);
  ov_core_t* core = make_core();
  check(ov_core_set_property(core, kDevice, ov_property_key_inference_num_threads, kThreads));
  check(ov_core_set_property(core, kDevice, ov_property_key_hint_inference_precision, "f32"));
  ov_compiled_model_t* compiled = nullptr;
  check(ov_core_import_model(core, static_cast<const char*>(bytes), size, kDevice, &compiled));
  return compiled;
}

class OpenVinoModel : public Model {
 public:
  OpenVinoModel(ov_compiled_model_t* compiled, const std::vector<Tensor>& inputs)
      : inputs_(inputs) {
    check(ov_compiled_model_create_infer_request(compiled, &request_));
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::vector<int64_t> sizes = inputs_[i].sizes();
      const ov_shape_t shape{static_cast<int64_t>(sizes.size()), sizes.data()};
      ov_tensor_t* tensor = nullptr;
      check(ov_tensor_create_from_host_ptr(element_type(inputs_[i].dtype()), shape,
                                           inputs_[i].data(), &tensor));
      check(ov_infer_request_set_input_tensor_by_index(request_, i, tensor));
    }
  }

  void infer() override { check(ov_infer_request_infer(request_)); }
  double sum_of_output() override {
    ov_tensor_t* tensor = nullptr;
    check(ov_infer_request_get_output_tensor_by_index(request_, 0, &tensor));
    void* data = nullptr;
    size_t count = 0;
    check(ov_tensor_data(tensor, &data));
    check(ov_tensor_get_size(tensor, &count));
    return sum(static_cast<const float*>(data), count);
  }

 private:
  std::vector<Tensor> inputs_;
  ov_infer_request_t* request_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) fail("see the source for its arguments");
  const std::string& mode = arguments[0];
  const std::string& path = arguments[1];
  if (mode == "compile") {
    check(ov_compiled_model_export_model(compile(path), arguments[2].c_str()));
    return 0;
  }
  std::vector<Tensor> inputs;
  for (size_t i = 2; i < arguments.size(); ++i) {
    inputs.push_back(take(slipway::read_npy(arguments[i])));
  }
  std::unique_ptr<Model> model;
  const int64_t first = nanoseconds_of([&] {
    if (mode == "slipway") {
      model = std::make_unique<SlipwayModel>(path, inputs);
    } else if (mode == "openvino") {
      model = std::make_unique<OpenVinoModel>(compile(path), inputs);
    } else if (mode == "import") {
      model = std::make_unique<OpenVinoModel>(import(path), inputs);
    } else {
      fail("no such mode: " + mode);
    }
    model->infer();
  });
  std::printf("%lld %.9g\n", static_cast<long long>(first), model->sum_of_output());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::printf("%lld\n", static_cast<long long>(nanoseconds_of([&] { model->infer(); })));
    std::fflush(stdout);
  }
}
