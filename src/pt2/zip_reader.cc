#include "pt2/zip_reader.h"

#include <algorithm>
#include <libdeflate.h>
#include <limits>
#include <memory>
#include <new>
#include <numeric>
#include <optional>

#include "base/checked.h"
#include "base/error.h"
#include "base/file_content.h"
#include "base/hash.h"
#include "base/load.h"
#include "base/temporary_file.h"
#include "base/try.h"
#include "pt2/zip_format.h"

namespace slipway::pt2 {
namespace {

constexpr uint64_t kDirectoryHeaderSize = 46;
constexpr uint64_t kEndSize = 22;
constexpr uint64_t kZip64EndSize = 56;
constexpr uint64_t kZip64LocatorSize = 20;
constexpr uint16_t kFlagSizesFollowData = 1U << 3;
// Encryption in its three forms, and patch data.
constexpr uint16_t kRefusedFlags = (1U << 0) | (1U << 5) | (1U << 6) | (1U << 13);
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint32_t kIn64Bits = 0xffffffff;

constexpr uint64_t kMaxEntries = 1 << 20;
constexpr size_t kMaxNameLength = 4096;
constexpr uint64_t kInflatedAllowance = uint64_t{8} << 20;
constexpr uint64_t kInflatedRatio = 4;
constexpr uint64_t kMostInMemory = uint64_t{1} << 20;  // of a deflated entry

// Little-endian numbers at a place that was checked to lie within the archive.
uint16_t u16(std::span<const std::byte> bytes, uint64_t offset) {
  return load<uint16_t>(bytes, offset);
}
uint32_t u32(std::span<const std::byte> bytes, uint64_t offset) {
  return load<uint32_t>(bytes, offset);
}
uint64_t u64(std::span<const std::byte> bytes, uint64_t offset) {
  return load<uint64_t>(bytes, offset);
}

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What is wrong with an entry's name, or null.
const char* name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameLength) return "is too long";
  for (const unsigned char c : name) {
    if (c < 0x20 || c == 0x7f) return "has a control character";
    if (c == '\\') return "has a backslash";
  }
  if (name.front() == '/') return "is absolute";
  if (name.ends_with('/')) name.remove_suffix(1);  // A folder.
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view component = name.substr(begin, end - begin);
    if (component.empty() || component == "." || component == "..") {
      return "has an empty or relative component";
    }
    begin = end + 1;
  }
  return nullptr;
}

// A name as it may stand in a message.
std::string printable(std::string_view name) {
  std::string result;
  for (const char c : name.substr(0, 200)) {
    result += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
  }
  return result;
}

// A file that is gone with its mapping where it is much and the disk has room, else memory. Null
// where neither has.
std::shared_ptr<std::byte[]> room_for(uint64_t size) {
  if (size > kMostInMemory) {
    auto file = TemporaryFile::create(temporary_folder());
    if (file.ok()) {
      auto allocated = file->allocate(size);
      if (allocated.ok()) return *std::move(allocated);
    }
  }
  // Memory that is not written to costs nothing: the size that is claimed may be a lie.
  return std::shared_ptr<std::byte[]>(new (std::nothrow) std::byte[size]);
}

struct Directory {
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t count = 0;
};

// The end record's place: the last one whose comment ends with the archive.
std::optional<uint64_t> find_end_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kEndSize) return std::nullopt;
  const uint64_t last = bytes.size() - kEndSize;
  const uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (uint64_t at = last + 1; at-- > first;) {
    if (u32(bytes, at) == kEndSignature && u16(bytes, at + 20) == bytes.size() - kEndSize - at) {
      return at;
    }
  }
  return std::nullopt;
}

