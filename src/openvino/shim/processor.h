// What the processor can do, for engines that give wrong numbers where it can't.
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

// The line of /proc/cpuinfo that lists the features; all cores have the same.
inline std::string processor_features() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags") || line.starts_with("Features")) return line;
  }
  return {};
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

}  // namespace slipway::openvino
