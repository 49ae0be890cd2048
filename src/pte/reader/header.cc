#include "pte/reader/header.h"

#include <string>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "base/file_content.h"
#include "base/load.h"
#include "pte/format/layout.h"

namespace slipway::pte {
Result<Header> read_header(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (bytes.size() < kHeaderOffset) return invalid_file("not an ExecuTorch program: too short");
  const std::string_view identifier = text.substr(kIdentifierOffset, kIdentifier.size());
  if (identifier != kIdentifier) {
    if (identifier.starts_with("ET")) {
      return unsupported("an ExecuTorch program of version {}, and this version reads {}",
                         identifier, kIdentifier);
    }
    if (text.starts_with("PK\x03\x04")) {
      return invalid_file(
          "not an ExecuTorch program, but an archive (.pt2): compile it first, with `slipway "
          "compile` or slipway::compile()");
    }
    const std::string what = describe_foreign_content(bytes);
    return invalid_file("not an ExecuTorch program{}{}", what.empty() ? "" : ": it ", what);
  }
  if (text.substr(kHeaderOffset, kHeaderMagic.size()) != kHeaderMagic) {
    return Header{bytes.size(), bytes.size(), bytes.size()};
  }

  if (!range_fits(kHeaderOffset, kHeaderLengthWithoutSegmentSize, bytes.size())) {
    return invalid_file("cut short in its header");
  }
  const auto length = load<uint32_t>(bytes, kHeaderOffset + 4);
  Header header;
  header.program_size = load<uint64_t>(bytes, kHeaderOffset + 8);
  header.segment_base = load<uint64_t>(bytes, kHeaderOffset + 16);
  if (length < kHeaderLengthWithoutSegmentSize ||
      !range_fits(kHeaderOffset, length, header.program_size)) {
    return invalid_file("its header's length, {}, does not fit", length);
  }
  if (header.program_size > bytes.size()) {
    return invalid_file("cut short: its program takes {} bytes, and the file has {}",
                        header.program_size, bytes.size());
  }
  // ExecuTorch's exporter writes 0 where all segments are empty.
  if (header.segment_base == 0) {
    return Header{header.program_size, header.program_size, header.program_size};
  }
  if (header.segment_base < header.program_size || header.segment_base > bytes.size()) {
    return invalid_file("its segments begin at {}, between {} and {} at best", header.segment_base,
                        header.program_size, bytes.size());
  }
  if (length >= kHeaderLength) {
    const auto size = load<uint64_t>(bytes, kHeaderOffset + 24);
    if (!range_fits(header.segment_base, size, bytes.size())) {
      return invalid_file("cut short: its segments take {} bytes from {}, and the file has {}",
                          size, header.segment_base, bytes.size());
    }
    // Older writers left the field 0.
    if (size > 0) header.segment_end = header.segment_base + size;
  }
  return header;
}

}  // namespace slipway::pte
