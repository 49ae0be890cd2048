#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/try.h"
#include "openvino/library/library.h"
#include "openvino/shim/shim.h"

namespace slipway::openvino {

namespace {

// OpenVINO wants an address even of tensors without elements.
std::array<std::byte, 64> no_data;

// Some processors would choose bfloat16 by themselves.
constexpr shim::Property kProperties[] = {{"INFERENCE_PRECISION_HINT", "f32"},
                                          {"EXECUTION_MODE_HINT", "ACCURACY"}};

std::optional<DType> dtype_of(shim::ElementType type) {
  switch (type) {
    case shim::ElementType::kBFloat16:
      return DType::kBFloat16;
    case shim::ElementType::kUInt16:
      return DType::kUInt16;
    case shim::ElementType::kUInt32:
      return DType::kUInt32;
    case shim::ElementType::kUInt64:
      return DType::kUInt64;
    case shim::ElementType::kUnknown:
      return std::nullopt;
    default:
      // The others have the same number.
      return static_cast<DType>(type);
  }
}

bool fits(const shim::Port& port, const Tensor& tensor) {
  if (dtype_of(port.type) != tensor.dtype()) return false;
  if (!port.has_rank) return true;
  if (port.rank != tensor.sizes().size()) return false;
  for (size_t i = 0; i < port.rank; ++i) {
    if (port.sizes[i] >= 0 && port.sizes[i] != tensor.sizes()[i]) return false;
  }
  return true;
}

shim::Tensor view(Tensor& tensor) {
  void* const data = tensor.nbytes() == 0 ? no_data.data() : tensor.data();
  return {data, tensor.sizes().size(), tensor.sizes().data()};
}

}  // namespace

Result<std::vector<Library::Tensors>> Library::run(std::span<const std::byte> engine,
                                                   const std::vector<Tensors>& inputs) const {
  std::string reason;
  const shim::Report report = {&reason, [](void* context, const char* text) {
                                 *static_cast<std::string*>(context) += text;
                               }};
  const auto refuse = [&] {
    return unsupported("OpenVINO {} does not run the engine: {}", version_, reason);
  };
  const std::unique_ptr<shim::Model, void (*)(shim::Model*)> model(
      functions_.import_model(engine.data(), engine.size(), "CPU",
                              {std::data(kProperties), std::size(kProperties)}, report),
      functions_.destroy_model);
  if (model == nullptr) return refuse();
  const std::unique_ptr<shim::Request, void (*)(shim::Request*)> request(
      functions_.create_request(model.get(), report), functions_.destroy_request);
  if (request == nullptr) return refuse();
  const shim::Ports ins = functions_.inputs(model.get());
  const shim::Ports outs = functions_.outputs(model.get());

  std::vector<Tensors> result;
  for (Tensors run : inputs) {
    reason = "its inputs are others";
    if (run.size() != ins.size) return refuse();
    std::vector<shim::Tensor> given;
    for (size_t i = 0; i < ins.size; ++i) {
      if (!fits(ins.data[i], run[i])) return refuse();
      given.push_back(view(run[i]));
    }
    reason.clear();
    Tensors made;
    std::vector<shim::Tensor> taken;
    for (size_t i = 0; i < outs.size; ++i) {
      const shim::Port& port = outs.data[i];
      const auto dtype = dtype_of(port.type);
      if (!dtype) return refuse();
      std::vector<int64_t> sizes;
      if (port.has_rank) sizes.assign(port.sizes, port.sizes + port.rank);
      // Where they are known ahead of the run, the engine writes into the tensor.
      for (int64_t& size : sizes) size = std::max<int64_t>(size, 0);
      SLIPWAY_ASSIGN_OR_RETURN(made.emplace_back(), Tensor::zeros(*dtype, std::move(sizes)));
    }
    for (Tensor& tensor : made) taken.push_back(view(tensor));
    if (!functions_.infer(request.get(), given.data(), taken.data(), report)) return refuse();
    for (size_t i = 0; i < outs.size; ++i) {
      shim::Tensor from = {};
      if (!functions_.output(request.get(), i, &from, report)) return refuse();
      SLIPWAY_ASSIGN_OR_RETURN(
          Tensor copy, Tensor::zeros(made[i].dtype(), {from.sizes, from.sizes + from.rank}));
      std::memcpy(copy.data(), from.data, copy.nbytes());
      made[i] = std::move(copy);
    }
    result.push_back(std::move(made));
  }
  return result;
}

}  // namespace slipway::openvino
