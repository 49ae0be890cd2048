// Files written as a list of pieces: nothing is assembled in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "slipway/result.h"

namespace slipway {

// Called with the bytes written so far and the total.
using WriteProgress = std::function<void(uint64_t, uint64_t)>;

// Pieces in order, each at an explicit offset; gaps are zeros.
class PieceList {
 public:
  // Each appends at the current end and gives the piece's offset.
  uint64_t add(ByteSource source);
  uint64_t add(uint64_t size, ByteProducer producer);
  // `producer` sends all bytes of the content, and does something with them besides.
  uint64_t add(const PieceList& content, ByteProducer producer);
  // Zeros up to the next multiple of `alignment`, a power of two.
  void align(uint64_t alignment);
  // Zeros up to this offset, which is not before the end.
  void pad_to(uint64_t offset);

  uint64_t size() const { return size_; }
  // Where the span is added that begins with this byte.
  std::optional<uint64_t> offset_of(const std::byte* first) const;

  // Sends all bytes to the sink, as ByteSource::write() does.
  Status write(const ByteSink& sink) const;

 private:
  std::vector<ByteSource> pieces_;
  std::map<const std::byte*, uint64_t> spans_;  // their offsets, by their first bytes
  uint64_t size_ = 0;
};

// The pieces as one source.
ByteSource source_of(PieceList pieces);

// Writes `path` atomically: a temporary file beside it, fsync, rename, fsync of the folder. On an
// error nothing is left and an earlier file at `path` is untouched. Since the target is replaced
// and never overwritten, pieces may be spans of the file at `path` itself.
Status write_file(const std::string& path, const PieceList& pieces,
                  const WriteProgress& progress = {});
Status write_file(const std::string& path, std::span<const std::byte> bytes);
Status write_file(const std::string& path, const std::string& text);

// The same bytes in memory, for small artefacts and for running without a file.
Result<std::vector<std::byte>> write_to_memory(const PieceList& pieces);

}  // namespace slipway
