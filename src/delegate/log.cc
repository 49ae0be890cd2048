#include "delegate/log.h"

#include <string_view>

#include <executorch/runtime/platform/log.h>

namespace slipway::delegate {

void log_error(const char* title, const std::string& text) {
  constexpr size_t kPiece = 200;
  constexpr size_t kMost = size_t{8} << 10;
  const std::string whole = title + (": " + text.substr(0, kMost));
  const char* before = "";
  for (std::string_view rest = whole; !rest.empty();) {
    size_t end = rest.size() <= kPiece ? rest.size() : rest.rfind(' ', kPiece);
    if (end == std::string_view::npos || end == 0) end = kPiece;
    ET_LOG(Error, "%s%s", before, std::string(rest.substr(0, end)).c_str());
    rest.remove_prefix(end);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
    before = "... ";
  }
}

}  // namespace slipway::delegate
