#include "pt2/zip_writer.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include <fmt/core.h>

#include "base/hash.h"
#include "base/try.h"
#include "pt2/zip_format.h"

namespace slipway::pt2 {
namespace {

constexpr uint16_t kFlags = 0x808;          // names in UTF-8, sizes behind the data
constexpr uint16_t kPaddingField = 0x4246;  // "FB"
constexpr uint64_t kAlignment = 64;
constexpr uint64_t kFieldHeaderSize = 4;
constexpr uint64_t kIdDigits = 40;
constexpr uint64_t kMax32 = 0xffffffff;

uint32_t clamp32(uint64_t number) { return static_cast<uint32_t>(std::min(number, kMax32)); }

// Little-endian numbers.
class Record {
 public:
  Record& u16(uint64_t number) { return append(number, 2); }
  Record& u32(uint64_t number) { return append(number, 4); }
  Record& u64(uint64_t number) { return append(number, 8); }
  Record& text(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  uint64_t size() const { return bytes_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& append(uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_ += static_cast<char>(number >> (8 * i));
    return *this;
  }
  std::string bytes_;
};

// The zip64 field of an entry: those of its numbers that 32 bits can't hold. `stored` is the size
// in the archive, which local headers leave open.
std::string zip64_field(uint64_t offset, uint64_t size, uint64_t stored) {
  Record numbers;
  if (size >= kMax32) numbers.u64(size).u64(stored);
  if (offset >= kMax32) numbers.u64(offset);
  if (numbers.size() == 0) return {};
  return Record().u16(kZip64ExtraId).u16(numbers.size()).text(numbers.bytes()).bytes();
}

std::string local_header(const std::string& name, uint64_t offset, uint64_t size) {
  const std::string zip64 = zip64_field(offset, size, 0);
  const uint64_t before_padding =
      offset + kLocalHeaderSize + name.size() + zip64.size() + kFieldHeaderSize;
  const uint64_t padding = (kAlignment - before_padding % kAlignment) % kAlignment;
  Record header;
  header.u32(kLocalHeaderSignature).u16(0).u16(kFlags).u16(0).u16(0).u16(0).u32(0).u32(0).u32(0);
  header.u16(name.size()).u16(zip64.size() + kFieldHeaderSize + padding).text(name).text(zip64);
  header.u16(kPaddingField).u16(padding).text(std::string(padding, 'Z'));
  return header.bytes();
}

bool is_zip64(uint64_t offset, uint64_t size) { return !zip64_field(offset, size, 0).empty(); }

std::string descriptor(uint64_t offset, uint64_t size, uint32_t crc) {
  Record record;
  record.u32(kDescriptorSignature).u32(crc);
  if (is_zip64(offset, size)) return record.u64(size).u64(size).bytes();
  return record.u32(size).u32(size).bytes();
}

std::string directory_header(const std::string& name, uint64_t offset, uint64_t size,
                             uint32_t crc) {
  const std::string zip64 = zip64_field(offset, size, size);
  Record header;
  header.u32(kDirectorySignature).u16(0).u16(0).u16(kFlags).u16(0).u16(0).u16(0).u32(crc);
  header.u32(clamp32(size)).u32(clamp32(size)).u16(name.size()).u16(zip64.size());
  header.u16(0).u16(0).u16(0).u32(0).u32(clamp32(offset)).text(name).text(zip64);
  return header.bytes();
}

std::string end_records(uint64_t count, uint64_t directory, uint64_t directory_size) {
  Record record;
  record.u32(kZip64EndSignature).u64(44).u16(0x031e).u16(45).u32(0).u32(0);
  record.u64(count).u64(count).u64(directory_size).u64(directory);
  record.u32(kZip64LocatorSignature).u32(0).u64(directory + directory_size).u32(1);
  const uint64_t count16 = std::min<uint64_t>(count, 0xffff);
  record.u32(kEndSignature).u16(0).u16(0).u16(count16).u16(count16);
  record.u32(clamp32(directory_size)).u32(clamp32(directory)).u16(0);
  return record.bytes();
}

// 20 digits of the first 64 bits of a hash.
std::string digits(const Xxh3& hash) {
  return fmt::format("{:020}", std::stoull(hash.hex().substr(0, 16), nullptr, 16));
}

}  // namespace

// One walk over the entries, from the first to the end record. Without a sink it only counts.
class ZipWriter::Stream {
 public:
  Stream(const std::vector<Entry>& entries, const ByteSink* sink)
      : entries_(entries), sink_(sink) {}

  Status write() {
    std::string directory;
    for (const Entry& entry : entries_) {
      const uint64_t offset = offset_;
      const uint64_t size = entry.content.size();
      SLIPWAY_RETURN_IF_ERROR(send(local_header(entry.name, offset, size)));
      uint32_t crc = 0;
      SLIPWAY_RETURN_IF_ERROR(send(entry, crc));
      SLIPWAY_RETURN_IF_ERROR(send(descriptor(offset, size, crc)));
      directory += directory_header(entry.name, offset, size, crc);
    }
    const uint64_t at = offset_;
    SLIPWAY_RETURN_IF_ERROR(send(directory));
    return send(end_records(entries_.size(), at, directory.size()));
  }
  uint64_t size() const { return offset_; }

 private:
  Status send(std::string_view text) { return send(std::as_bytes(std::span(text))); }
  Status send(std::span<const std::byte> bytes) {
    offset_ += bytes.size();
    return sink_ == nullptr ? Status() : (*sink_)(bytes);
  }

  Status send(const Entry& entry, uint32_t& crc) {
    if (sink_ == nullptr) {
      offset_ += entry.content.size();
      return {};
    }
    if (entry.is_serialization_id) {
      const std::string id = digits(names_) + digits(sums_);
      crc = crc32(0, std::as_bytes(std::span(id)));
      return send(id);
    }
    SLIPWAY_RETURN_IF_ERROR(entry.content.write([&](std::span<const std::byte> bytes) {
      crc = crc32(crc, bytes);
      return send(bytes);
    }));
    names_.update(std::as_bytes(std::span(entry.name.c_str(), entry.name.size() + 1)));
    sums_.update(std::as_bytes(std::span(&crc, 1)));
    return {};
  }

  const std::vector<Entry>& entries_;
  const ByteSink* sink_;
  uint64_t offset_ = 0;
  Xxh3 names_;
  Xxh3 sums_;
};

void ZipWriter::add(const std::string& name, ByteSource content) {
  entries_.push_back({fmt::format("{}/{}", root_, name), std::move(content)});
}

void ZipWriter::add(const std::string& name, std::string content) {
  add(name, ByteSource(own_bytes(std::move(content))));
}

void ZipWriter::add_serialization_id(const std::string& name) {
  add(name, std::string(kIdDigits, '0'));
  entries_.back().is_serialization_id = true;
}

ByteSource ZipWriter::finish() && {
  const auto entries = std::make_shared<const std::vector<Entry>>(std::move(entries_));
  Stream count(*entries, nullptr);
  static_cast<void>(count.write());
  return {count.size(),
          [entries](const ByteSink& sink) { return Stream(*entries, &sink).write(); }};
}

}  // namespace slipway::pt2