Result<Directory> find_directory(std::span<const std::byte> bytes, const std::string& name) {
  const auto end = find_end_record(bytes);
  if (!end) {
    if (const std::string what = describe_foreign_content(bytes); !what.empty()) {
      return invalid_file("{} {}", name, what);
    }
    return invalid_file("{} is not a zip archive, or its end is missing: copy it again", name);
  }
  const uint16_t part = u16(bytes, *end + 4);
  if (part != 0 && part != 0xffff) {
    return unsupported("{} is one part of a zip archive in several parts", name);
  }
  Directory directory{.offset = u32(bytes, *end + 16),
                      .size = u32(bytes, *end + 12),
                      .count = u16(bytes, *end + 10)};
  uint64_t directory_limit = *end;
  if (*end >= kZip64LocatorSize && u32(bytes, *end - kZip64LocatorSize) == kZip64LocatorSignature) {
    const uint64_t locator = *end - kZip64LocatorSize;
    const uint64_t record = u64(bytes, locator + 8);
    if (!range_fits(record, kZip64EndSize, locator) || u32(bytes, record) != kZip64EndSignature) {
      return invalid_file("{}: the zip64 end record is not where its locator says", name);
    }
    const Directory wide{.offset = u64(bytes, record + 48),
                         .size = u64(bytes, record + 40),
                         .count = u64(bytes, record + 32)};
    const bool agree = (directory.offset == kIn64Bits || directory.offset == wide.offset) &&
                       (directory.size == kIn64Bits || directory.size == wide.size) &&
                       (directory.count == 0xffff || directory.count == wide.count);
    if (!agree) return invalid_file("{}: its two zip end records disagree", name);
    directory = wide;
    directory_limit = record;
  }
  if (!range_fits(directory.offset, directory.size, directory_limit)) {
    return invalid_file("{}: the zip directory lies outside the file", name);
  }
  if (directory.count > kMaxEntries || directory.count > directory.size / kDirectoryHeaderSize) {
    return invalid_file("{}: the zip directory claims {} entries in {} bytes", name,
                        directory.count, directory.size);
  }
  return directory;
}

// The 64-bit fields that stand in for those of a directory header that are all ones.
Status widen(std::span<const std::byte> extra, uint64_t& size, uint64_t& compressed_size,
             uint64_t& header_offset, const std::string& where) {
  if (size != kIn64Bits && compressed_size != kIn64Bits && header_offset != kIn64Bits) return {};
  uint64_t at = 0;
  while (range_fits(at, 4, extra.size())) {
    const uint16_t id = u16(extra, at);
    const uint16_t length = u16(extra, at + 2);
    at += 4;
    if (!range_fits(at, length, extra.size())) break;
    if (id == kZip64ExtraId) {
      uint64_t used = 0;
      for (uint64_t* field : {&size, &compressed_size, &header_offset}) {
        if (*field != kIn64Bits) continue;
        if (!range_fits(used, 8, length)) {
          return invalid_file("{} has a zip64 field that is too short", where);
        }
        *field = u64(extra, at + used);
        used += 8;
      }
      return {};
    }
    at += length;
  }
  return invalid_file("{} has no zip64 field for its sizes", where);
}

}  // namespace

Result<ZipReader> ZipReader::open(OwnedSpan archive, std::string name) {
  ZipReader reader(std::move(archive), std::move(name));
  SLIPWAY_RETURN_IF_ERROR(reader.read_directory());
  return reader;
}

