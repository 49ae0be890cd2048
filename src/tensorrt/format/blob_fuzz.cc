// A blob that is read is written and read again: it must say the same, and its plan lies within.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "tensorrt/format/blob.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto blob = slipway::tensorrt::read_blob(bytes);
  if (!blob.ok()) return 0;
  auto written = slipway::tensorrt::write_header(blob->metadata, blob->plan.size());
  if (!written.ok()) std::abort();
  written->insert(written->end(), blob->plan.begin(), blob->plan.end());
  const auto again = slipway::tensorrt::read_blob(*written);
  if (!again.ok() || again->metadata != blob->metadata) std::abort();
  if (!std::ranges::equal(again->plan, blob->plan)) std::abort();
  return 0;
}
