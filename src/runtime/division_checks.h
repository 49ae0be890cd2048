// What ExecuTorch's kernels that divide take for granted: integers have no quotient by zero, and
// complex numbers are divided in one type and shape. Each check says what is wrong with the
// arguments of a call; null: nothing.
#pragma once

#include <executorch/runtime/core/evalue.h>
#include <executorch/runtime/core/span.h>

namespace slipway::runtime {

// (a, b, ...): a divided by b, in integers.
const char* check_division(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (self, other, out): PyTorch's quotient, a floating-point number.
const char* check_quotient(executorch::runtime::Span<executorch::runtime::EValue*> args);

// (self, other, rounding_mode, out)
const char* check_rounded_quotient(executorch::runtime::Span<executorch::runtime::EValue*> args);

}  // namespace slipway::runtime
