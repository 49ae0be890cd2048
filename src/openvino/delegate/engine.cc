#include "openvino/delegate/engine.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <executorch/runtime/platform/log.h>

namespace slipway::openvino {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

// Stands for the data of tensors without elements, which OpenVINO wants a pointer for.
alignas(16) std::array<std::byte, 16> no_data;

shim::Report report_to(std::string* text) {
  return {text,
          [](void* context, const char* part) { *static_cast<std::string*>(context) += part; }};
}

const char* type_name(shim::ElementType type) {
  switch (type) {
    case shim::ElementType::kUInt8:
      return "uint8";
    case shim::ElementType::kInt8:
      return "int8";
    case shim::ElementType::kInt16:
      return "int16";
    case shim::ElementType::kInt32:
      return "int32";
    case shim::ElementType::kInt64:
      return "int64";
    case shim::ElementType::kFloat16:
      return "float16";
    case shim::ElementType::kFloat32:
      return "float32";
    case shim::ElementType::kFloat64:
      return "float64";
    case shim::ElementType::kBool:
      return "bool";
    case shim::ElementType::kBFloat16:
      return "bfloat16";
    case shim::ElementType::kUInt16:
      return "uint16";
    case shim::ElementType::kUInt32:
      return "uint32";
    case shim::ElementType::kUInt64:
      return "uint64";
    case shim::ElementType::kUnknown:
      break;
  }
  return "another type";
}

// "float32[2, ?]"
template <class Size>
std::string type_text(shim::ElementType type, const Size* sizes, size_t rank) {
  std::string text = type_name(type);
  text += "[";
  for (size_t i = 0; i < rank; ++i) {
    if (i > 0) text += ", ";
    text += sizes[i] < 0 ? "?" : std::to_string(sizes[i]);
  }
  return text + "]";
}

std::string type_text(const shim::Port& port) {
  if (!port.has_rank) return std::string(type_name(port.type)) + "[...]";
  return type_text(port.type, port.sizes, port.rank);
}

std::string type_text(const aten::Tensor& tensor) {
  return type_text(static_cast<shim::ElementType>(tensor.scalar_type()), tensor.sizes().data(),
                   static_cast<size_t>(tensor.dim()));
}

bool is_static(const shim::Port& port) {
  bool all = port.has_rank;
  for (size_t i = 0; i < port.rank; ++i) all = all && port.sizes[i] >= 0;
  return all;
}

// Outputs may have other sizes so far: they are resized.
bool matches(const shim::Port& port, const aten::Tensor& tensor, bool with_sizes) {
  if (static_cast<aten::ScalarType>(port.type) != tensor.scalar_type()) return false;
  if (!et::is_contiguous_dim_order(tensor.dim_order().data(), tensor.dim_order().size())) {
    return false;
  }
  if (!port.has_rank) return true;
  if (port.rank != static_cast<size_t>(tensor.dim())) return false;
  for (size_t i = 0; with_sizes && i < port.rank; ++i) {
    if (port.sizes[i] >= 0 && port.sizes[i] != tensor.sizes()[i]) return false;
  }
  return true;
}

et::Error resize(const aten::Tensor& tensor, const int64_t* sizes, size_t rank,
                 const std::string& label) {
  const et::Error error = et::resize_tensor(tensor, aten::ArrayRef<int64_t>(sizes, rank));
  if (error == et::Error::Ok) return error;
  const auto type = static_cast<shim::ElementType>(tensor.scalar_type());
  ET_LOG(Error, "OpenVINO engine: %s is %s, which does not fit its memory for %s", label.c_str(),
         type_text(type, sizes, rank).c_str(), type_text(tensor).c_str());
  return error;
}

}  // namespace

std::unique_ptr<Engine> Engine::load(const void* blob, size_t size, const std::string& device,
                                     shim::Properties properties,
                                     std::vector<SizeInput> size_inputs, OutputSizes output_sizes) {
  std::unique_ptr<Engine> engine(new Engine());
  std::string reason;
  const shim::Functions& openvino = *slipway_openvino();
  engine->model_ =
      openvino.import_model(blob, size, device.c_str(), properties, report_to(&reason));
  if (engine->model_ != nullptr) {
    engine->request_ = openvino.create_request(engine->model_, report_to(&reason));
  }
  if (engine->request_ == nullptr) {
    ET_LOG(Error, "OpenVINO %s does not take the engine for %s: %s", openvino.version(),
           device.c_str(), reason.c_str());
    return nullptr;
  }
  engine->inputs_ = openvino.inputs(engine->model_);
  engine->outputs_ = openvino.outputs(engine->model_);
  for (const SizeInput& input : size_inputs) {
    if (input.index >= engine->inputs_.size ||
        engine->inputs_.data[input.index].type != shim::ElementType::kInt64) {
      ET_LOG(Error, "OpenVINO engine: input %zu is no size", input.index);
      return nullptr;
    }
  }
  engine->size_inputs_ = std::move(size_inputs);
  engine->output_sizes_ = std::move(output_sizes);
  const size_t count = engine->inputs_.size + engine->outputs_.size;
  engine->sizes_.resize(count);
  engine->tensors_.resize(count);
  return engine;
}

Engine::~Engine() {
  if (request_ != nullptr) slipway_openvino()->destroy_request(request_);
  if (model_ != nullptr) slipway_openvino()->destroy_model(model_);
}

std::string Engine::label(size_t index) const {
  return index < inputs_.size ? "input " + std::to_string(index)
                              : "output " + std::to_string(index - inputs_.size);
}

