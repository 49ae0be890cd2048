#include "openvino/delegate/engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>

#include <executorch/runtime/platform/log.h>

#include "delegate/log.h"

namespace slipway::openvino {
namespace {

namespace et = executorch::runtime;
namespace aten = executorch::aten;

// Stands for the data of tensors without elements, which OpenVINO wants a pointer for.
alignas(16) std::array<std::byte, 16> no_data;

std::vector<delegate::Port> ports_of(const shim::Ports& ports) {
  std::vector<delegate::Port> list;
  for (size_t i = 0; i < ports.size; ++i) {
    const shim::Port& port = ports.data[i];
    delegate::Port& one = list.emplace_back();
    if (port.type != shim::ElementType::kUnknown) {
      one.type = static_cast<aten::ScalarType>(port.type);
    }
    if (port.has_rank) one.sizes.emplace(port.sizes, port.sizes + port.rank);
  }
  return list;
}

}  // namespace

std::unique_ptr<Engine> Engine::load(ModelPointer model, std::vector<SizeInput> size_inputs,
                                     OutputSizes output_sizes) {
  std::unique_ptr<Engine> engine(new Engine());
  std::string reason;
  const shim::Functions& openvino = *slipway_openvino();
  engine->model_ = std::move(model);
  engine->request_ = openvino.create_request(engine->model_.get(), report_to(&reason));
  if (engine->request_ == nullptr) {
    delegate::log_error(kTitle, std::string("OpenVINO ") + openvino.version() +
                                    " does not run the engine: " + reason);
    return nullptr;
  }
  engine->arguments_.emplace(kTitle, ports_of(openvino.inputs(engine->model_.get())),
                             ports_of(openvino.outputs(engine->model_.get())));
  const delegate::Arguments& arguments = *engine->arguments_;
  for (const SizeInput& input : size_inputs) {
    if (input.index >= arguments.input_count() ||
        arguments.port(input.index).type != aten::ScalarType::Long) {
      ET_LOG(Error, "%s: input %zu is no size", kTitle, input.index);
      return nullptr;
    }
  }
  engine->size_inputs_ = std::move(size_inputs);
  engine->output_sizes_ = std::move(output_sizes);
  engine->sizes_.resize(arguments.count());
  engine->tensors_.resize(arguments.count());
  return engine;
}

Engine::~Engine() {
  if (request_ != nullptr) slipway_openvino()->destroy_request(request_);
}

std::string Engine::property(const char* name) const {
  std::string value;
  std::string reason;
  const bool found =
      slipway_openvino()->property(model_.get(), name, report_to(&value), report_to(&reason));
  return found ? value : "";
}

et::Error Engine::bind(size_t index, et::EValue& value) {
  const et::Error checked = arguments_->check(index, value);
  if (checked != et::Error::Ok || is_made_inside(index)) return checked;
  const aten::Tensor& tensor = value.toTensor();
  void* data = nullptr;
  const et::Error found = arguments_->find_memory(index, tensor, &data);
  if (found != et::Error::Ok) return found;
  std::vector<int64_t>& sizes = sizes_[index];
  sizes.assign(tensor.sizes().begin(), tensor.sizes().end());
  tensors_[index] = {data == nullptr ? no_data.data() : data, sizes.size(), sizes.data()};
  return et::Error::Ok;
}

// How much memory an output of dynamic shape needs is known only now, so OpenVINO computed it in
// memory of its own.
et::Error Engine::take_output(size_t index, et::EValue& value) {
  std::string reason;
  shim::Tensor made{};
  if (!slipway_openvino()->output(request_, index - arguments_->input_count(), &made,
                                  report_to(&reason))) {
    delegate::log_error(kTitle, arguments_->label(index) + ": " + reason);
    return et::Error::Internal;
  }
  const aten::Tensor& tensor = value.toTensor();
  const size_t output = index - arguments_->input_count();
  if (output < empty_sizes_.size() && empty_sizes_[output]) {
    return arguments_->resize(index, tensor, *empty_sizes_[output]);
  }
  const et::Error error = arguments_->resize(index, tensor, {made.sizes, made.rank});
  if (error != et::Error::Ok) return error;
  void* data = nullptr;
  const et::Error found = arguments_->find_memory(index, tensor, &data);
  if (found == et::Error::Ok && data != nullptr) std::memcpy(data, made.data, tensor.nbytes());
  return found;
}

// After bind().
et::Error Engine::check_sizes() const {
  for (const SizeInput& input : size_inputs_) {
    const shim::Tensor& tensor = tensors_[input.index];
    int64_t size = 0;
    std::memcpy(&size, tensor.data, sizeof(size));
    if (size >= input.min && size <= input.max) continue;
    ET_LOG(Error, "%s: a size that the program computes is %lld, and must be from %lld to %lld",
           kTitle, static_cast<long long>(size), static_cast<long long>(input.min),
           static_cast<long long>(input.max));
    return et::Error::InvalidArgument;
  }
  return et::Error::Ok;
}

bool Engine::gives_nothing() {
  empty_sizes_.clear();
  if (output_sizes_.empty()) return false;
  const auto lookup = [this](size_t input, std::optional<size_t> axis) -> std::optional<int64_t> {
    if (input >= arguments_->input_count()) return std::nullopt;
    const std::vector<int64_t>& sizes = sizes_[input];
    if (axis) return *axis < sizes.size() ? std::optional(sizes[*axis]) : std::nullopt;
    const bool is_size = std::any_of(size_inputs_.begin(), size_inputs_.end(),
                                     [&](const SizeInput& each) { return each.index == input; });
    if (!is_size) return std::nullopt;
    int64_t value = 0;
    std::memcpy(&value, tensors_[input].data, sizeof(value));
    return value;
  };
  empty_sizes_ = output_sizes_.without_elements(lookup);
  return empty_sizes_.size() == output_count() &&
         std::all_of(empty_sizes_.begin(), empty_sizes_.end(),
                     [](const auto& sizes) { return sizes.has_value(); });
}

et::Error Engine::run(et::Span<et::EValue*> arguments, et::EventTracer* tracer) {
  const et::Error error = infer(arguments);
  if (error == et::Error::Ok && tracer != nullptr) tell_layers(*tracer);
  return error;
}

et::Error Engine::infer(et::Span<et::EValue*> arguments) {
  const et::Error counted = arguments_->check_count(arguments.size());
  if (counted != et::Error::Ok) return counted;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const et::Error error = bind(i, *arguments[i]);
    if (error != et::Error::Ok) return error;
  }
  const et::Error sizes = check_sizes();
  if (sizes != et::Error::Ok) return sizes;
  const size_t inputs = arguments_->input_count();
  if (gives_nothing()) {
    for (size_t i = 0; i < output_count(); ++i) {
      const et::Error error =
          arguments_->resize(inputs + i, arguments[inputs + i]->toTensor(), *empty_sizes_[i]);
      if (error != et::Error::Ok) return error;
    }
    return et::Error::Ok;
  }
  std::string reason;
  if (!slipway_openvino()->infer(request_, tensors_.data(), tensors_.data() + inputs,
                                 report_to(&reason))) {
    delegate::log_error(kTitle, reason);
    return et::Error::Internal;
  }
  for (size_t i = inputs; i < arguments.size(); ++i) {
    if (!is_made_inside(i)) continue;
    const et::Error error = take_output(i, *arguments[i]);
    if (error != et::Error::Ok) return error;
  }
  return et::Error::Ok;
}

