#include "pte/emitter/constants.h"

#include <array>
#include <cstring>
#include <limits>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
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
  uint64_t size = data.nbytes();
  Identity identity{data.storage.bytes.data(), size, data.storage_offset, data.sizes, data.strides};
  auto same = same_storage_.find(identity);
  if (same != same_storage_.end()) return same->second;

  Candidate candidate{0, data, std::nullopt};
  // Strided data is compared by identity only: comparing it byte by byte would lay it out first.
  if (data.is_contiguous()) {
    for (Candidate& other : by_size_[size]) {
      if (!candidate.hash) candidate.hash = xxh3_hex(data.bytes());
      if (!other.hash) other.hash = xxh3_hex(other.data.bytes());
      if (*candidate.hash != *other.hash) continue;
      if (size == 0 || std::memcmp(data.bytes().data(), other.data.bytes().data(), size) == 0) {
        same_storage_.emplace(std::move(identity), other.index);
        return other.index;
      }
    }
  }
  SLIPWAY_ASSIGN_OR_RETURN(candidate.index, segment_.add(data));
  same_storage_.emplace(std::move(identity), candidate.index);
  if (data.is_contiguous()) by_size_[size].push_back(candidate);
  return candidate.index;
}

}  // namespace slipway::pte