std::string Engine::property(const char* name) const {
  std::string value;
  std::string reason;
  const bool found =
      slipway_openvino()->property(model_, name, report_to(&value), report_to(&reason));
  return found ? value : "";
}

et::Error Engine::bind(size_t index, et::EValue& value) {
  const shim::Port& expected = port(index);
  const bool is_input = index < inputs_.size;
  if (!value.isTensor()) {
    ET_LOG(Error, "OpenVINO engine: %s must be a tensor, %s", label(index).c_str(),
           type_text(expected).c_str());
    return et::Error::InvalidArgument;
  }
  const aten::Tensor& tensor = value.toTensor();
  if (!matches(expected, tensor, is_input)) {
    ET_LOG(Error, "OpenVINO engine: %s must be %s, contiguous, and %s was given",
           label(index).c_str(), type_text(expected).c_str(), type_text(tensor).c_str());
    return et::Error::InvalidArgument;
  }
  if (!is_input) {
    if (!is_static(expected)) return et::Error::Ok;
    const et::Error error = resize(tensor, expected.sizes, expected.rank, label(index));
    if (error != et::Error::Ok) return error;
  }
  void* data = const_cast<void*>(tensor.const_data_ptr());
  if (tensor.numel() == 0) {
    data = no_data.data();
  } else if (data == nullptr) {
    ET_LOG(Error, "OpenVINO engine: %s has no memory", label(index).c_str());
    return et::Error::InvalidArgument;
  }
  std::vector<int64_t>& sizes = sizes_[index];
  sizes.assign(tensor.sizes().begin(), tensor.sizes().end());
  tensors_[index] = {data, sizes.size(), sizes.data()};
  return et::Error::Ok;
}

// How much memory an output of dynamic shape needs is known only now, so OpenVINO computed it in
// memory of its own.
et::Error Engine::take_output(size_t index, et::EValue& value) {
  std::string reason;
  shim::Tensor made{};
  if (!slipway_openvino()->output(request_, index - inputs_.size, &made, report_to(&reason))) {
    ET_LOG(Error, "OpenVINO engine: %s: %s", label(index).c_str(), reason.c_str());
    return et::Error::Internal;
  }
  const aten::Tensor& tensor = value.toTensor();
  const et::Error error = resize(tensor, made.sizes, made.rank, label(index));
  if (error != et::Error::Ok || tensor.numel() == 0) return error;
  if (tensor.const_data_ptr() == nullptr) {
    ET_LOG(Error, "OpenVINO engine: %s has no memory", label(index).c_str());
    return et::Error::InvalidArgument;
  }
  std::memcpy(tensor.mutable_data_ptr(), made.data, tensor.nbytes());
  return et::Error::Ok;
}

// After bind().
et::Error Engine::check_sizes() const {
  for (const SizeInput& input : size_inputs_) {
    const shim::Tensor& tensor = tensors_[input.index];
    int64_t size = 0;
    std::memcpy(&size, tensor.data, sizeof(size));
    if (size >= input.min && size <= input.max) continue;
    ET_LOG(Error,
           "OpenVINO engine: a size that the program computes is %lld, and must be from %lld to "
           "%lld",
           static_cast<long long>(size), static_cast<long long>(input.min),
           static_cast<long long>(input.max));
    return et::Error::InvalidArgument;
  }
  return et::Error::Ok;
}

bool Engine::gives_nothing() {
  if (output_sizes_.empty()) return false;
  const auto lookup = [this](size_t input, std::optional<size_t> axis) -> std::optional<int64_t> {
    if (input >= inputs_.size) return std::nullopt;
    const std::vector<int64_t>& sizes = sizes_[input];
    if (axis) return *axis < sizes.size() ? std::optional(sizes[*axis]) : std::nullopt;
    const bool is_size = std::any_of(size_inputs_.begin(), size_inputs_.end(),
                                     [&](const SizeInput& each) { return each.index == input; });
    if (!is_size) return std::nullopt;
    int64_t value = 0;
    std::memcpy(&value, tensors_[input].data, sizeof(value));
    return value;
  };
  return output_sizes_.all_empty(lookup, empty_sizes_) && empty_sizes_.size() == outputs_.size;
}

et::Error Engine::run(et::Span<et::EValue*> arguments) {
  if (arguments.size() != tensors_.size()) {
    ET_LOG(Error, "OpenVINO engine: it has %zu inputs and %zu outputs, and %zu values were given",
           inputs_.size, outputs_.size, arguments.size());
    return et::Error::InvalidArgument;
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const et::Error error = bind(i, *arguments[i]);
    if (error != et::Error::Ok) return error;
  }
  const et::Error sizes = check_sizes();
  if (sizes != et::Error::Ok) return sizes;
  if (gives_nothing()) {
    for (size_t i = 0; i < outputs_.size; ++i) {
      const size_t index = inputs_.size + i;
      const std::vector<int64_t>& made = empty_sizes_[i];
      const et::Error error =
          resize(arguments[index]->toTensor(), made.data(), made.size(), label(index));
      if (error != et::Error::Ok) return error;
    }
    return et::Error::Ok;
  }
  std::string reason;
  if (!slipway_openvino()->infer(request_, tensors_.data(), tensors_.data() + inputs_.size,
                                 report_to(&reason))) {
    ET_LOG(Error, "OpenVINO engine: %s", reason.c_str());
    return et::Error::Internal;
  }
  for (size_t i = inputs_.size; i < arguments.size(); ++i) {
    if (is_static(port(i))) continue;
    const et::Error error = take_output(i, *arguments[i]);
    if (error != et::Error::Ok) return error;
  }
  return et::Error::Ok;
}

}  // namespace slipway::openvino
