// Files written as a list of pieces: nothing is assembled in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway {

// Takes consecutive bytes; an error stops the writing and is passed on.
using ByteSink = std::function<Status(std::span<const std::byte>)>;
// Writes exactly the promised number of bytes into the sink, in chunks of its choice, the same
// bytes at every call.
using ByteProducer = std::function<Status(const ByteSink&)>;
// Called with the bytes written so far and the total.
using WriteProgress = std::function<void(uint64_t, uint64_t)>;

// Pieces in order, each at an explicit offset; gaps are zeros.
class PieceList {
 public:
  // Each appends at the current end and gives the piece's offset.
  uint64_t add(OwnedSpan span);
  uint64_t add(uint64_t size, ByteProducer producer);
  // Zeros up to the next multiple of `alignment`, a power of two.
  void align(uint64_t alignment);

  uint64_t size() const { return size_; }

  // Sends all bytes to the sink, mappings in chunks of at most 256 KiB. A producer that writes more
  // or fewer bytes than it promised is an internal error.
  Status write(const ByteSink& sink) const;

 private:
  struct Piece {
    uint64_t size = 0;
    std::variant<OwnedSpan, ByteProducer, std::monostate> content;  // monostate: zeros
  };
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

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
