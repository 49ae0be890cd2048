// Plans as an ExecuTorch program: the part of the file that is a flatbuffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pte/emitter/plan.h"
#include "slipway/result.h"

namespace slipway::pte {

struct SegmentPlace {
  uint64_t offset = 0;  // from the segments' base
  uint64_t size = 0;
};
// Data within a segment, as tensors refer to it.
struct Subsegments {
  uint32_t segment = 0;
  std::vector<uint64_t> offsets;
};
struct NamedSegment {
  std::string key;
  uint32_t segment = 0;
};

struct ProgramParts {
  std::vector<const Plan*> plans;
  std::vector<SegmentPlace> segments;
  uint64_t base_alignment = 0;  // of the segments' base in the file
  uint32_t first_engine = 0;    // the segment of engine 0; the others follow
  Subsegments constants;
  std::optional<Subsegments> mutable_data;  // ExecuTorch reads the first one only
  std::vector<NamedSegment> named_data;
};

// The file's first bytes: the flatbuffer with the extended header in it, for segments that begin at
// the next multiple of base_alignment.
Result<std::vector<std::byte>> write_program(const ProgramParts& parts);

}  // namespace slipway::pte
