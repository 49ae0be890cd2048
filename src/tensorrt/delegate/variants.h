// Plans that are not in a delegate's own blob: named data of the program, or of a data file.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <executorch/runtime/core/freeable_buffer.h>
#include <executorch/runtime/core/named_data_map.h>

#include "slipway/result.h"
#include "tensorrt/format/blob.h"

namespace slipway::tensorrt {

// Bytes under a key; kNotFound where there are none. `map` may be null.
Result<executorch::runtime::FreeableBuffer> named_data(const executorch::runtime::NamedDataMap* map,
                                                       const std::string& key);

inline std::span<const std::byte> bytes_of(const executorch::runtime::FreeableBuffer& buffer) {
  return {static_cast<const std::byte*>(buffer.data()), buffer.size()};
}

// Of one engine, for other GPUs.
struct Variant {
  std::string key;      // of its blob
  std::string targets;  // "sm_80,sm_86"
};
// Those of the engine with this digest (docs/formats/manifest.md).
std::vector<Variant> find_variants(const executorch::runtime::NamedDataMap* map,
                                   const std::string& sha256);

// Whether targets, such as "sm_80,sm_86", are for a GPU of this compute capability.
bool is_for(const std::string& targets, int capability);

}  // namespace slipway::tensorrt
