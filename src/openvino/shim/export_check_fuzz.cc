// Checks a graph of OpenVINO: what the check reads lies within.
#include <cstdint>
#include <string_view>

#include "openvino/shim/export_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    slipway::openvino::shim::check_graph({reinterpret_cast<const char*>(data), size}, size);
  } catch (const slipway::openvino::shim::DamagedGraph&) {
    return 0;
  }
  return 0;
}
