// The bytes of an engine of generated kernels (docs/formats/cuda_engine.md): a header, the table of
// engine.fbs, the kernels' code, the constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/piece_writer.h"
#include "cuda/format/engine_generated.h"
#include "slipway/result.h"

namespace slipway::cuda {

inline constexpr std::string_view kMagic = "SLIPCUDA";
inline constexpr const char* kBackend = "SlipwayCudaBackend";

// Constants begin at a multiple of this in the engine, and each of them at one of kAlignment
// behind.
inline constexpr size_t kConstantsAlignment = 4096;
inline constexpr size_t kAlignment = 256;

struct Blob {
  table::EngineT engine;
  std::span<const std::byte> images;
  std::span<const std::byte> constants;
};

// Streams an engine's bytes, in order. `images` are the contents of engine.images, whose offsets
// and sizes are set here, as is constant_bytes. An engine that read_blob() would refuse is an
// internal error.
Status write_blob(table::EngineT& engine, std::span<const std::string> images,
                  const PieceList& constants, const ByteSink& sink);

// Whether a file or blob that begins so is such an engine.
bool begins_blob(std::span<const std::byte> bytes);

// Checked: what the table says lies within the bytes, numbers depend on earlier ones, and each
// index leads somewhere. What the kernels do is not known: they are trusted as a program's code is.
Result<Blob> read_blob(std::span<const std::byte> bytes);

// Where choices, device and plans of its table begin, in an engine that read_blob() takes and that
// has any.
struct ChoicePlaces {
  uint64_t choices = 0;
  uint64_t device = 0;
  std::optional<uint64_t> plans;  // where it has room for them
};
Result<ChoicePlaces> find_choices(std::span<const std::byte> bytes);

}  // namespace slipway::cuda
