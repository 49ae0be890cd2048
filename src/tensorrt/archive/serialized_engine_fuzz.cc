#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tensorrt/archive/metadata.h"
#include "tensorrt/archive/serialized_engine.h"

// The items, each ended by a zero.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string_view> items;
  for (std::string_view rest(reinterpret_cast<const char*>(data), size); !rest.empty();) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    items.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const auto engine = slipway::tensorrt::read_serialized_engine(items, nullptr);
  if (!engine.ok()) return 0;
  (void)slipway::tensorrt::note_of(engine->metadata);
  // What can be written again is as large as it was.
  const auto written = slipway::tensorrt::write_serialized_engine(*engine);
  if (written.ok() && written->size() != items.size()) std::abort();
  return 0;
}
