#include "pte/emitter/constants.h"

#include <array>
#include <limits>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"
#include "pte/format/layout.h"

namespace slipway::pte {

namespace {

Status write_zeros(const ByteSink& sink, uint64_t count) {
  static constexpr std::array<std::byte, kTensorAlignment> kZeros{};
  return count == 0 ? Status() : sink(std::span(kZeros).first(count));
}

}  // namespace

Result<uint32_t> SegmentData::add(const ir::ConstantData& data) {
  auto offset = checked_align(size_, kTensorAlignment);
  Entry entry{data, offset.value_or(0), data.nbytes()};
  auto end = offset ? checked_add(*offset, entry.size) : std::nullopt;
  // Expanded tensors may be far larger than their storage.
  if (!end || *end > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return resource_exhausted("the program's constants do not fit in a file");
  }
  size_ = *end;
  entries_.push_back(std::move(entry));
  return static_cast<uint32_t>(entries_.size());
}

std::vector<uint64_t> SegmentData::offsets() const {
  std::vector<uint64_t> result = {0};
  for (const Entry& entry : entries_) result.push_back(entry.offset);
  return result;
}

ByteProducer SegmentData::producer() const {
  return [entries = entries_, size = size()](const ByteSink& sink) -> Status {
    uint64_t position = 0;
    for (const Entry& entry : entries) {
      SLIPWAY_RETURN_IF_ERROR(write_zeros(sink, entry.offset - position));
      SLIPWAY_RETURN_IF_ERROR(entry.data.source().write(sink));
      position = entry.offset + entry.size;
    }
    return write_zeros(sink, size - position);
  };
}

Result<uint32_t> ConstantPool::add(const ir::ConstantData& data, const std::string& name) {
  if (Status checked = data.check(); !checked.ok()) {
    return checked.error().with_context(
        name + " (were the weights saved? an archive of fake tensors can't be compiled)");
  }
  const size_t stored = constants_.size();
  SLIPWAY_ASSIGN_OR_RETURN(const size_t number, constants_.add(data));
  // Index 0 stands for no data.
  if (number < stored) return static_cast<uint32_t>(number + 1);
  return segment_.add(data);
}

}  // namespace slipway::pte
