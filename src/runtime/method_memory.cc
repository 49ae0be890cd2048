// Which memory the inputs and outputs of a method have.
#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

#include "base/error.h"
#include "base/try.h"
#include "runtime/element_types.h"
#include "runtime/method.h"

namespace slipway::runtime {
namespace {

namespace aten = executorch::aten;

// Stands for the data of empty tensors, which ExecuTorch wants a pointer for.
alignas(16) std::byte kNoData[16];

bool overlap(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.data() < b.data() + b.size() && b.data() < a.data() + a.size();
}

// The addresses that a tensor takes, whatever device they are of: no two devices have the same.
std::span<const std::byte> addresses_of(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data()), tensor.nbytes()};
}

// A tensor in another one's memory, which it keeps.
Result<Tensor> part_of(const Tensor& whole, void* data, size_t nbytes, std::vector<int64_t> sizes) {
  return Tensor::share(std::make_shared<Tensor>(whole), data, nbytes, whole.dtype(),
                       std::move(sizes), whole.device());
}

bool overlaps_any(std::span<const std::byte> bytes, const std::vector<Memory>& memories) {
  return std::any_of(memories.begin(), memories.end(), [&](const Memory& memory) {
    return overlap(bytes, {memory.data(), memory.size()});
  });
}

}  // namespace

// Once is enough: ExecuTorch keeps the pointers.
Status LoadedMethod::bind_outputs() {
  buffers_->outputs.resize(plan_.output_sizes.size());
  given_outputs_.resize(plan_.output_sizes.size());
  for (size_t i = 0; i < plan_.output_sizes.size(); ++i) {
    if (!plan_.output_sizes[i]) continue;
    SLIPWAY_ASSIGN_OR_RETURN(
        Memory memory, Memory::allocate(std::max<uint64_t>(*plan_.output_sizes[i], 1),
                                        fmt::format("output {} '{}' of {}", i,
                                                    signature_.outputs()[i].name, description())));
    LogCapture log;
    const et::Error error = method_->set_output_data_ptr(memory.data(), memory.size(), i);
    if (error != et::Error::Ok) {
      return translate(error, fmt::format("{}: output {} can't be bound", description(), i),
                       log.text());
    }
    buffers_->outputs[i] = std::move(memory);
  }
  return {};
}

std::optional<uint64_t> LoadedMethod::needed_size(size_t index) const {
  if (plan_.output_sizes[index] || plan_.output_devices[index]) return plan_.output_sizes[index];
  const size_t value = plan_.outputs[index];
  const auto end = plan_.outputs.begin() + static_cast<ptrdiff_t>(index);
  const bool is_elsewhere =
      std::find(plan_.outputs.begin(), end, value) != end ||
      std::find(plan_.inputs.begin(), plan_.inputs.end(), value) != plan_.inputs.end();
  return is_elsewhere ? std::nullopt : size_alone(*file_.plan(name_), value);
}

Status LoadedMethod::set_output(size_t index, const std::optional<Tensor>& memory) {
  const ValueInfo& info = signature_.outputs()[index];
  const std::string output = fmt::format("{}: output {} '{}'", description(), index, info.name);
  const std::optional<uint64_t> needed = needed_size(index);
  if (info.tensor() == nullptr || !needed) {
    return unsupported(
        "{} can't be in the caller's memory: it is an input, state, a constant, an earlier output, "
        "shares its memory with other tensors of the program, or is no tensor",
        output);
  }
  const aten::Tensor bound = method_->get_output(index).toTensor();
  const bool is_planned = !plan_.output_sizes[index];
  void* data = buffers_->outputs[index].data();
  if (is_planned) {
    data = planned_outputs_.try_emplace(index, bound.mutable_data_ptr()).first->second;
  }
  size_t size = *needed;
  if (memory) {
    data = memory->nbytes() == 0 ? kNoData : const_cast<void*>(memory->data());
    size = memory->nbytes();
    const DType dtype = info.tensor()->dtype;
    if (memory->dtype() != dtype || size < *needed) {
      return invalid_argument("{} needs memory of {} with {} bytes, and {} is given", output,
                              dtype_name(dtype), *needed, format_value_type(*memory));
    }
    const auto alignment = std::min<uintptr_t>(dtype_size(dtype), 8);
    if (data == nullptr || reinterpret_cast<uintptr_t>(data) % alignment != 0) {
      return invalid_argument("{} can't be at address {}", output, data);
    }
    if (is_own_memory(addresses_of(*memory))) {
      return invalid_argument("{} can't be in memory that the module has for other things", output);
    }
    for (size_t other = 0; other < given_outputs_.size(); ++other) {
      if (other != index && given_outputs_[other] &&
          overlap(addresses_of(*given_outputs_[other]), addresses_of(*memory))) {
        return invalid_argument("{} can't be in the memory of output {}", output, other);
      }
    }
    if (!memory->device().is_cpu()) {
      const size_t value = plan_.outputs[index];
      std::string use = host_use(value);
      if (use.empty() && uses_->delegates(value).empty()) use = "no engine computes it";
      if (!use.empty()) {
        return invalid_argument("{} can't be in the memory of {}: {}", output,
                                format_device(memory->device()), use);
      }
    }
  }
  LogCapture log;
  // ExecuTorch's own function leaves what is planned where it is.
  const et::Error error = is_planned ? et::internal::set_tensor_data(bound, data, size)
                                     : method_->set_output_data_ptr(data, size, index);
  if (error != et::Error::Ok) return translate(error, output + " can't be bound", log.text());
  given_outputs_[index] = memory;
  return {};
}

