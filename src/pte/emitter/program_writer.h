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
  // Of the segments' base in the file; it is no less than this.
  uint64_t base_alignment = 0;
  uint64_t least_base = 0;
  std::vector<uint32_t> engines;  // the segment of each
  Subsegments constants;
  std::optional<Subsegments> mutable_data;  // ExecuTorch reads the first one only
  std::vector<NamedSegment> named_data;
};

// The file's first bytes: the flatbuffer with the extended header in it, for segments that begin at
// segment_base().
Result<std::vector<std::byte>> write_program(const ProgramParts& parts);
// Of a program of so many bytes.
uint64_t segment_base(const ProgramParts& parts, uint64_t program_size);

}  // namespace slipway::pte
