#include "pte/reader/tensor_check.h"

#include <algorithm>
#include <limits>
#include <span>

#include "base/checked.h"
#include "base/try.h"
#include "pte/format/allocation.h"
#include "pte/format/layout.h"
#include "pte/format/scalar_types.h"

namespace slipway::pte {
namespace {

Status check_dim_order(const fb::Tensor& tensor, size_t rank) {
  const auto* order = tensor.dim_order();
  if (order == nullptr || order->size() != rank) {
    return invalid_file("its dim_order has {} entries for {} dimensions", count(order), rank);
  }
  uint32_t seen = 0;
  for (const uint8_t dimension : *order) {
    if (dimension >= rank || (seen >> dimension & 1) != 0) {
      return invalid_file("its dim_order is not a permutation");
    }
    seen |= 1U << dimension;
  }
  return {};
}

// ExecuTorch keeps strides in 32 bits and computes them without a check.
Status check_strides(std::span<const int64_t> sizes, const fb::Tensor& tensor) {
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 1;) {
    const uint8_t dimension = tensor.dim_order()->Get(static_cast<flatbuffers::uoffset_t>(i));
    stride *= std::max<int64_t>(sizes[dimension], 1);
    if (stride > std::numeric_limits<int32_t>::max()) {
      return invalid_file("its strides do not fit in 32 bits");
    }
  }
  return {};
}

Status check_shape(const fb::Tensor& tensor, TensorFacts& facts) {
  const auto dtype = dtype_of(tensor.scalar_type());
  if (!dtype) {
    return invalid_file("its element type, {}, is unknown or not supported",
                        static_cast<int>(tensor.scalar_type()));
  }
  if (tensor.storage_offset() != 0) return invalid_file("it has a storage offset");
  if (tensor.shape_dynamism() != fb::TensorShapeDynamism::STATIC &&
      tensor.shape_dynamism() != fb::TensorShapeDynamism::DYNAMIC_BOUND) {
    return invalid_file("its shape has no upper bound");
  }
  if (tensor.sizes() == nullptr || tensor.sizes()->size() > kMaxRank) {
    return invalid_file("it has {} sizes, and at most {} are supported", count(tensor.sizes()),
                        kMaxRank);
  }
  const std::vector<int64_t> sizes(tensor.sizes()->begin(), tensor.sizes()->end());
  facts.dtype = *dtype;
  facts.rank = sizes.size();
  facts.dynamic = tensor.shape_dynamism() == fb::TensorShapeDynamism::DYNAMIC_BOUND;
  SLIPWAY_RETURN_IF_ERROR(check_dim_order(tensor, sizes.size()));
  auto nbytes = contiguous_nbytes(*dtype, sizes);
  if (!nbytes.ok()) return invalid_file("{}", nbytes.error().message());
  facts.nbytes = *nbytes;
  return check_strides(sizes, tensor);
}

Status check_extra(const fb::Tensor& tensor) {
  const fb::ExtraTensorInfo* extra = tensor.extra_tensor_info();
  if (extra == nullptr) return {};
  if (extra->location() == fb::TensorDataLocation::EXTERNAL) {
    return unsupported(
        "its data lies in another file (.ptd), which is not supported: write the program with its "
        "weights inside");
  }
  if (extra->location() != fb::TensorDataLocation::SEGMENT) {
    return invalid_file("its data has no known location");
  }
  SLIPWAY_RETURN_IF_ERROR(check_device(extra->device_type(), extra->device_index()));
  if (extra->fully_qualified_name() == nullptr) return {};
  return check_text(extra->fully_qualified_name(), "its name");
}

// The bytes of entry `index`, which end with the segment.
Status check_subsegment(const Tables& tables, const fb::SubsegmentOffsets* subsegments,
                        uint32_t index, const TensorFacts& facts) {
  if (subsegments == nullptr || index >= count(subsegments->offsets()) ||
      subsegments->segment_index() >= tables.segments.size()) {
    return invalid_file("its data, number {}, does not exist", index);
  }
  const Segment& segment = tables.segments[subsegments->segment_index()];
  const uint64_t offset = subsegments->offsets()->Get(index);
  if (!range_fits(offset, facts.nbytes, segment.size)) {
    return invalid_file("its {} bytes at {} do not lie in its segment of {}", facts.nbytes, offset,
                        segment.size);
  }
  if ((segment.offset + offset) % dtype_size(facts.dtype) != 0) {
    return invalid_file("its data is not aligned for its type");
  }
  return {};
}

Status check_inline_constant(const Tables& tables, uint32_t index, const TensorFacts& facts) {
  const auto* buffers = tables.program.constant_buffer();
  if (index >= count(buffers)) return invalid_file("its data, number {}, does not exist", index);
  const auto* storage = buffers->Get(index)->storage();
  // ExecuTorch refuses a buffer that is larger, and reads past one that is smaller.
  if (count(storage) != facts.nbytes || storage == nullptr) {
    return invalid_file("its data has {} bytes instead of {}", count(storage), facts.nbytes);
  }
  if (reinterpret_cast<uintptr_t>(storage->data()) % dtype_size(facts.dtype) != 0) {
    return invalid_file("its data is not aligned for its type");
  }
  return {};
}

Status check_constant(const Tables& tables, uint32_t index, const TensorFacts& facts) {
  const auto* constants = tables.program.constant_segment();
  if (constants != nullptr && count(constants->offsets()) > 1) {
    return check_subsegment(tables, constants, index, facts);
  }
  return check_inline_constant(tables, index, facts);
}

// That a planned tensor is where its memory is.
Status check_place(const Tables& tables, const fb::ExecutionPlan& plan, const fb::Tensor& tensor,
                   TensorFacts& facts) {
  const auto text = [](fb::DeviceType type, int8_t index) {
    return type == fb::DeviceType::CPU ? std::string("the CPU") : fmt::format("cuda:{}", index);
  };
  std::string memory = text(fb::DeviceType::CPU, 0);
  if (plan.non_const_buffer_device() != nullptr) {
    SLIPWAY_RETURN_IF_ERROR(count_steps(tables, plan.non_const_buffer_device()->size()));
    for (const fb::NonConstBufferDevice* device : *plan.non_const_buffer_device()) {
      if (static_cast<uint32_t>(device->buffer_idx()) != facts.memory_id) continue;
      memory = text(device->device_type(), device->device_index());
      facts.on_device = device->device_type() != fb::DeviceType::CPU;
      break;
    }
  }
  const fb::ExtraTensorInfo* extra = tensor.extra_tensor_info();
  const std::string own = extra == nullptr ? text(fb::DeviceType::CPU, 0)
                                           : text(extra->device_type(), extra->device_index());
  if (own != memory) return invalid_file("it is on {}, and its memory on {}", own, memory);
  if (!facts.on_device || tensor.data_buffer_idx() == 0) return {};
  return unsupported(
      "it has an initial value and is on {}, where ExecuTorch's runtime can't put it", memory);
}

Status check_planned(const fb::ExecutionPlan& plan, const fb::AllocationDetails& allocation,
                     TensorFacts& facts) {
  const uint64_t offset = offset_of(allocation);
  const auto* memories = plan.non_const_buffer_sizes();
  if (allocation.memory_id() == 0 || allocation.memory_id() >= memories->size()) {
    return invalid_file("it is planned in memory {} of {}", allocation.memory_id(),
                        memories->size());
  }
  const auto size = static_cast<uint64_t>(memories->Get(allocation.memory_id()));
  if (!range_fits(offset, facts.nbytes, size)) {
    return invalid_file("its {} bytes at {} do not lie in the planned memory of {}", facts.nbytes,
                        offset, size);
  }
  if (offset % dtype_size(facts.dtype) != 0) {
    return invalid_file("its place in the planned memory is not aligned for its type");
  }
  facts.memory_id = allocation.memory_id();
  facts.memory_end = offset + facts.nbytes;
  return {};
}

}  // namespace

