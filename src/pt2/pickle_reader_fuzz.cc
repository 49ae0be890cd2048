#include <cstdint>

#include "pt2/pickle_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)slipway::pt2::read_tensor_dict(std::as_bytes(std::span(data, size)), "input");
  return 0;
}
