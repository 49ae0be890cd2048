// An operator of Slipway's own: what dynamic quantization to int8 and back makes of rows.
#pragma once

namespace slipway::ir {

// Rounds to the levels of int8, as torchao and PT2E do by a scale and a zero point chosen of the
// numbers that are there. Arguments: Tensor (float32), SymInt (the last so many dimensions have one
// scale: 1 for a scale of each row), float (the least scale). Its result has the tensor's type.
inline constexpr const char* kFakeQuantizeRows = "slipway.fake_quantize_rows";

}  // namespace slipway::ir
