#include "openvino/delegate/model.h"

#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "delegate/log.h"

namespace slipway::openvino {
namespace {

namespace et = executorch::runtime;

struct SharedModel {
  et::FreeableBuffer blob;  // which outlives the model
  ModelPointer model;
  std::string setup;

  bool is_of(const et::FreeableBuffer& bytes, const std::string& how) const {
    return setup == how && blob.size() == bytes.size() &&
           std::memcmp(blob.data(), bytes.data(), bytes.size()) == 0;
  }
};

}  // namespace

shim::Report report_to(std::string* text) {
  return {text,
          [](void* context, const char* part) { *static_cast<std::string*>(context) += part; }};
}

ModelPointer import_model(const et::FreeableBuffer& blob, const std::string& device,
                          shim::Properties properties) {
  const shim::Functions& openvino = *slipway_openvino();
  std::string reason;
  shim::Model* const model = openvino.import_model(blob.data(), blob.size(), device.c_str(),
                                                   properties, report_to(&reason));
  if (model == nullptr) {
    delegate::log_error(kTitle, std::string("OpenVINO ") + openvino.version() +
                                    " does not take the engine for " + device + ": " + reason);
    return nullptr;
  }
  return {model, openvino.destroy_model};
}

ModelPointer share_model(et::FreeableBuffer& blob, const std::string& device,
                         shim::Properties properties) {
  static std::mutex mutex;
  // Never destroyed: engines may live longer than static destructors wait.
  static auto* const models = new std::vector<std::weak_ptr<SharedModel>>;
  std::string setup = device;
  for (size_t i = 0; i < properties.size; ++i) {
    setup += std::string("\n") + properties.data[i].name + "=" + properties.data[i].value;
  }
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<SharedModel> shared;
  for (const auto& known : *models) {
    shared = known.lock();
    if (shared != nullptr && shared->is_of(blob, setup)) {
      blob.Free();
      return {shared, shared->model.get()};
    }
  }
  ModelPointer model = import_model(blob, device, properties);
  if (model == nullptr) return nullptr;
  shared.reset(new SharedModel{std::move(blob), std::move(model), std::move(setup)});
  std::erase_if(*models, [](const auto& known) { return known.expired(); });
  models->push_back(shared);
  return {shared, shared->model.get()};
}

}  // namespace slipway::openvino
