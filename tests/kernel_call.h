// Calls of a kernel with arguments that no compiler would give it, drawn for its schema.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "mutants.h"
#include "schema/schema.h"

namespace slipway::mutants {

inline constexpr std::array<int64_t, 24> kOddInts = {
    -1,        -2,        -5,        0,         6,         7,         8,       31,
    32,        63,        64,        65,        127,       128,       255,     1000,
    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1LL << 31, 1LL << 32, 1000000, -1000000};
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr std::array<double, 18> kOddDoubles = {
    0.0,    -0.0,   1.0,       -1.0,       2.0,    0.5,
    -2.5,   1e-3,   255.0,     1e10,       -1e10,  1e300,
    -1e300, 5e-324, kInfinity, -kInfinity, 9.3e18, std::numeric_limits<double>::quiet_NaN()};

template <class T, size_t N>
T any_of(Random& random, const std::array<T, N>& choices) {
  return choices[below(random, N)];
}
inline int64_t between(Random& random, int64_t first, int64_t last) {
  return first + static_cast<int64_t>(below(random, static_cast<size_t>(last - first + 1)));
}

struct KernelCall {
  std::string file;  // a .pte of one method, "forward", that makes the call
  std::string text;  // its arguments, for whoever looks for the cause
};

// Some calls are as the kernel wants them, as far as its schema says it; in others each argument
// is, now and then, of any other kind. The state of the method is memory around the results, full
// of kRedByte, which the call must leave as it is.
inline constexpr auto kRedByte = std::byte{0xa5};
KernelCall draw_kernel_call(const schema::Schema& kernel, Random& random);

}  // namespace slipway::mutants
