// The plans of the stand-in for TensorRT's runtime (stand_in_runtime.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace slipway::tensorrt {

// Before it may be what TensorRT's own plans begin with.
constexpr const char* kFirstLine = "slipway stand-in plan for sm_";
constexpr const char* kMagic = "ftrt";
constexpr int64_t kHeaderSize = 64;

struct Tensor {
  std::string name;
  bool is_input = false;
  bool is_shape = false;
  bool is_float = true;
  int format = 0;  // TensorRT's number
  // Of all profiles; those of the first are below.
  std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>> profiles;
  std::vector<int64_t> min;
  std::vector<int64_t> max;
  // Of an output.
  size_t input = 0;
  double a = 0;
  double b = 0;

  size_t element() const { return is_float ? 4 : 8; }
};

struct Plan {
  std::vector<Tensor> tensors;
  size_t weights = 0;
  int64_t streamable = 0;
  int64_t automatic = 0;
  size_t context = 0;
  size_t data = 0;         // bytes of weights in the plan
  size_t data_offset = 0;  // where they begin

  Tensor* find(const std::string& name) {
    for (Tensor& tensor : tensors) {
      if (tensor.name == name) return &tensor;
    }
    return nullptr;
  }
  const Tensor* find(const std::string& name) const { return const_cast<Plan*>(this)->find(name); }
};

// The compute capability that a plan is for; 0 where it is none.
int capability_of(const std::string& text);
// Of the bytes that a plan begins with. False where they are none.
bool parse(const std::string& text, Plan& plan);

}  // namespace slipway::tensorrt
