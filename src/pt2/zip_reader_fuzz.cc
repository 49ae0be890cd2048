// Every entry of an archive is read; what is stored lies within it.
#include <cstdint>
#include <cstdlib>

#include "pt2/zip_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  auto zip = slipway::pt2::ZipReader::open({bytes, nullptr}, "input");
  if (!zip.ok()) return 0;
  for (const auto& entry : zip->entries()) {
    if (zip->find(entry.name) != &entry) std::abort();
    const auto content = zip->read(entry);
    if (content.ok() && content->bytes.size() != entry.size) std::abort();
  }
  return 0;
}
