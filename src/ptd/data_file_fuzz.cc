// Reads the bytes as a data file, and all of what it then has.
#include <cstdint>
#include <span>
#include <vector>

#include "ptd/data_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto view = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> aligned(view.begin(), view.end());
  const auto file = slipway::ptd::DataFile::read({aligned, nullptr}, "fuzz");
  if (!file.ok()) return 0;
  uint64_t total = 0;
  for (const auto& entry : file->entries()) {
    total += entry.key.size() + file->find(entry.key)->size();
    for (const std::byte byte : entry.bytes) total += static_cast<uint64_t>(byte);
  }
  volatile uint64_t result = total;
  static_cast<void>(result);
  return 0;
}