Status ZipReader::read_directory() {
  const std::span<const std::byte> bytes = archive_.bytes;
  SLIPWAY_ASSIGN_OR_RETURN(const Directory directory, find_directory(bytes, name_));
  const std::span<const std::byte> headers = bytes.subspan(directory.offset, directory.size);

  entries_.reserve(directory.count);
  std::vector<uint64_t> header_offsets;
  header_offsets.reserve(directory.count);
  uint64_t at = 0;
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (!range_fits(at, kDirectoryHeaderSize, headers.size()) ||
        u32(headers, at) != kDirectorySignature) {
      return invalid_file("{}: entry {} of the zip directory is damaged", name_, i);
    }
    const uint16_t flags = u16(headers, at + 8);
    const uint16_t name_length = u16(headers, at + 28);
    const uint16_t extra_length = u16(headers, at + 30);
    const uint16_t comment_length = u16(headers, at + 32);
    const uint64_t variable = uint64_t{name_length} + extra_length + comment_length;
    if (!range_fits(at + kDirectoryHeaderSize, variable, headers.size())) {
      return invalid_file("{}: entry {} of the zip directory is cut short", name_, i);
    }
    const auto entry_name = text(headers.subspan(at + kDirectoryHeaderSize, name_length));
    const std::string where = fmt::format("{}: entry \"{}\"", name_, printable(entry_name));
    if (const char* problem = name_problem(entry_name)) {
      return invalid_file("{}: the name {}", where, problem);
    }
    if ((flags & kRefusedFlags) != 0) {
      return unsupported("{} is encrypted: save the archive without a password", where);
    }
    if (u16(headers, at + 34) != 0) return unsupported("{} lies in another part", where);

    ZipEntry entry;
    entry.name = entry_name;
    entry.method = u16(headers, at + 10);
    entry.crc32 = u32(headers, at + 16);
    entry.compressed_size = u32(headers, at + 20);
    entry.size = u32(headers, at + 24);
    uint64_t header_offset = u32(headers, at + 42);
    SLIPWAY_RETURN_IF_ERROR(
        widen(headers.subspan(at + kDirectoryHeaderSize + name_length, extra_length), entry.size,
              entry.compressed_size, header_offset, where));
    if (entry.method == kStored && entry.size != entry.compressed_size) {
      return invalid_file("{} is stored, but its two sizes differ", where);
    }
    if (entry_name.ends_with('/') && entry.size != 0) {
      return invalid_file("{} is a folder with content", where);
    }
    entries_.push_back(std::move(entry));
    header_offsets.push_back(header_offset);
    at += kDirectoryHeaderSize + variable;
  }

  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0U);
  std::sort(by_name_.begin(), by_name_.end(),
            [&](uint32_t a, uint32_t b) { return entries_[a].name < entries_[b].name; });
  const auto twice = std::adjacent_find(
      by_name_.begin(), by_name_.end(),
      [&](uint32_t a, uint32_t b) { return entries_[a].name == entries_[b].name; });
  if (twice != by_name_.end()) {
    return invalid_file("{}: there are two entries \"{}\"", name_, entries_[*twice].name);
  }
  return check_local_headers(header_offsets, directory.offset);
}

// Finds where each entry's data begins; header and data of all entries must lie before the
// directory and apart from each other.
Status ZipReader::check_local_headers(const std::vector<uint64_t>& header_offsets,
                                      uint64_t directory_offset) {
  const std::span<const std::byte> bytes = archive_.bytes;
  for (size_t i = 0; i < entries_.size(); ++i) {
    ZipEntry& entry = entries_[i];
    const uint64_t at = header_offsets[i];
    const std::string_view name = entry.name;
    if (!range_fits(at, kLocalHeaderSize, directory_offset) ||
        u32(bytes, at) != kLocalHeaderSignature) {
      return invalid_file("{}: entry \"{}\" is not where the zip directory says", name_, name);
    }
    const uint16_t flags = u16(bytes, at + 6);
    const uint16_t name_length = u16(bytes, at + 26);
    const uint16_t extra_length = u16(bytes, at + 28);
    const uint64_t data = at + kLocalHeaderSize + name_length + extra_length;
    if (!range_fits(data, entry.compressed_size, directory_offset)) {
      return invalid_file("{}: entry \"{}\" reaches past the end of the data", name_, name);
    }
    // Where sizes follow the data they are zero here, or already right.
    const bool sizes_follow = (flags & kFlagSizesFollowData) != 0;
    const auto size_agrees = [&](uint64_t offset, uint64_t expected) {
      const uint32_t field = u32(bytes, offset);
      return field == expected || field == kIn64Bits || (field == 0 && sizes_follow);
    };
    const uint32_t crc = u32(bytes, at + 14);
    if (text(bytes.subspan(at + kLocalHeaderSize, name_length)) != name ||
        u16(bytes, at + 8) != entry.method || (flags & kRefusedFlags) != 0 ||
        (crc != entry.crc32 && !(crc == 0 && sizes_follow)) ||
        !size_agrees(at + 18, entry.compressed_size) || !size_agrees(at + 22, entry.size)) {
      return invalid_file("{}: entry \"{}\" differs between its header and the zip directory",
                          name_, name);
    }
    entry.data_offset = data;
  }

  std::vector<uint32_t> by_offset(entries_.size());
  std::iota(by_offset.begin(), by_offset.end(), 0U);
  std::sort(by_offset.begin(), by_offset.end(),
            [&](uint32_t a, uint32_t b) { return header_offsets[a] < header_offsets[b]; });
  for (size_t i = 1; i < by_offset.size(); ++i) {
    const ZipEntry& before = entries_[by_offset[i - 1]];
    if (header_offsets[by_offset[i]] < before.data_offset + before.compressed_size) {
      return invalid_file("{}: entries \"{}\" and \"{}\" overlap", name_, before.name,
                          entries_[by_offset[i]].name);
    }
  }
  return {};
}

