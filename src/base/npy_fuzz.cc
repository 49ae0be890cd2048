// A tensor that was read is written and read again: it must be the same.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/npy_pieces.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensor = slipway::read_npy(std::as_bytes(std::span(data, size)), "input");
  if (!tensor.ok()) return 0;
  const auto written = slipway::write_to_memory(*slipway::npy_pieces(*tensor));
  const auto again = slipway::read_npy(*written, "written");
  if (!again.ok() || again->sizes() != tensor->sizes() || again->dtype() != tensor->dtype() ||
      std::memcmp(again->data(), tensor->data(), tensor->nbytes()) != 0) {
    std::abort();
  }
  return 0;
}
