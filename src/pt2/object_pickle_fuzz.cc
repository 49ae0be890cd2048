#include <cstdint>

#include "pt2/object_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kTypes[] = {"a.b", "c.d"};
  (void)slipway::pt2::read_object({std::as_bytes(std::span(data, size)), nullptr}, kTypes, "input");
  return 0;
}
