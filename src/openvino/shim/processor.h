// What the processor can do: engines are built by it, and some give wrong numbers where it can't.
#pragma once

#include <string>
#include <string_view>

#include "base/processor.h"

namespace slipway::openvino {

// Engines with products of 8-bit integers name these in the compile spec of this key: x86-64
// processors with none of them add up such products in 16 bits, which saturate, and the plugin does
// not say so.
inline constexpr const char* kAnyFeature = "any_processor_feature";
inline constexpr const char* kInt8Features = "avx512_vnni,avx_vnni";

// Whether the processor has one of the features, which are separated by commas.
inline bool has_any_feature(std::string_view names) {
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find(',')));
    if (processor_features().contains(name)) return true;
    names.remove_prefix(name.size() < names.size() ? name.size() + 1 : names.size());
  }
  return false;
}

// What OpenVINO chooses kernels by, as Linux names it.
inline constexpr const char* kKernelFeatures[] = {
    "sse4_1",   "avx",      "avx2",     "fma",         "avx_vnni",    "avx512f",
    "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_int8", "amx_bf16", "amx_fp16",    "asimd",       "asimddp",
    "asimdhp",  "i8mm",     "bf16",     "sve",         "sve2"};

// Those of them that the processor has.
inline std::string capabilities() { return processor_features(kKernelFeatures); }

}  // namespace slipway::openvino
