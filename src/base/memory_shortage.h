// Telling a lack of memory from other failures of libraries, which say so in words of their own.
#pragma once

#include <string_view>

namespace slipway {

// Whether a library's message tells of a lack of memory, of which no model and no file is the
// cause.
bool lacks_memory(std::string_view message);

}  // namespace slipway
