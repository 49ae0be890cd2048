// The choices of a file's engines among ways to compute (engine::Description::choose).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/piece_writer.h"
#include "engine/description.h"
#include "engine/manifest.h"
#include "pte/reader/reader.h"
#include "slipway/result.h"

namespace slipway {

// An engine that has choices.
struct ChoosingEngine {
  std::string method;
  uint32_t index = 0;  // of the method
  uint32_t segment = 0;
  std::string backend;
  std::string xxh3;  // of its segment
};

// Those of all methods. kInvalidFile for engines that can't be read.
Result<std::vector<ChoosingEngine>> choosing_engines(const pte::File& file);

// The file with these choices in the engines of these segments; all else, sizes and places too, is
// as it was, but for checksums. Its pieces are parts of the file.
Result<PieceList> with_choices(const pte::File& file,
                               const std::map<uint32_t, engine::Choices>& segments);

}  // namespace slipway
