#include "model_library/library.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/load.h"

namespace slipway::model_library {
namespace {

// That of a page, so that the program lies in a mapping as it does in one of its own file.
constexpr uint64_t kAlignment = 4096;
constexpr uint64_t kTrailerAlignment = 8;
constexpr std::string_view kMagic = "SLPWLIB1";
constexpr std::string_view kElf = "\177ELF";

// At the end of the file.
struct Trailer {
  std::array<char, 8> magic;
  uint64_t stub_size;
  uint64_t program_offset;
  uint64_t program_size;
  std::array<char, kXxh3HexDigits> xxh3;  // of the stub and what precedes here
};
static_assert(sizeof(Trailer) == 64);

std::string checksum(std::span<const std::byte> stub, const Trailer& trailer) {
  Xxh3 hash;
  hash.update(stub);
  hash.update(std::as_bytes(std::span(&trailer, 1)).first(offsetof(Trailer, xxh3)));
  return hash.hex();
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [](std::byte byte) { return byte == std::byte{}; });
}

bool starts_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// Whether all lies as make_library() puts it.
bool is_sound(std::span<const std::byte> bytes, const Trailer& trailer) {
  const uint64_t end = bytes.size() - sizeof(Trailer);
  const auto offset = checked_align(trailer.stub_size, kAlignment);
  if (!offset || *offset != trailer.program_offset) return false;
  if (!range_fits(*offset, trailer.program_size, end)) return false;
  const uint64_t program_end = *offset + trailer.program_size;
  if (checked_align(program_end, kTrailerAlignment) != end) return false;
  return is_zero(bytes.subspan(trailer.stub_size, *offset - trailer.stub_size)) &&
         is_zero(bytes.subspan(program_end, end - program_end)) &&
         checksum(bytes.first(trailer.stub_size), trailer) ==
             std::string_view(trailer.xxh3.data(), trailer.xxh3.size());
}

}  // namespace

bool is_elf(std::span<const std::byte> bytes) { return starts_with(bytes, kElf); }

bool has_program(std::span<const std::byte> bytes) {
  return is_elf(bytes) && bytes.size() >= sizeof(Trailer) &&
         starts_with(bytes.last(sizeof(Trailer)), kMagic);
}

Result<std::span<const std::byte>> program_of(std::span<const std::byte> bytes) {
  if (!is_elf(bytes)) return bytes;
  if (!has_program(bytes)) {
    return invalid_file(
        "is a program or a shared library, and there is no model behind it: what `slipway compile` "
        "wrote must be neither cut nor given to strip and its like; write it anew");
  }
  const auto trailer = load<Trailer>(bytes, bytes.size() - sizeof(Trailer));
  if (!is_sound(bytes, trailer)) {
    return invalid_file("the shared library around the model is damaged: write it anew");
  }
  return bytes.subspan(trailer.program_offset, trailer.program_size);
}

PieceList make_library(std::span<const std::byte> stub, const PieceList& program) {
  Trailer trailer = {};
  std::copy(kMagic.begin(), kMagic.end(), trailer.magic.begin());
  PieceList pieces;
  pieces.add(ByteSource(OwnedSpan{stub, nullptr}));
  trailer.stub_size = stub.size();
  pieces.align(kAlignment);
  trailer.program_size = program.size();
  trailer.program_offset =
      pieces.add(program, [program](const ByteSink& sink) { return program.write(sink); });
  pieces.align(kTrailerAlignment);
  const std::string xxh3 = checksum(stub, trailer);
  std::copy(xxh3.begin(), xxh3.end(), trailer.xxh3.begin());
  const auto* const first = reinterpret_cast<const std::byte*>(&trailer);
  pieces.add(own_bytes(std::vector<std::byte>(first, first + sizeof(Trailer))));
  return pieces;
}

}  // namespace slipway::model_library
