#include "delegate/log.h"

#include <executorch/runtime/platform/log.h>

namespace slipway::delegate {

void log_error(const char* title, const std::string& text) {
  constexpr size_t kPiece = 200;
  std::string rest = title + (": " + text);
  const char* before = "";
  while (rest.size() > kPiece) {
    size_t end = rest.rfind(' ', kPiece);
    if (end == std::string::npos || end == 0) end = kPiece;
    ET_LOG(Error, "%s%s", before, rest.substr(0, end).c_str());
    rest.erase(0, rest[end] == ' ' ? end + 1 : end);
    before = "... ";
  }
  ET_LOG(Error, "%s%s", before, rest.c_str());
}

}  // namespace slipway::delegate
