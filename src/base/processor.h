// What the processor of this machine can do, as Linux names it. All is inline: libraries of
// delegates include it, and have nothing of this layer linked in.
#pragma once

#include <fstream>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

namespace slipway {

// What this is compiled for, as archives and blobs name it; its end is what `uname -m` prints.
#if defined(__aarch64__)
inline constexpr std::string_view kPlatform = "linux_aarch64";
#else
inline constexpr std::string_view kPlatform = "linux_x86_64";
#endif
inline constexpr std::string_view kMachine = kPlatform.substr(sizeof("linux"));

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

// "Intel(R) Xeon(R) Platinum 8481C, 2 threads": of the processor, or of the board where that alone
// has a name, as on Arm. The threads are those that this process may use.
inline std::string processor_name() {
  std::string name;
  std::map<std::string, std::string> fields;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    const size_t end = line.find_last_not_of(" \t", colon == 0 ? 0 : colon - 1);
    if (colon == std::string::npos || colon + 2 > line.size() || end == std::string::npos) continue;
    fields.try_emplace(line.substr(0, end + 1), line.substr(colon + 2));
  }
  if (fields.contains("model name")) {
    name = fields["model name"];
  } else if (std::ifstream board("/sys/firmware/devicetree/base/model");
             !std::getline(board, name, '\0') || name.empty()) {
    name = "processor " + fields["CPU implementer"] + " " + fields["CPU part"];
  }
  return name + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads";
}

}  // namespace slipway
