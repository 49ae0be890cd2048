#include "base/byte_source.h"

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

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
  if (bytes.size() <= kPageSize) return;
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

ByteSource::ByteSource(OwnedSpan span) : size_(span.bytes.size()), content_(std::move(span)) {}

ByteSource::ByteSource(uint64_t size, ByteProducer producer)
    : size_(size), content_(std::move(producer)) {}

Status ByteSource::write(const ByteSink& sink) const {
  const OwnedSpan* lying = span();
  if (lying != nullptr) return send(lying->bytes, sink);
  return produce(size_, std::get<ByteProducer>(content_), sink);
}

}  // namespace slipway
