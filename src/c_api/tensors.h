// Tensors as DLPack has them, and values of the C interface.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "slipway/result.h"
#include "slipway/slipway_c.h"
#include "slipway/tensor.h"

namespace slipway::c_api {

// Of memory that `tensor` keeps; kInvalidArgument, which says what to do, for tensors that are not
// in memory of the host or of a CUDA device, not contiguous, or of a type that there is not.
Result<Tensor> from_dlpack(const DLManagedTensorVersioned& tensor);
// Shares the memory, and keeps `owner`.
DLManagedTensorVersioned* to_dlpack(const Tensor& tensor, std::shared_ptr<const void> owner);
DLDevice to_dlpack(const Device& device);

Result<std::vector<Value>> from_c(std::span<const slipway_value> values);
// Nothing is left behind where it throws. The tensors keep `owner`.
void to_c(const std::vector<Value>& values, const std::shared_ptr<const void>& owner,
          slipway_value* to);

slipway_kind kind_of(const Value& value);

}  // namespace slipway::c_api
