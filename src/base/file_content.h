// What a file probably is that is none of Slipway's kinds, for messages.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace slipway {

// What the bytes look like and what to do with such a file, as the end of a sentence: "is an ONNX
// model: ..."; empty where they look like nothing known.
std::string describe_foreign_content(std::span<const std::byte> bytes);

}  // namespace slipway