const ZipEntry* ZipReader::find(std::string_view entry_name) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), entry_name,
                       [&](uint32_t i, std::string_view key) { return entries_[i].name < key; });
  if (found == by_name_.end() || entries_[*found].name != entry_name) return nullptr;
  return &entries_[*found];
}

Result<OwnedSpan> ZipReader::read(std::string_view entry_name) {
  const ZipEntry* entry = find(entry_name);
  if (entry == nullptr) {
    return invalid_file("{} has no entry \"{}\"", name_, printable(entry_name));
  }
  return read(*entry);
}

Result<OwnedSpan> ZipReader::read(const ZipEntry& entry) {
  OwnedSpan result;
  if (entry.method == kStored) {
    result = {archive_.bytes.subspan(entry.data_offset, entry.size), archive_.owner};
  } else if (entry.method == kDeflated) {
    SLIPWAY_ASSIGN_OR_RETURN(result, inflate(entry));
  } else {
    return unsupported("{}: entry \"{}\" is compressed by method {}: store it, as PyTorch does",
                       name_, entry.name, entry.method);
  }
  if (slipway::crc32(0, result.bytes) != entry.crc32) {
    return invalid_file("{}: entry \"{}\" is damaged (its CRC-32 is wrong): get the file again",
                        name_, entry.name);
  }
  return result;
}

Result<OwnedSpan> ZipReader::inflate(const ZipEntry& entry) {
  const uint64_t limit = kInflatedAllowance + kInflatedRatio * archive_.bytes.size();
  if (entry.size > limit || inflated_ > limit - entry.size) {
    return invalid_file(
        "{}: entry \"{}\" claims to inflate to {} bytes, too many for an archive of {} bytes: "
        "store it instead of compressing it",
        name_, entry.name, entry.size, archive_.bytes.size());
  }
  // Two bits stand for 258 bytes at most (RFC 1951).
  constexpr uint64_t kMostOfAByte = 1032;
  if (entry.size / kMostOfAByte > entry.compressed_size) {
    return invalid_file(
        "{}: entry \"{}\" is damaged ({} bytes can't inflate to {}): get the file again", name_,
        entry.name, entry.compressed_size, entry.size);
  }
  inflated_ += entry.size;

  const std::shared_ptr<std::byte[]> output = room_for(entry.size);
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
      decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  if (output == nullptr || decompressor == nullptr) {
    return resource_exhausted("{}: no memory for the {} bytes of entry \"{}\"", name_, entry.size,
                              entry.name);
  }
  size_t consumed = 0;
  // With no place for the number of bytes that it gives, it has to give all of them.
  const libdeflate_result result = libdeflate_deflate_decompress_ex(
      decompressor.get(), archive_.bytes.data() + entry.data_offset, entry.compressed_size,
      output.get(), entry.size, &consumed, nullptr);
  if (result != LIBDEFLATE_SUCCESS || consumed != entry.compressed_size) {
    return invalid_file(
        "{}: entry \"{}\" is damaged (its deflated data is wrong): get the file again", name_,
        entry.name);
  }
  return OwnedSpan{{output.get(), entry.size}, output};
}

}  // namespace slipway::pt2
