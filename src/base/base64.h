// Base64 as RFC 4648 has it, with padding.
#pragma once

#include <span>
#include <string_view>

#include "base/byte_source.h"
#include "slipway/result.h"

namespace slipway {

// The bytes that `text` stands for, in pieces of at most 1 MiB. An error for what is not Base64;
// line ends and spaces are passed over.
Status decode_base64(std::string_view text, const ByteSink& sink);

// The text that stands for the bytes, on one line. It is made as it is written, with at most 256
// KiB of memory.
ByteSource encode_base64(ByteSource bytes);

}  // namespace slipway
