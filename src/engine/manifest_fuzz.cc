// A manifest that was read is written and read again: it must be the same text. The checksum is put
// right first, so that what lies behind it is reached.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "base/hash.h"
#include "engine/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.rfind(",\"xxh3\":\"");
  if (end != std::string::npos) text.resize(end);
  text += ",\"xxh3\":\"" + slipway::xxh3_hex(std::as_bytes(std::span<const char>(text))) + "\"}";
  const auto manifest = slipway::engine::read_manifest(text);
  if (!manifest.ok()) return 0;
  const std::string written = slipway::engine::write_manifest(*manifest);
  const auto again = slipway::engine::read_manifest(written);
  if (!again.ok() || slipway::engine::write_manifest(*again) != written) std::abort();
  return 0;
}
