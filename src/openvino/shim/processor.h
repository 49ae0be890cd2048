// What the processor can do: engines are built by it, and some give wrong numbers where it can't.
#pragma once

#include <fstream>
#include <string>
#include <string_view>

namespace slipway::openvino {

// Engines with products of 8-bit integers name these in the compile spec of this key: x86-64
// processors with none of them add up such products in 16 bits, which saturate, and the plugin does
// not say so.
inline constexpr const char* kAnyFeature = "any_processor_feature";
inline constexpr const char* kInt8Features = "avx512_vnni,avx_vnni";

// The line of /proc/cpuinfo that lists the features; all cores have the same, and it is read once.
inline const std::string& processor_features() {
  static const std::string kFeatures = [] {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("flags") || line.starts_with("Features")) return line;
    }
    return std::string();
  }();
  return kFeatures;
}

// Whether the processor has one of the features, which are separated by commas.
inline bool has_any_feature(std::string_view names) {
  const std::string features = processor_features() + ' ';
  while (!names.empty()) {
    const std::string name(names.substr(0, names.find(',')));
    if (features.find(' ' + name + ' ') != std::string::npos) return true;
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
inline std::string capabilities() {
  const std::string features = processor_features() + ' ';
  std::string text;
  for (const char* feature : kKernelFeatures) {
    if (features.find(std::string(" ") + feature + ' ') == std::string::npos) continue;
    text += (text.empty() ? "" : " ") + std::string(feature);
  }
  return text;
}

}  // namespace slipway::openvino
