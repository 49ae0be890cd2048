// What write_npy writes, for callers with another target than a file.
#pragma once

#include "base/piece_writer.h"
#include "slipway/npy.h"

namespace slipway {

Result<PieceList> npy_pieces(const Tensor& tensor);

}  // namespace slipway
