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

DeviceState::~DeviceState() {
  for (const Buffer& buffer : buffers_) {
    if (buffer.is_device_owned) buffer.allocator->deallocate(buffer.device, buffer.index);
  }
}

Status DeviceState::place(const pte::File& file, const std::string& method_name, const Plan& plan,
                          const std::string& program, et::Method& method, std::vector<Memory>& host,
                          const std::function<void(const std::string&)>& warn) {
  const fb::ExecutionPlan& execution = *file.plan(method_name);
  for (size_t i = 0; i < plan.state.size(); ++i) {
    if (plan.state[i].device) {
      SLIPWAY_RETURN_IF_ERROR(place_planned(file.name(), i, plan, method, host));
    }
  }
  if (plan.state.empty() || !has_cuda_engines(execution, program)) return {};
  const pte::DeviceUses uses(execution);
  for (size_t i = 0; i < plan.state.size(); ++i) {
    const Plan::State& state = plan.state[i];
    if (state.device || state.has_views || is_an_end(plan, state.value)) continue;
    if (!uses.obstacle(state.value).empty()) continue;
    const auto memory = memory_of(execution, uses.delegates(state.value), program);
    if (!memory || memory->device > std::numeric_limits<et::etensor::DeviceIndex>::max()) continue;
    LogCapture log;
    const auto tensor = method.get_attribute(state.name);
    if (!tensor.ok()) return translate(tensor.error(), state.name, log.text());
    Buffer buffer = {.state = i,
                     .value = state.value,
                     .host = tensor->mutable_data_ptr(),
                     .nbytes = tensor->nbytes(),
                     .allocator = memory->allocator,
                     .index = static_cast<et::etensor::DeviceIndex>(memory->device),
                     .is_device_owned = true};
    if (buffer.nbytes == 0) continue;
    const auto there = buffer.allocator->allocate(buffer.nbytes, buffer.index, kAlignment);
    if (!there.ok()) {
      if (warn) {
        warn(fmt::format("{} of {}: {} stays on the host, and is copied at every run: {}",
                         method_name, file.name(), state.name, first_reason(log.text())));
      }
      continue;
    }
    buffer.device = *there;
    const et::Error set = et::internal::set_tensor_data(*tensor, buffer.device, buffer.nbytes);
    buffers_.push_back(buffer);
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
  Buffer buffer = {.state = state,
                   .value = plan.state[state].value,
                   .device = tensor->mutable_data_ptr(),
                   .nbytes = tensor->nbytes(),
                   .allocator = et::get_device_allocator(et::etensor::DeviceType::CUDA),
                   .index = *plan.state[state].device};
  if (buffer.nbytes == 0) return {};
  SLIPWAY_ASSIGN_OR_RETURN(Memory memory,
                           Memory::allocate(buffer.nbytes, fmt::format("{} of {}", name, what)));
  buffer.host = memory.data();
  const std::span<const std::byte> initial = plan.state[state].initial;
  if (!initial.empty()) std::copy(initial.begin(), initial.end(), memory.data());
  host.push_back(std::move(memory));
  buffers_.push_back(buffer);
  return {};
}

Status DeviceState::copy(Copy copy, const char* context) {
  for (const Buffer& buffer : buffers_) {
    LogCapture log;
    const et::Error error = copy(buffer);
    if (error != et::Error::Ok) return translate(error, context, log.text());
  }
  return {};
}

Status DeviceState::to_device() {
  if (is_on_device_ || buffers_.empty()) return {};
  const auto upload = [](const Buffer& buffer) {
    return buffer.allocator->copy_host_to_device(buffer.device, buffer.host, buffer.nbytes,
                                                 buffer.index);
  };
  SLIPWAY_RETURN_IF_ERROR(copy(upload, "the state does not get to its device"));
  is_on_device_ = true;
  return {};
}

Status DeviceState::to_host() {
  if (!is_on_device_) return {};
  const auto download = [](const Buffer& buffer) {
    return buffer.allocator->copy_device_to_host(buffer.host, buffer.device, buffer.nbytes,
                                                 buffer.index);
  };
  SLIPWAY_RETURN_IF_ERROR(copy(download, "the state does not come from its device"));
  is_on_device_ = false;
  return {};
}

bool DeviceState::has(size_t value) const {
  return std::any_of(buffers_.begin(), buffers_.end(),
                     [&](const Buffer& buffer) { return buffer.value == value; });
}

void* DeviceState::host(size_t state) const {
  const auto found = std::find_if(buffers_.begin(), buffers_.end(),
                                  [&](const Buffer& buffer) { return buffer.state == state; });
  return found == buffers_.end() ? nullptr : found->host;
}

}  // namespace slipway::runtime