Result<TensorFacts> check_tensor(const Tables& tables, const fb::ExecutionPlan& plan,
                                 const fb::Tensor& tensor) {
  TensorFacts facts;
  SLIPWAY_RETURN_IF_ERROR(check_shape(tensor, facts));
  SLIPWAY_RETURN_IF_ERROR(check_extra(tensor));
  const uint32_t data = tensor.data_buffer_idx();
  facts.planned = tensor.allocation_info() != nullptr;
  facts.constant = data > 0 && !facts.planned;
  if (facts.planned) {
    SLIPWAY_RETURN_IF_ERROR(check_planned(plan, *tensor.allocation_info(), facts));
    SLIPWAY_RETURN_IF_ERROR(check_place(tables, plan, tensor, facts));
    if (data > 0) {
      // ExecuTorch takes initial values from the first of these segments, whatever the index says.
      const auto* extra = tensor.extra_tensor_info();
      if (extra != nullptr && extra->mutable_data_segments_idx() != 0) {
        return invalid_file("its initial value is not in the first of mutable_data_segments");
      }
      const auto* segments = tables.program.mutable_data_segments();
      SLIPWAY_RETURN_IF_ERROR(
          check_subsegment(tables, count(segments) > 0 ? segments->Get(0) : nullptr, data, facts));
    }
  }
  if (facts.constant && tensor.extra_tensor_info() != nullptr &&
      tensor.extra_tensor_info()->device_type() != fb::DeviceType::CPU) {
    return unsupported("it is a constant on another device than the CPU, which is not supported");
  }
  if (facts.constant) SLIPWAY_RETURN_IF_ERROR(check_constant(tables, data, facts));
  return facts;
}

}  // namespace slipway::pte
