// Whether an engine computes what ExecuTorch's kernels do, on generated inputs.
#pragma once

#include <cstdint>
#include <string>

#include "compile/part_program.h"
#include "engine_build/builder.h"
#include "ir/program.h"
#include "partition/integer_ranges.h"
#include "partition/partition.h"
#include "slipway/result.h"

namespace slipway {

struct Verdict {
  enum class Kind : uint8_t { kEqual, kDifferent, kNotMade };
  Kind kind = Kind::kEqual;
  // kDifferent: which output, by how much, of which inputs. kNotMade: why.
  std::string text;
};

// Runs both on inputs of the smallest, the middle and the largest sizes that take at most
// `most_multiply_adds`: random numbers, small and large, and zeros, the same at every call.
// Floating-point outputs may differ by a share of the largest magnitude in them (or of 1): a
// thousandth, a hundredth in float16, five hundredths in bfloat16, two hundredths where the part
// quantizes, and ten times that where the inputs are zeros; integers may not, but for int8 and
// uint8, by two; NaN and infinities are equal
// to themselves. Inputs that the kernels refuse are left out, and so is what follows from the order
// that a sort gives equal elements. An engine may refuse tensors without elements, but not give
// something else of them.
//
// An error only where memory is short.
Result<Verdict> check_engine(const ir::Program& program, const partition::IntegerRanges& ranges,
                             const engine_build::Builder& builder, const EngineOfPart& engine,
                             uint64_t most_multiply_adds);

// How many multiplications and additions a part takes at the largest sizes of `ranges`, roughly:
// one for each element that a node takes or makes, times the length of the sums of products and
// convolutions. The largest number where a size has no largest value.
uint64_t count_multiply_adds(const partition::Partition& part, const ir::SymbolRanges& ranges);

}  // namespace slipway
