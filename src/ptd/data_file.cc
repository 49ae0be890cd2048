#include "ptd/data_file.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/file_content.h"
#include "base/load.h"
#include "base/printable.h"
#include "base/try.h"
#include "ptd/flat_tensor_generated.h"
#include "ptd/layout.h"
#include "pte/format/limits.h"
#include "pte/format/vectors.h"

namespace slipway::ptd {
namespace {

namespace fb = flat_tensor_flatbuffer;
using pte::count;
using pte::view;

constexpr uint32_t kVersion = 0;
constexpr size_t kAlignment = 16;  // of the flatbuffer's first byte

struct Header {
  uint64_t flatbuffer_end = 0;
  uint64_t segment_base = 0;
  uint64_t segment_end = 0;
};

Result<Header> read_header(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (bytes.size() < kHeadBytes) return invalid_file("not a data file: too short");
  const std::string_view identifier = text.substr(kIdentifierOffset, kIdentifier.size());
  if (identifier != kIdentifier) {
    if (identifier.starts_with("FT")) {
      return unsupported("a data file of version {}, and this version reads {}",
                         printable(identifier), kIdentifier);
    }
    if (identifier.starts_with("ET")) {
      return invalid_file("not a data file, but an ExecuTorch program");
    }
    const std::string what = describe_foreign_content(bytes);
    return invalid_file("not a data file{}{}", what.empty() ? "" : ": it ", what);
  }
  if (text.substr(kHeaderOffset, kHeaderMagic.size()) != kHeaderMagic) {
    return invalid_file("it has no header");
  }
  if (load<uint32_t>(bytes, kHeaderOffset + 4) < kHeaderLength) {
    return invalid_file("its header is cut short");
  }
  const auto flatbuffer_offset = load<uint64_t>(bytes, kHeaderOffset + 8);
  const auto flatbuffer_size = load<uint64_t>(bytes, kHeaderOffset + 16);
  const auto segment_base = load<uint64_t>(bytes, kHeaderOffset + 24);
  const auto segment_size = load<uint64_t>(bytes, kHeaderOffset + 32);
  if (!range_fits(flatbuffer_offset, flatbuffer_size, bytes.size())) {
    return invalid_file("cut short: its tables take {} bytes from {}, and the file has {}",
                        flatbuffer_size, flatbuffer_offset, bytes.size());
  }
  Header header;
  header.flatbuffer_end = flatbuffer_offset + flatbuffer_size;
  if (segment_base < header.flatbuffer_end && segment_size > 0) {
    return invalid_file("its segments begin at {}, within its tables", segment_base);
  }
  if (!range_fits(segment_base, segment_size, bytes.size())) {
    return invalid_file("cut short: its segments take {} bytes from {}, and the file has {}",
                        segment_size, segment_base, bytes.size());
  }
  header.segment_base = segment_base;
  header.segment_end = segment_base + segment_size;
  return header;
}

Result<const fb::FlatTensor*> read_tables(std::span<const std::byte> bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment != 0) {
    return invalid_argument("a data file in memory must be aligned to {} bytes", kAlignment);
  }
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return invalid_file("its tables take {} bytes", bytes.size());
  }
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                                 pte::kMaxTableDepth, pte::kMaxTables);
  if (!fb::VerifyFlatTensorBuffer(verifier)) {
    return invalid_file("its tables are damaged or cut short");
  }
  const fb::FlatTensor* tables = fb::GetFlatTensor(bytes.data());
  if (tables->version() <= kVersion) return tables;
  return unsupported("a data file of version {}, and this version reads {}", tables->version(),
                     kVersion);
}

Result<std::vector<std::span<const std::byte>>> read_segments(const fb::FlatTensor& tables,
                                                              const Header& header,
                                                              std::span<const std::byte> bytes) {
  std::vector<std::span<const std::byte>> segments;
  if (count(tables.segments()) > pte::kMaxSegments) {
    return invalid_file("it has {} segments", tables.segments()->size());
  }
  for (size_t i = 0; i < count(tables.segments()); ++i) {
    const fb::DataSegment& segment =
        *tables.segments()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (!range_fits(segment.offset(), segment.size(), header.segment_end - header.segment_base)) {
      return invalid_file("segment {}, {} bytes at {}, is not within {} bytes", i, segment.size(),
                          segment.offset(), header.segment_end - header.segment_base);
    }
    segments.push_back(bytes.subspan(header.segment_base + segment.offset(), segment.size()));
  }
  return segments;
}

Result<std::vector<DataFile::Entry>> read_entries(const fb::FlatTensor& tables,
                                                  const Header& header,
                                                  std::span<const std::byte> bytes) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto segments, read_segments(tables, header, bytes));
  std::vector<DataFile::Entry> entries;
  if (count(tables.named_data()) > pte::kMaxSegments) {
    return invalid_file("it has {} entries", tables.named_data()->size());
  }
  uint64_t text = 0;  // of all keys: tables may share one
  for (size_t i = 0; i < count(tables.named_data()); ++i) {
    const fb::NamedData& entry = *tables.named_data()->Get(static_cast<flatbuffers::uoffset_t>(i));
    const std::string_view key = view(entry.key());
    text += key.size();
    if (key.empty() || key.size() > pte::kMaxName || text > pte::kMaxText) {
      return invalid_file("entry {} has a key of {} bytes", i, key.size());
    }
    if (key.find('\0') != std::string_view::npos) {
      return invalid_file("the key of entry {} has a NUL in it", i);
    }
    if (entry.segment_index() >= segments.size()) {
      return invalid_file("entry \"{}\" is in segment {} of {}", printable(key),
                          entry.segment_index(), segments.size());
    }
    entries.push_back({std::string(key), segments[entry.segment_index()]});
  }
  const auto by_key = [](const auto& a, const auto& b) { return a.key < b.key; };
  std::sort(entries.begin(), entries.end(), by_key);
  const auto same = std::adjacent_find(entries.begin(), entries.end(),
                                       [](const auto& a, const auto& b) { return a.key == b.key; });
  if (same == entries.end()) return entries;
  return invalid_file("entry \"{}\" is there twice", printable(same->key));
}

}  // namespace

Result<DataFile> DataFile::read(OwnedSpan bytes, const std::string& name) {
  DataFile file;
  file.name_ = name;
  file.bytes_ = std::move(bytes);
  const auto status = [&]() -> Status {
    const std::span<const std::byte> all = file.bytes_.bytes;
    SLIPWAY_ASSIGN_OR_RETURN(const Header header, read_header(all));
    SLIPWAY_ASSIGN_OR_RETURN(const auto* tables, read_tables(all.first(header.flatbuffer_end)));
    SLIPWAY_ASSIGN_OR_RETURN(file.entries_, read_entries(*tables, header, all));
    return {};
  }();
  if (!status.ok()) return status.error().with_context(name);
  return file;
}

std::optional<std::span<const std::byte>> DataFile::find(std::string_view key) const {
  const auto found = std::lower_bound(
      entries_.begin(), entries_.end(), key,
      [](const Entry& entry, std::string_view wanted) { return entry.key < wanted; });
  if (found == entries_.end() || found->key != key) return std::nullopt;
  return found->bytes;
}

}  // namespace slipway::ptd
