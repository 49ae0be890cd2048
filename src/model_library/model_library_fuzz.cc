// What is taken for a program lies within the file, and is found again where it is written anew.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "model_library/library.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace library = slipway::model_library;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto program = library::program_of(bytes);
  if (!program.ok()) return 0;
  const bool is_inside = program->data() >= bytes.data() &&
                         program->data() + program->size() <= bytes.data() + bytes.size();
  if (!is_inside) std::abort();
  if (!library::is_elf(bytes)) return 0;
  slipway::PieceList pieces;
  pieces.add(slipway::OwnedSpan{*program, nullptr});
  const auto stub = bytes.first(4);
  const auto written = slipway::write_to_memory(library::make_library(stub, pieces));
  const auto again = library::program_of(*written);
  if (!again.ok() || again->size() != program->size() ||
      std::memcmp(again->data(), program->data(), program->size()) != 0) {
    std::abort();
  }
  return 0;
}
