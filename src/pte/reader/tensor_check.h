// Tensors: types, sizes, and the memory behind them.
#pragma once

#include <cstdint>

#include "pte/reader/tables.h"
#include "slipway/tensor.h"

namespace slipway::pte {

// What the rest needs to know of a tensor that passed.
struct TensorFacts {
  DType dtype = DType::kFloat32;
  size_t rank = 0;
  uint64_t nbytes = 0;  // at its largest
  bool dynamic = false;
  // Where its memory comes from. Neither: a pointer given at run time.
  bool constant = false;  // in the file: must not be written to
  bool planned = false;
  // Planned tensors: which memory, and where they end in it.
  uint32_t memory_id = 0;
  uint64_t memory_end = 0;
  bool on_device = false;  // that memory is a CUDA device's
};

// Checks everything of a tensor: its data's place in segments and in the plan's memory included.
Result<TensorFacts> check_tensor(const Tables& tables, const fb::ExecutionPlan& plan,
                                 const fb::Tensor& tensor);

}  // namespace slipway::pte
