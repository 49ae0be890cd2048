// What the processor of this machine can do, as Linux names it. All is inline: libraries of
// delegates include it, and have nothing of this layer linked in.
#pragma once

#include <fstream>
#include <set>
#include <span>
#include <sstream>
#include <string>

namespace slipway {

// Of the first processor; all have the same. Empty where /proc/cpuinfo does not say. Read once.
inline const std::set<std::string>& processor_features() {
  static const std::set<std::string> kFeatures = [] {
    std::set<std::string> features;
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; features.empty() && std::getline(file, line);) {
      if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
      std::istringstream words(line.substr(line.find(':') + 1));
      for (std::string word; words >> word;) features.insert(word);
    }
    return features;
  }();
  return kFeatures;
}

// Those of the names that the processor has, with spaces between them.
inline std::string processor_features(std::span<const char* const> names) {
  std::string text;
  for (const char* name : names) {
    if (processor_features().contains(name)) text += (text.empty() ? "" : " ") + std::string(name);
  }
  return text;
}

}  // namespace slipway