Device LoadedMethod::device_of(size_t value) {
  if (!host_use(value).empty()) return {};
  const auto memory = memory_of(*file_.plan(name_), uses_->delegates(value), program_id());
  return memory ? Device{Device::Type::kCuda, memory->device} : Device();
}

Device LoadedMethod::input_device(size_t index) {
  const bool may_be_there = signature_.inputs()[index].tensor() && !plan_.is_copied[index];
  return may_be_there ? device_of(plan_.inputs[index]) : Device();
}

Device LoadedMethod::output_device(size_t index) {
  const bool may_be_there = signature_.outputs()[index].tensor() && needed_size(index);
  return may_be_there ? device_of(plan_.outputs[index]) : Device();
}

std::string LoadedMethod::host_use(size_t value) {
  const auto& execution = *file_.plan(name_);
  if (!uses_) uses_.emplace(execution);
  const std::string obstacle = uses_->obstacle(value);
  return obstacle.empty() ? "" : obstacle + " uses it in the host's";
}

Status LoadedMethod::check_devices(std::span<const Value> inputs) {
  for (const Binding& binding : bindings_) {
    const Tensor& tensor = std::get<Tensor>(inputs[binding.index]);
    const auto place = [&] {
      return fmt::format("input {} '{}' is in the memory of {}", binding.index,
                         signature_.inputs()[binding.index].name, format_device(tensor.device()));
    };
    if (tensor.nbytes() > 0 && is_in_given_output(tensor) &&
        (binding.mutated || !tensor.device().is_cpu())) {
      return invalid_argument(
          "input {} '{}' is in the memory that an output is written to (Method::set_output): give "
          "a copy of it",
          binding.index, signature_.inputs()[binding.index].name);
    }
    if (tensor.device().is_cpu() || tensor.nbytes() == 0) continue;
    if (plan_.is_copied[binding.index]) {
      return invalid_argument("{}, and the program begins with a copy of it on the host", place());
    }
    if (const std::string use = host_use(plan_.inputs[binding.index]); !use.empty()) {
      return invalid_argument("{}, and {}: give it there", place(), use);
    }
  }
  return {};
}

bool LoadedMethod::is_in_given_output(const Tensor& tensor) const {
  return std::any_of(given_outputs_.begin(), given_outputs_.end(), [&](const auto& given) {
    return given && overlap(addresses_of(tensor), addresses_of(*given));
  });
}

bool LoadedMethod::is_own_memory(std::span<const std::byte> bytes) const {
  const auto is_planned = [&](const et::Span<uint8_t>& span) {
    return overlap(bytes, {reinterpret_cast<const std::byte*>(span.data()), span.size()});
  };
  return std::any_of(planned_spans_.begin(), planned_spans_.end(), is_planned) ||
         overlaps_any(bytes, buffers_->planned) || overlaps_any(bytes, buffers_->outputs) ||
         overlaps_any(bytes, buffers_->input_copies) || overlaps_any(bytes, buffers_->copies);
}

bool LoadedMethod::is_overwritten(const Binding& binding, std::span<const Value> inputs) const {
  const Tensor& tensor = std::get<Tensor>(inputs[binding.index]);
  const auto bytes = addresses_of(tensor);
  if (bytes.empty()) return false;
  if (is_in_given_output(tensor) || is_own_memory(bytes)) return true;
  return std::any_of(bindings_.begin(), bindings_.end(), [&](const Binding& other) {
    return other.mutated && &other != &binding &&
           overlap(bytes, addresses_of(std::get<Tensor>(inputs[other.index])));
  });
}

