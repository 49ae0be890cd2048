// Kernel calls against the kernels' schemas.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pte/reader/value_check.h"
#include "schema/schema.h"

namespace slipway::pte {

// The values as they are when the call runs.
class ValueView {
 public:
  virtual ~ValueView() = default;
  virtual ValueKinds kinds(int32_t value) const = 0;
  virtual const TensorFacts& tensor(int32_t value) const = 0;
  virtual const fb::EValue& stored(int32_t value) const = 0;
  // The number that an int is in every run, or nothing.
  virtual std::optional<int64_t> constant_int(int32_t value) const = 0;
};

// A value that a call writes, and what it is then.
struct Write {
  int32_t value = 0;
  ValueKinds kinds = kNone;
};

// Checks count, kinds and lists' items of the arguments, whose indices are in range. Gives what the
// call writes besides tensors' bytes.
Result<std::vector<Write>> check_kernel_call(const schema::Schema& kernel,
                                             std::span<const int32_t> args,
                                             const ValueView& values);

}  // namespace slipway::pte
