#include "runtime/device_state.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "base/error.h"
#include "base/try.h"
#include "pte/format/program_generated.h"
#include "pte/reader/device_uses.h"
#include "runtime/backends.h"
#include "runtime/platform.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

constexpr size_t kAlignment = 256;  // what engines want

bool has_cuda_engines(const fb::ExecutionPlan& plan, const std::string& program) {
  return std::any_of(plan.delegates()->begin(), plan.delegates()->end(),
                     [&](const fb::BackendDelegate* delegate) {
                       return cuda_memory_of(delegate->id()->str(), program).has_value();
                     });
}

bool is_an_end(const Plan& plan, size_t value) {
  const auto is_in = [&](const std::vector<size_t>& ends) {
    return std::find(ends.begin(), ends.end(), value) != ends.end();
  };
  return is_in(plan.inputs) || is_in(plan.outputs);
}

}  // namespace

std::optional<CudaMemory> memory_of(const fb::ExecutionPlan& plan,
                                    const std::set<uint32_t>& delegates,
                                    const std::string& program) {
  std::optional<CudaMemory> common;
  for (const uint32_t delegate : delegates) {
    const auto own = cuda_memory_of(plan.delegates()->Get(delegate)->id()->str(), program);
    if (!own || (common && common->device != own->device)) return std::nullopt;
    if (!common) common = own;
  }
  return common;
}

Status DeviceState::place(const pte::File& file, const std::string& method_name, const Plan& plan,
                          const std::string& program, et::Method& method, SharedState& shared,
                          std::vector<Memory>& host,
                          const std::function<void(const std::string&)>& warn) {
  const fb::ExecutionPlan& execution = *file.plan(method_name);
  for (size_t i = 0; i < plan.state.size(); ++i) {
    if (plan.state[i].device) {
      SLIPWAY_RETURN_IF_ERROR(place_planned(file.name(), i, plan, method, host));
    }
  }
  const bool has_engines = !plan.state.empty() && has_cuda_engines(execution, program);
  std::optional<pte::DeviceUses> uses;
  if (has_engines) uses.emplace(execution);
  // Where the engines have the state that alone use it.
  const auto memory_for = [&](const Plan::State& state) -> std::optional<CudaMemory> {
    if (!has_engines || state.has_views || is_an_end(plan, state.value)) return std::nullopt;
    if (!uses->obstacle(state.value).empty()) return std::nullopt;
    const auto memory = memory_of(execution, uses->delegates(state.value), program);
    constexpr auto kMost = std::numeric_limits<et::etensor::DeviceIndex>::max();
    return memory && memory->device <= kMost ? memory : std::nullopt;
  };
  for (size_t i = 0; i < plan.state.size(); ++i) {
    const Plan::State& state = plan.state[i];
    if (state.device) continue;
    const auto memory = memory_for(state);
    if (!memory && !state.is_shared) continue;
    LogCapture log;
    const auto tensor = method.get_attribute(state.name);
    if (!tensor.ok()) return translate(tensor.error(), state.name, log.text());
    if (tensor->nbytes() == 0) continue;
    void* const place = tensor->mutable_data_ptr();
    Use use = {.state = i, .value = state.value};
    if (state.is_shared) use.buffer = shared.buffers[place];
    if (!use.buffer) use.buffer = std::make_shared<DeviceBuffer>();
    if (state.is_shared) shared.buffers[place] = use.buffer;
    DeviceBuffer& buffer = *use.buffer;
    buffer.host = place;
    buffer.nbytes = tensor->nbytes();
    if (memory && buffer.device == nullptr) {
      const auto index = static_cast<et::etensor::DeviceIndex>(memory->device);
      const auto there = memory->allocator->allocate(buffer.nbytes, index, kAlignment);
      if (there.ok()) {
        buffer.device = *there;
        buffer.allocator = memory->allocator;
        buffer.index = index;
        buffer.is_device_owned = true;
      } else if (warn) {
        warn(fmt::format("{} of {}: {} stays on the host, and is copied at every run: {}",
                         method_name, file.name(), state.name, first_reason(log.text())));
      }
    }
    use.is_there = memory && buffer.device != nullptr && buffer.allocator == memory->allocator &&
                   buffer.index == memory->device;
    if (!use.is_there && !state.is_shared) continue;
    uses_.push_back(use);
    if (!use.is_there) continue;
    const et::Error set = et::internal::set_tensor_data(*tensor, buffer.device, buffer.nbytes);
    if (set != et::Error::Ok) return translate(set, state.name, log.text());
  }
  return {};
}

// It begins with what the first run would bring there, and with zeros where nothing does.
Status DeviceState::place_planned(const std::string& what, size_t state, const Plan& plan,
                                  et::Method& method, std::vector<Memory>& host) {
  const std::string& name = plan.state[state].name;
  LogCapture log;
  const auto tensor = method.get_attribute(name);
  if (!tensor.ok()) return translate(tensor.error(), name, log.text());
  const Use use = {.state = state,
                   .value = plan.state[state].value,
                   .is_there = true,
                   .buffer = std::make_shared<DeviceBuffer>()};
  DeviceBuffer& buffer = *use.buffer;
  buffer.device = tensor->mutable_data_ptr();
  buffer.nbytes = tensor->nbytes();
  buffer.allocator = et::get_device_allocator(et::etensor::DeviceType::CUDA);
  buffer.index = *plan.state[state].device;
  if (buffer.nbytes == 0) return {};
  SLIPWAY_ASSIGN_OR_RETURN(Memory memory,
                           Memory::allocate(buffer.nbytes, fmt::format("{} of {}", name, what)));
  buffer.host = memory.data();
  const std::span<const std::byte> initial = plan.state[state].initial;
  if (!initial.empty()) std::copy(initial.begin(), initial.end(), memory.data());
  host.push_back(std::move(memory));
  uses_.push_back(use);
  return {};
}

Status DeviceState::to_users() {
  for (const Use& use : uses_) {
    DeviceBuffer& buffer = *use.buffer;
    if (!use.is_there) {
      SLIPWAY_RETURN_IF_ERROR(to_host(buffer));
    } else if (!buffer.is_on_device) {
      LogCapture log;
      const et::Error error = buffer.allocator->copy_host_to_device(buffer.device, buffer.host,
                                                                    buffer.nbytes, buffer.index);
      if (error != et::Error::Ok) {
        return translate(error, "the state does not get to its device", log.text());
      }
      buffer.is_on_device = true;
    }
  }
  return {};
}

Status DeviceState::to_host() {
  for (const Use& use : uses_) SLIPWAY_RETURN_IF_ERROR(to_host(*use.buffer));
  return {};
}

Status DeviceState::to_host(DeviceBuffer& buffer) {
  if (!buffer.is_on_device) return {};
  LogCapture log;
  const et::Error error = buffer.allocator->copy_device_to_host(buffer.host, buffer.device,
                                                                buffer.nbytes, buffer.index);
  if (error != et::Error::Ok) {
    return translate(error, "the state does not come from its device", log.text());
  }
  buffer.is_on_device = false;
  return {};
}

void DeviceState::drop() {
  for (const Use& use : uses_) use.buffer->is_on_device = false;
}

bool DeviceState::has(size_t value) const {
  return std::any_of(uses_.begin(), uses_.end(),
                     [&](const Use& use) { return use.value == value && use.is_there; });
}

void* DeviceState::host(size_t state) const {
  const auto found =
      std::find_if(uses_.begin(), uses_.end(), [&](const Use& use) { return use.state == state; });
  return found == uses_.end() ? nullptr : found->buffer->host;
}

}  // namespace slipway::runtime
