// Any bytes are an image of the size that it says, or an error; a piece of them, too.
#include <cstdlib>

#include "base/error.h"
#include "image/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace image = slipway::image;
  image::Size seen;
  image::DecodeOptions options;
  options.channels = size % 2 == 0 ? 1 : 3;
  options.check_size = [&](const image::Size& found) -> slipway::Status {
    seen = found;
    if (found.height > 1024 || found.width > 1024) return slipway::invalid_argument("too large");
    return {};
  };
  const auto read = image::decode(std::as_bytes(std::span(data, size)), options);
  if (!read.ok()) return 0;
  if (read->size != seen ||
      read->pixels.size() != static_cast<size_t>(seen.height) * read->row_bytes()) {
    std::abort();
  }
  const auto resized = image::resize(*read, {seen.width, 7});
  if (!resized.ok() || !image::crop(*resized, {1, 7}).ok()) std::abort();
  return 0;
}