// OpenVINO tells the mean of all runs, of which the first takes many times longer than the others:
// what is told is the mean without it.
void Engine::tell_layers(et::EventTracer& tracer) {
  struct Layers {
    std::vector<std::pair<std::string, std::string>> names;
    std::vector<uint64_t> means;  // microseconds
  } layers;
  const shim::LayerSink sink = {
      &layers, [](void* context, const char* name, const char* kind, uint64_t microseconds) {
        auto& own = *static_cast<Layers*>(context);
        own.names.emplace_back(name, kind);
        own.means.push_back(microseconds);
      }};
  std::string reason;
  if (!slipway_openvino()->layers(request_, sink, report_to(&reason))) {
    ET_LOG(Info, "%s: its layers are not known: %s", kTitle, reason.c_str());
    return;
  }
  constexpr uint64_t kNanoseconds = 1000;
  ++told_runs_;
  if (told_runs_ == 1) first_layers_ = layers.means;
  const bool is_later = told_runs_ > 1 && first_layers_.size() == layers.means.size();
  for (size_t i = 0; i < layers.means.size(); ++i) {
    uint64_t nanoseconds = layers.means[i] * kNanoseconds;
    if (is_later) {
      const uint64_t all = layers.means[i] * told_runs_;
      nanoseconds = (all - std::min(all, first_layers_[i])) * kNanoseconds / (told_runs_ - 1);
    }
    delegate::tell_layer(tracer, layers.names[i].first, layers.names[i].second,
                         std::chrono::nanoseconds(nanoseconds));
  }
}

}  // namespace slipway::openvino
