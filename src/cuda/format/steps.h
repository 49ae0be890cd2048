// What the steps of an engine have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cuda/format/engine_generated.h"

namespace slipway::cuda {

// That computes a step; the engine's own kernels are none.
enum class Library : uint8_t { kNone, kCublasLt, kCudnn };

struct StepInfo {
  std::string_view origin;
  std::string_view plan;
  uint32_t choice = 0;  // counted from 1; 0: none decides whether it runs
  uint8_t alternative = 0;
  std::string_view target;  // of the only image in which it can run; empty: in all
  Library library = Library::kNone;
};
StepInfo info_of(const table::StepUnion& step);

// Which of its tensors it writes.
size_t result_of(const table::LibraryGraphT& graph);

// Buffers.
std::vector<uint32_t> reads_of(const table::StepUnion& step);
std::vector<uint32_t> writes_of(const table::StepUnion& step);

}  // namespace slipway::cuda
