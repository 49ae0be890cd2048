// What delegates log.
#pragma once

#include <string>

namespace slipway::delegate {

// "`title`: `text`", of which 8 KiB are logged: ExecuTorch's log cuts what is longer than 255
// bytes, so that it is logged in pieces, of which all but the first begin with "... ".
void log_error(const char* title, const std::string& text);

}  // namespace slipway::delegate
