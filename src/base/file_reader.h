// Files read into memory, for those who can't rely on a file to stay as it is.
#pragma once

#include <string>

#include "base/mapped_file.h"
#include "slipway/result.h"

namespace slipway {

// All bytes, page aligned. A file that shrinks or grows meanwhile is an error.
Result<OwnedSpan> read_file(const std::string& path);

}  // namespace slipway
