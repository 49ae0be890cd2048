#include "pte/reader/plan_check.h"

#include <algorithm>
#include <vector>

#include "base/try.h"
#include "pte/format/layout.h"
#include "pte/reader/blob_check.h"
#include "pte/reader/device_uses.h"
#include "pte/reader/engine_check.h"
#include "pte/reader/flow_check.h"
#include "pte/reader/value_check.h"

namespace slipway::pte {
namespace {

// What ExecuTorch takes for granted.
Status check_presence(const Tables& tables, const fb::ExecutionPlan& plan) {
  if (plan.values() == nullptr || plan.inputs() == nullptr || plan.outputs() == nullptr ||
      plan.chains() == nullptr || plan.chains()->size() == 0 || plan.delegates() == nullptr ||
      plan.non_const_buffer_sizes() == nullptr) {
    return invalid_file("one of its lists is missing");
  }
  tables.inputs += plan.inputs()->size();
  tables.outputs += plan.outputs()->size();
  if (plan.values()->size() > kMaxItems || tables.inputs > kMaxEnds || tables.outputs > kMaxEnds) {
    return invalid_file("it has {} values, and {} inputs and {} outputs with those before",
                        plan.values()->size(), tables.inputs, tables.outputs);
  }
  if (const auto* container = plan.container_meta_type()) {
    for (const auto* text : {container->encoded_inp_str(), container->encoded_out_str()}) {
      SLIPWAY_RETURN_IF_ERROR(check_text(text, "its container metadata", kMaxText));
    }
  }
  return {};
}

Status check_memories(const Tables& tables, const fb::ExecutionPlan& plan) {
  SLIPWAY_RETURN_IF_ERROR(count_steps(tables, plan.non_const_buffer_sizes()->size()));
  SLIPWAY_RETURN_IF_ERROR(check_aligned(*plan.non_const_buffer_sizes()));
  for (const int64_t size : *plan.non_const_buffer_sizes()) {
    if (size < 0) return invalid_file("its planned memory has {} bytes", size);
  }
  if (plan.non_const_buffer_device() == nullptr) return {};
  SLIPWAY_RETURN_IF_ERROR(count_steps(tables, plan.non_const_buffer_device()->size()));
  std::vector<bool> known(plan.non_const_buffer_sizes()->size(), false);
  for (const fb::NonConstBufferDevice* device : *plan.non_const_buffer_device()) {
    const int32_t index = device->buffer_idx();
    if (index <= 0 || static_cast<size_t>(index) >= known.size() ||
        known[static_cast<size_t>(index)]) {
      return invalid_file("it says twice where memory is, or of memory {} of {}", index,
                          known.size());
    }
    known[static_cast<size_t>(index)] = true;
    SLIPWAY_RETURN_IF_ERROR(check_device(device->device_type(), device->device_index()));
  }
  return {};
}

// A size that nothing needs is damage, and would be allocated.
Status check_spare_memory(uint64_t size, uint64_t used) {
  if (size <= kMaxSpareMemory || (size - kMaxSpareMemory) / 2 <= used) return {};
  return invalid_file("its planned memory has {} bytes, and its tensors use {}", size, used);
}

Status check_spare_memory(const Tables& tables, const fb::ExecutionPlan& plan,
                          const std::vector<ValueFacts>& values) {
  std::vector<uint64_t> used(plan.non_const_buffer_sizes()->size(), 0);
  for (const ValueFacts& facts : values) {
    if (!facts.tensor.planned) continue;
    uint64_t& end = used[facts.tensor.memory_id];
    end = std::max(end, facts.tensor.memory_end);
  }
  for (uint32_t i = 1; i < used.size(); ++i) {
    const auto size = static_cast<uint64_t>(plan.non_const_buffer_sizes()->Get(i));
    if (i == kSharedMemoryId) {
      // ExecuTorch's exporter says the whole of it for each method, whatever that uses.
      tables.shared_size = std::max(tables.shared_size, size);
      tables.shared_end = std::max(tables.shared_end, used[i]);
      continue;
    }
    SLIPWAY_RETURN_IF_ERROR(check_spare_memory(size, used[i]));
  }
  return {};
}

Status check_operators(const Tables& tables, const fb::ExecutionPlan& plan) {
  SLIPWAY_RETURN_IF_ERROR(count_steps(tables, kStepsOfOne * count(plan.operators())));
  for (size_t i = 0; i < count(plan.operators()); ++i) {
    const fb::Operator& op = *plan.operators()->Get(static_cast<uint32_t>(i));
    SLIPWAY_RETURN_IF_ERROR(check_text(op.name(), "an operator's name", kMaxOperatorName));
    SLIPWAY_RETURN_IF_ERROR(check_text(op.overload(), "an operator's overload", kMaxOperatorName));
    if (op.name()->size() + 1 + op.overload()->size() > kMaxOperatorName) {
      return invalid_file("operator {}.{} has too long a name", view(op.name()),
                          view(op.overload()));
    }
  }
  return {};
}

Status check_delegate(const Tables& tables, const fb::BackendDelegate& delegate) {
  SLIPWAY_RETURN_IF_ERROR(check_text(delegate.id(), "its backend's name"));
  const fb::BackendDelegateDataReference* data = delegate.processed();
  if (data == nullptr || delegate.compile_specs() == nullptr) {
    return invalid_file("its data or its compile specs are missing");
  }
  size_t available = 0;
  if (data->location() == fb::DataLocation::INLINE) {
    available = count(tables.program.backend_delegate_data());
  } else if (data->location() == fb::DataLocation::SEGMENT) {
    available = tables.segments.size();
  }
  if (data->index() >= available) return invalid_file("its data does not exist");
  SLIPWAY_RETURN_IF_ERROR(count_steps(tables, kStepsOfOne * delegate.compile_specs()->size()));
  for (const fb::CompileSpec* spec : *delegate.compile_specs()) {
    SLIPWAY_RETURN_IF_ERROR(check_text(spec->key(), "a compile spec's key"));
    if (spec->value() == nullptr) {
      return invalid_file("compile spec \"{}\" has no value", view(spec->key()));
    }
  }
  return {};
}

Status check_delegates(const Tables& tables, const fb::ExecutionPlan& plan) {
  SLIPWAY_RETURN_IF_ERROR(count_steps(tables, kStepsOfOne * plan.delegates()->size()));
  const auto in_delegate = [](const Error& error, uint32_t i) {
    return error.with_context(fmt::format("delegate {}", i));
  };
  for (uint32_t i = 0; i < plan.delegates()->size(); ++i) {
    const Status status = check_delegate(tables, *plan.delegates()->Get(i));
    if (!status.ok()) return in_delegate(status.error(), i);
  }
  SLIPWAY_RETURN_IF_ERROR(check_engines(tables, plan));
  for (uint32_t i = 0; i < plan.delegates()->size(); ++i) {
    const auto blob = check_blob(tables, *plan.delegates()->Get(i));
    if (!blob.ok()) return in_delegate(blob.error(), i);
  }
  return {};
}

Status check_ends(const fb::ExecutionPlan& plan) {
  for (const auto* indices : {plan.inputs(), plan.outputs()}) {
    const char* what = indices == plan.inputs() ? "input" : "output";
    for (const int32_t index : *indices) {
      if (index < 0 || static_cast<uint32_t>(index) >= plan.values()->size()) {
        return invalid_file("its {} is value {} of {}", what, index, plan.values()->size());
      }
    }
  }
  return {};
}

// ExecuTorch copies into an input that has memory, and lists are nothing that it takes or gives.
Status check_ends(const fb::ExecutionPlan& plan, const std::vector<ValueFacts>& values) {
  for (const int32_t index : *plan.inputs()) {
    const ValueFacts& facts = values[static_cast<size_t>(index)];
    if ((facts.kinds & ~(kTensor | kScalar | kString | kNone)) != 0 || facts.tensor.constant) {
      return invalid_file("its input, value {}, is {}", index, describe(facts.kinds));
    }
  }
  for (const int32_t index : *plan.outputs()) {
    const ValueFacts& facts = values[static_cast<size_t>(index)];
    if ((facts.kinds & ~(kTensor | kScalar | kString | kNone)) != 0) {
      return invalid_file("its output, value {}, is {}", index, describe(facts.kinds));
    }
  }
  return {};
}

// What is in a device's memory is used by engines of devices, and by copies.
Status check_device_memory(const Tables& tables, const fb::ExecutionPlan& plan,
                           const std::vector<ValueFacts>& values) {
  const auto is_there = [](const ValueFacts& facts) { return facts.tensor.on_device; };
  if (tables.trust || std::none_of(values.begin(), values.end(), is_there)) return {};
  const DeviceUses uses(plan);
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_there(values[i])) continue;
    const std::string obstacle = uses.obstacle(i);
    if (obstacle.empty()) continue;
    return unsupported("value {} is in a device's memory, and {} uses it in the host's", i,
                       obstacle);
  }
  for (const int32_t input : *plan.inputs()) {
    if (!is_there(values[static_cast<size_t>(input)])) continue;
    return unsupported(
        "its input, value {}, is planned in a device's memory, where ExecuTorch's runtime can't "
        "put it",
        input);
  }
  return {};
}

}  // namespace

Status check_plan(const Tables& tables, const fb::ExecutionPlan& plan) {
  SLIPWAY_RETURN_IF_ERROR(check_presence(tables, plan));
  SLIPWAY_RETURN_IF_ERROR(check_memories(tables, plan));
  SLIPWAY_RETURN_IF_ERROR(check_ends(plan));
  SLIPWAY_RETURN_IF_ERROR(check_operators(tables, plan));
  SLIPWAY_RETURN_IF_ERROR(check_delegates(tables, plan));
  SLIPWAY_ASSIGN_OR_RETURN(const auto values, check_values(tables, plan));
  SLIPWAY_RETURN_IF_ERROR(check_spare_memory(tables, plan, values));
  SLIPWAY_RETURN_IF_ERROR(check_ends(plan, values));
  SLIPWAY_RETURN_IF_ERROR(check_flow(tables, plan, values));
  return check_device_memory(tables, plan, values);
}

Status check_shared_memory(const Tables& tables) {
  return check_spare_memory(tables.shared_size, tables.shared_end);
}

}  // namespace slipway::pte
