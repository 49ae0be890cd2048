// The constants of all methods, each stored once, and the data that mutable buffers start with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "ir/equal_constants.h"
#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::pte {

// Data that lies one after the other in a segment. Holds the mappings, not the bytes.
class SegmentData {
 public:
  // The index that tensors refer to it by; 0 stands for no data. An error when the segment grows
  // past 63 bits.
  Result<uint32_t> add(const ir::ConstantData& data);
  bool empty() const { return entries_.empty(); }
  // One an index, 0 included; multiples of 16.
  std::vector<uint64_t> offsets() const;
  // At least 1: ExecuTorch takes a segment without bytes for one that is missing, even if all that
  // refers to it is empty.
  uint64_t size() const { return std::max<uint64_t>(size_, 1); }
  // All bytes, in order; independent of this object.
  ByteProducer producer() const;

 private:
  struct Entry {
    ir::ConstantData data;
    uint64_t offset = 0;
    uint64_t size = 0;
  };
  std::vector<Entry> entries_;
  uint64_t size_ = 0;
};

class ConstantPool {
 public:
  // The index of the constant, that of an equal one if there is. `name` is for errors.
  Result<uint32_t> add(const ir::ConstantData& data, const std::string& name);
  const SegmentData& segment() const { return segment_; }

 private:
  ir::EqualConstants constants_;
  SegmentData segment_;
};

}  // namespace slipway::pte
