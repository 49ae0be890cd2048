// What the checks of one file share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "engine/description.h"
#include "engine/manifest.h"
#include "pte/format/limits.h"
#include "pte/format/program_generated.h"
#include "pte/format/vectors.h"

namespace slipway::pte {

namespace fb = executorch_flatbuffer;

struct Segment {
  uint64_t offset = 0;  // from the file's first byte
  uint64_t size = 0;
};

// Tables that flatbuffers::Verifier accepted, and the segments they speak of.
struct Tables {
  const fb::Program& program;
  std::vector<Segment> segments;
  std::span<const std::byte> file;
  bool trust = false;
  const engine::Manifest* manifest = nullptr;  // not yet compared with the methods
  // What the checks of all methods took so far. Methods may share their tables, so that each is as
  // large as the file.
  mutable uint64_t steps = 0;
  mutable size_t inputs = 0;
  mutable size_t outputs = 0;
  // Of the memory that methods may share: how large the largest is, and where its tensors end.
  mutable uint64_t shared_size = 0;
  mutable uint64_t shared_end = 0;
  // Blobs of delegates that passed, by where they begin, and the file's named data.
  mutable std::unordered_map<const std::byte*, std::vector<engine::BlobEnd>> blobs = {};
  mutable std::unordered_map<std::string_view, uint64_t> named_sizes = {};
};

inline Status count_steps(const Tables& tables, uint64_t steps) {
  tables.steps += steps;
  if (tables.steps > kMaxSteps) return invalid_file("it takes too many steps to check");
  return {};
}

// A string that must be there, within the limit and without NULs, which would end it early for
// ExecuTorch.
inline Status check_text(const flatbuffers::String* text, std::string_view what,
                         size_t limit = kMaxName) {
  if (text == nullptr) return invalid_file("{} is missing", what);
  if (text->size() > limit) return invalid_file("{} has {} bytes", what, text->size());
  if (text->string_view().find('\0') != std::string_view::npos) {
    return invalid_file("{} has a NUL in it", what);
  }
  return {};
}

// The CPU, or a CUDA device.
inline Status check_device(fb::DeviceType type, int8_t index) {
  if (type == fb::DeviceType::CPU && index == 0) return {};
  if (type == fb::DeviceType::CUDA && index >= 0) return {};
  return unsupported("it lies on a device of kind {}, number {}, which is not supported",
                     static_cast<int>(type), index);
}

}  // namespace slipway::pte
