// Which Slipway this is.
#pragma once

namespace slipway {

// "<major>.<minor>.<patch>" of the library that is linked, which is also that of the headers: there
// is no binary interface between versions.
const char* version();

}  // namespace slipway
