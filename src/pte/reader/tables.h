// What the checks of one file share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <flatbuffers/flatbuffers.h>

#include "base/error.h"
#include "engine/manifest.h"
#include "pte/format/program_generated.h"
#include "pte/reader/limits.h"

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
  bool trust = false;
  const engine::Manifest* manifest = nullptr;  // not yet compared with the methods
  // What the checks of all methods took so far. Methods may share their tables, so that each is as
  // large as the file.
  mutable uint64_t steps = 0;
  mutable size_t inputs = 0;
  mutable size_t outputs = 0;
};

inline Status count_steps(const Tables& tables, uint64_t steps) {
  tables.steps += steps;
  if (tables.steps > kMaxSteps) return invalid_file("it takes too many steps to check");
  return {};
}

// A flatbuffer vector that is absent has no items.
template <class T>
size_t count(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

// flatbuffers::Verifier aligns tables and the starts of vectors, but not their wider items. The
// builder does not align an empty vector, which nobody reads.
template <class T>
Status check_aligned(const flatbuffers::Vector<T>& vector) {
  if (vector.size() != 0 && reinterpret_cast<uintptr_t>(vector.Data()) % sizeof(T) != 0) {
    return invalid_file("a list is not aligned for its items");
  }
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

inline std::string_view view(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

}  // namespace slipway::pte
