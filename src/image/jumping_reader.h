// Readers by libraries whose errors are jumps out of them, past frames of C alone: what is called
// between setjmp and a jump has nothing to destroy.
#pragma once

#include <array>
#include <csetjmp>
#include <cstdio>

#include <fmt/format.h>

#include "base/try.h"
#include "image/formats.h"

namespace slipway::image {

// A Reader has read_pixels(), which fills the rows, and error(), of what was kept when it jumped.
template <class Reader>
class JumpingReader {
 protected:
  // Whether it went to its end.
  __attribute__((noinline)) bool guarded(void (Reader::*work)()) {
    if (setjmp(escape_) != 0) return false;
    (self().*work)();
    return true;
  }

  // The image of a file whose header was read.
  Result<Image> read_image(const Size& size, int channels, const DecodeOptions& options) {
    SLIPWAY_ASSIGN_OR_RETURN(Image image, make_image(size, channels, options));
    pixels_ = image.pixels.data();
    row_bytes_ = image.row_bytes();
    if (!guarded(&Reader::read_pixels)) return self().error();
    if (warnings_ > 0) {
      options.on_warning(warnings_ == 1 ? message_.data()
                                        : fmt::format("{} (the first of {} such defects)",
                                                      message_.data(), warnings_));
    }
    return image;
  }

  uint8_t* row(size_t i) const { return pixels_ + i * row_bytes_; }
  size_t row_bytes() const { return row_bytes_; }

  // The message is kept before, and of warnings the first one alone.
  [[noreturn]] void jump() { std::longjmp(escape_, 1); }
  bool is_first_warning() { return warnings_++ == 0; }
  void keep(const char* message) { std::snprintf(message_.data(), message_.size(), "%s", message); }

  std::array<char, 200> message_ = {};

 private:
  friend Reader;
  JumpingReader() = default;
  Reader& self() { return static_cast<Reader&>(*this); }

  std::jmp_buf escape_ = {};
  int warnings_ = 0;
  uint8_t* pixels_ = nullptr;
  size_t row_bytes_ = 0;
};

}  // namespace slipway::image
