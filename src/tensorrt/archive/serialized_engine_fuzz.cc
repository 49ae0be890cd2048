#include <algorithm>
#include <cstdint>
#include <vector>

#include "tensorrt/archive/serialized_engine.h"

// The items, each ended by a zero.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string_view> items;
  for (std::string_view rest(reinterpret_cast<const char*>(data), size); !rest.empty();) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    items.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  (void)slipway::tensorrt::read_serialized_engine(items, nullptr);
  return 0;
}
