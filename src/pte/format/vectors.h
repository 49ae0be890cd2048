// Vectors and strings of a flatbuffer that may be absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <flatbuffers/flatbuffers.h>

#include "base/error.h"

namespace slipway::pte {

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

inline std::string_view view(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

}  // namespace slipway::pte
