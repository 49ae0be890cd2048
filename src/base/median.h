#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace slipway {

// Of some, at least one; of two in the middle the greater one.
inline double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), middle, numbers.end());
  return *middle;
}

}  // namespace slipway
