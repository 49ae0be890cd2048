// Calls of ExecuTorch's kernels over tensors without elements, which some kernels refuse and others
// complain about on stderr. Each does such a call itself and gives kDone, or says what is wrong
// with it; null: it is the kernel's.
#pragma once

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

namespace slipway::runtime {

inline constexpr char kDone[] = "done";

// (self, dim, index, sparse_grad, out)
const char* gather_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (self, dim, index, src, out), also of scatter by a number and scatter_add
const char* scatter_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (self, dim, index, out): index_select
const char* select_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (self, pad, value, out)
const char* pad_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (self, output_size, out): _adaptive_avg_pool2d
const char* pool_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (a, b, out): matrices, or batches of them
const char* multiply_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (input, weight, bias, out)
const char* apply_linear_to_nothing(executorch::runtime::Span<executorch::runtime::EValue*> args);

}  // namespace slipway::runtime