Result<std::vector<void*>> LoadedMethod::input_data(std::span<const Value> inputs) {
  std::vector<void*> addresses;
  std::vector<Memory> copies;
  for (const Binding& binding : bindings_) {
    const Tensor& tensor = std::get<Tensor>(inputs[binding.index]);
    void*& data = addresses.emplace_back(const_cast<void*>(tensor.data()));
    if (tensor.nbytes() == 0) data = kNoData;
    if (!is_overwritten(binding, inputs)) continue;
    const std::string& name = signature_.inputs()[binding.index].name;
    if (binding.mutated) {
      return invalid_argument(
          "input {} '{}' is written to by the program, but lies in memory that the run needs "
          "itself "
          "(an output of an earlier run, the state, or another input): give a copy of it",
          binding.index, name);
    }
    if (!tensor.device().is_cpu()) {
      return invalid_argument(
          "input {} '{}' is in the memory of {}, of which the run changes a part: give a copy of "
          "it",
          binding.index, name, format_device(tensor.device()));
    }
    SLIPWAY_ASSIGN_OR_RETURN(
        Memory copy, Memory::allocate(tensor.nbytes(),
                                      fmt::format("a copy of input {} '{}'", binding.index, name)));
    std::memcpy(copy.data(), tensor.data(), tensor.nbytes());
    data = copy.data();
    copies.push_back(std::move(copy));
  }
  // An input may be an output that is an earlier copy.
  buffers_->input_copies = std::move(copies);
  return addresses;
}

Result<std::vector<Value>> LoadedMethod::outputs(std::span<const Value> inputs) {
  const size_t count = signature_.outputs().size();
  buffers_->copies.clear();
  std::vector<Value> values;
  values.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const et::EValue& value = method_->get_output(i);
    switch (value.tag) {
      case et::Tag::Tensor: {
        auto tensor = output_tensor(i, value.toTensor(), inputs);
        if (!tensor.ok()) return tensor.error();
        values.emplace_back(std::move(*tensor));
        break;
      }
      case et::Tag::Int:
        values.emplace_back(value.toInt());
        break;
      case et::Tag::Double:
        values.emplace_back(value.toDouble());
        break;
      case et::Tag::Bool:
        values.emplace_back(value.toBool());
        break;
      case et::Tag::String:
        values.emplace_back(std::string(value.toString()));
        break;
      case et::Tag::None:
        values.emplace_back(std::monostate());
        break;
      default:
        return unsupported("{}: output {} is a list, which Slipway does not give", description(),
                           i);
    }
  }
  return values;
}

Result<Tensor> LoadedMethod::output_tensor(size_t index, const aten::Tensor& tensor,
                                           std::span<const Value> inputs) {
  const auto dtype = from_executorch(tensor.scalar_type());
  if (!dtype) return unsupported("{}: output {} has no type of ours", description(), index);
  std::vector<int64_t> sizes(tensor.sizes().begin(), tensor.sizes().end());
  const size_t nbytes = tensor.nbytes();
  void* data = const_cast<void*>(tensor.const_data_ptr());
  if (nbytes == 0) return Tensor::borrow(kNoData, 0, *dtype, std::move(sizes));
  if (data == nullptr) {
    return internal_error("{}: output {} was not computed", description(), index);
  }
  for (size_t i = 0; i < tensor.dim_order().size(); ++i) {
    if (tensor.dim_order()[i] != i) {
      return unsupported("{}: output {} '{}' is not contiguous", description(), index,
                         signature_.outputs()[index].name);
    }
  }
  const std::span<const std::byte> addresses(static_cast<const std::byte*>(data), nbytes);
  // It may be an earlier output again.
  for (const std::optional<Tensor>& given : given_outputs_) {
    if (given && overlap(addresses_of(*given), addresses)) {
      return part_of(*given, data, nbytes, std::move(sizes));
    }
  }
  if (const auto device = plan_.output_devices[index]) {
    SLIPWAY_ASSIGN_OR_RETURN(Memory copy, Memory::allocate(nbytes, "a copy of an output"));
    LogCapture log;
    const et::Error error = et::get_device_allocator(et::etensor::DeviceType::CUDA)
                                ->copy_device_to_host(copy.data(), data, nbytes, *device);
    if (error != et::Error::Ok) {
      return translate(error, "an output does not come from its device", log.text());
    }
    data = copy.data();
    buffers_->copies.push_back(std::move(copy));
    return Tensor::share(buffers_, data, nbytes, *dtype, std::move(sizes));
  }
  // An output that is an input as it came in would end with the caller's memory.
  for (const Value& input : inputs) {
    const auto* given = std::get_if<Tensor>(&input);
    if (given == nullptr || !overlap(addresses_of(*given), addresses)) continue;
    if (!given->device().is_cpu()) return part_of(*given, data, nbytes, std::move(sizes));
    SLIPWAY_ASSIGN_OR_RETURN(Memory copy,
                             Memory::allocate(nbytes, "a copy of an input that is an output"));
    std::memcpy(copy.data(), data, nbytes);
    data = copy.data();
    buffers_->copies.push_back(std::move(copy));
    break;
  }
  return Tensor::share(buffers_, data, nbytes, *dtype, std::move(sizes));
}

}  // namespace slipway::runtime
