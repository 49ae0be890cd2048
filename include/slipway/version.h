// Which Slipway this is.
#pragma once

#include "slipway/export.h"

namespace slipway {

// "<major>.<minor>.<patch>" of the library that is linked, which is also that of the headers: there
// is no binary interface between versions.
SLIPWAY_API const char* version();

}  // namespace slipway
