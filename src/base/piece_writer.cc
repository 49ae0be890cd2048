#include "base/piece_writer.h"

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/try.h"

namespace slipway {
namespace {

Status send_zeros(uint64_t count, const ByteSink& sink) {
  static constexpr std::array<std::byte, 4096> kZeros = {};
  while (count > 0) {
    const auto step = static_cast<size_t>(std::min<uint64_t>(count, kZeros.size()));
    SLIPWAY_RETURN_IF_ERROR(sink(std::span(kZeros).first(step)));
    count -= step;
  }
  return {};
}

}  // namespace

uint64_t PieceList::add(ByteSource source) {
  const uint64_t offset = size_;
  size_ += source.size();
  if (const OwnedSpan* span = source.span(); span && source.size() > 0) {
    spans_.try_emplace(span->bytes.data(), offset);
  }
  pieces_.emplace_back(std::move(source));
  return offset;
}

uint64_t PieceList::add(uint64_t size, ByteProducer producer) {
  return add(ByteSource(size, std::move(producer)));
}

uint64_t PieceList::add(const PieceList& content, ByteProducer producer) {
  for (const auto& [first, offset] : content.spans_) spans_.try_emplace(first, size_ + offset);
  return add(content.size(), std::move(producer));
}

void PieceList::align(uint64_t alignment) {
  pad_to(size_ + (alignment - size_ % alignment) % alignment);
}

void PieceList::pad_to(uint64_t offset) {
  const uint64_t gap = offset - size_;
  if (gap > 0) add(gap, [gap](const ByteSink& sink) { return send_zeros(gap, sink); });
}

std::optional<uint64_t> PieceList::offset_of(const std::byte* first) const {
  const auto known = spans_.find(first);
  return known == spans_.end() ? std::nullopt : std::optional(known->second);
}

Status PieceList::write(const ByteSink& sink) const {
  for (const ByteSource& piece : pieces_) SLIPWAY_RETURN_IF_ERROR(piece.write(sink));
  return {};
}

ByteSource source_of(PieceList pieces) {
  const uint64_t size = pieces.size();
  return {size, [pieces = std::move(pieces)](const ByteSink& sink) { return pieces.write(sink); }};
}

Result<std::vector<std::byte>> write_to_memory(const PieceList& pieces) {
  std::vector<std::byte> bytes;
  try {
    bytes.reserve(pieces.size());
  } catch (const std::exception&) {
    return resource_exhausted("no memory for {} bytes: write a file instead", pieces.size());
  }
  SLIPWAY_RETURN_IF_ERROR(pieces.write([&](std::span<const std::byte> chunk) -> Status {
    bytes.insert(bytes.end(), chunk.begin(), chunk.end());
    return {};
  }));
  return bytes;
}

}  // namespace slipway
