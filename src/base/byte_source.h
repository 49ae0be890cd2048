// Bytes that lie somewhere or are made on demand: what weights, pieces of files and constants of
// engines are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <variant>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway {

// Takes consecutive bytes; an error stops the writing and is passed on.
using ByteSink = std::function<Status(std::span<const std::byte>)>;
// Writes exactly the promised number of bytes into the sink, in chunks of its choice, the same
// bytes at every call.
using ByteProducer = std::function<Status(const ByteSink&)>;

// Safe to read from several threads, as far as its producer is.
class ByteSource {
 public:
  ByteSource() = default;      // no bytes
  ByteSource(OwnedSpan span);  // NOLINT(google-explicit-constructor)
  ByteSource(uint64_t size, ByteProducer producer);

  uint64_t size() const { return size_; }
  // The bytes where they lie; null for those that are made on demand.
  const OwnedSpan* span() const { return std::get_if<OwnedSpan>(&content_); }
  // Sends all bytes to the sink, those that lie somewhere in chunks of at most 256 KiB. A producer
  // that writes more or fewer bytes than it promised is an internal error.
  Status write(const ByteSink& sink) const;

 private:
  uint64_t size_ = 0;
  std::variant<OwnedSpan, ByteProducer> content_;
};

}  // namespace slipway
