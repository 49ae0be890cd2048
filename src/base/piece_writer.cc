#include "base/piece_writer.h"

#include <algorithm>
#include <array>
#include <new>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/try.h"

namespace slipway {
namespace {

// Fits into a processor's own cache, so that a checksum finds there what is then written.
constexpr size_t kChunk = size_t{256} << 10;

// Has all pages mapped at once: faults for one after the other would take half as long as writing
// them. Where the system doesn't know how, nothing happens.
void map_pages(std::span<const std::byte> bytes) {
  static const auto kPageSize = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t before = reinterpret_cast<uintptr_t>(bytes.data()) % kPageSize;
  auto* const start = const_cast<std::byte*>(bytes.data() - before);
  ::madvise(start, bytes.size() + before, MADV_POPULATE_READ);
}

Status send(std::span<const std::byte> bytes, const ByteSink& sink) {
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), kChunk);
    map_pages(bytes.first(count));
    SLIPWAY_RETURN_IF_ERROR(sink(bytes.first(count)));
    bytes = bytes.subspan(count);
  }
  return {};
}

Status send_zeros(uint64_t count, const ByteSink& sink) {
  static constexpr std::array<std::byte, 4096> kZeros = {};
  while (count > 0) {
    const auto step = static_cast<size_t>(std::min<uint64_t>(count, kZeros.size()));
    SLIPWAY_RETURN_IF_ERROR(sink(std::span(kZeros).first(step)));
    count -= step;
  }
  return {};
}

Status produce(uint64_t promised, const ByteProducer& producer, const ByteSink& sink) {
  uint64_t produced = 0;
  const ByteSink counting_sink = [&](std::span<const std::byte> bytes) -> Status {
    if (bytes.size() > promised - produced) {
      return internal_error("a producer wrote more than the {} bytes it promised", promised);
    }
    produced += bytes.size();
    return sink(bytes);
  };
  SLIPWAY_RETURN_IF_ERROR(producer(counting_sink));
  if (produced != promised) {
    return internal_error("a producer wrote {} of the {} bytes it promised", produced, promised);
  }
  return {};
}

}  // namespace

uint64_t PieceList::add(OwnedSpan span) {
  const uint64_t offset = size_;
  size_ += span.bytes.size();
  pieces_.push_back({span.bytes.size(), std::move(span)});
  return offset;
}

uint64_t PieceList::add(uint64_t size, ByteProducer producer) {
  const uint64_t offset = size_;
  size_ += size;
  pieces_.push_back({size, std::move(producer)});
  return offset;
}

void PieceList::align(uint64_t alignment) {
  const uint64_t gap = (alignment - size_ % alignment) % alignment;
  if (gap == 0) return;
  size_ += gap;
  pieces_.push_back({gap, std::monostate()});
}

Status PieceList::write(const ByteSink& sink) const {
  for (const Piece& piece : pieces_) {
    if (const auto* span = std::get_if<OwnedSpan>(&piece.content)) {
      SLIPWAY_RETURN_IF_ERROR(send(span->bytes, sink));
    } else if (const auto* producer = std::get_if<ByteProducer>(&piece.content)) {
      SLIPWAY_RETURN_IF_ERROR(produce(piece.size, *producer, sink));
    } else {
      SLIPWAY_RETURN_IF_ERROR(send_zeros(piece.size, sink));
    }
  }
  return {};
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
