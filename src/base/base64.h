// Base64 as RFC 4648 has it, with padding.
#pragma once

#include <span>
#include <string_view>

#include "base/piece_writer.h"
#include "slipway/result.h"

namespace slipway {

// The bytes that `text` stands for, in pieces of at most 1 MiB. An error for what is not Base64;
// line ends and spaces are passed over.
Status decode_base64(std::string_view text, const ByteSink& sink);

}  // namespace slipway
