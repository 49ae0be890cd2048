#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/try.h"
#include "image/formats.h"

namespace slipway::image {
namespace {

// Weights have as many bits behind the point as products of them with 8 bits, summed, leave in 32.
constexpr int kBits = 22;

// One pixel of the result: the weights of those from `first` on.
struct Window {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

std::vector<Window> windows_of(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  std::vector<Window> windows(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    Window& window = windows[static_cast<size_t>(i)];
    const double center = (static_cast<double>(i) + 0.5) * scale;
    window.first = std::max<int64_t>(std::lround(center - reach), 0);
    const int64_t end = std::min<int64_t>(std::lround(center + reach), from);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t k = window.first; k < end; ++k) {
      const double distance = (static_cast<double>(k) - center + 0.5) / reach;
      weights.push_back(std::max(1 - std::abs(distance), 0.0));
      sum += weights.back();
    }
    for (const double weight : weights) {
      window.weights.push_back(static_cast<int32_t>(std::lround(weight / sum * (1 << kBits))));
    }
  }
  return windows;
}

// Along one of the two sizes: `step` bytes lie between neighbours along it, and there are `lines`
// of them, whose first bytes are where `line_start` says.
template <class LineStart>
void resample(const uint8_t* source, uint8_t* target, const std::vector<Window>& windows,
              size_t step, size_t lines, const LineStart& line_start) {
  for (size_t line = 0; line < lines; ++line) {
    const uint8_t* in = source + line_start(line, true);
    uint8_t* out = target + line_start(line, false);
    for (const Window& window : windows) {
      int32_t sum = 1 << (kBits - 1);
      const uint8_t* pixel = in + static_cast<size_t>(window.first) * step;
      for (const int32_t weight : window.weights) {
        sum += weight * *pixel;
        pixel += step;
      }
      *out = static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255));
      out += step;
    }
  }
}

}  // namespace

Result<Image> resize(const Image& image, const Size& size) {
  const auto channels = static_cast<size_t>(image.channels);
  SLIPWAY_ASSIGN_OR_RETURN(Image wide,
                           make_image({image.size.height, size.width}, image.channels, {}));
  if (size.width == image.size.width) {
    wide.pixels = image.pixels;
  } else {
    const auto start = [&](size_t line, bool is_source) {
      const Image& of = is_source ? image : wide;
      return line / channels * of.row_bytes() + line % channels;
    };
    resample(image.pixels.data(), wide.pixels.data(), windows_of(image.size.width, size.width),
             channels, static_cast<size_t>(image.size.height) * channels, start);
  }
  if (size.height == image.size.height) return wide;
  SLIPWAY_ASSIGN_OR_RETURN(Image result, make_image(size, image.channels, {}));
  resample(wide.pixels.data(), result.pixels.data(), windows_of(image.size.height, size.height),
           wide.row_bytes(), wide.row_bytes(), [](size_t line, bool) { return line; });
  return result;
}

Result<Image> crop(const Image& image, const Size& size) {
  if (size.height > image.size.height || size.width > image.size.width) {
    return invalid_argument("an image {} high and {} wide has no part {} high and {} wide",
                            image.size.height, image.size.width, size.height, size.width);
  }
  SLIPWAY_ASSIGN_OR_RETURN(Image result, make_image(size, image.channels, {}));
  // Halves are rounded to the even neighbour, as Python's round() does.
  const auto before = [](int64_t whole, int64_t part) {
    const int64_t rest = whole - part;
    return static_cast<size_t>(rest / 2 + (rest % 4 == 3 ? 1 : 0));
  };
  const size_t top = before(image.size.height, size.height);
  const size_t left = before(image.size.width, size.width) * static_cast<size_t>(image.channels);
  for (size_t row = 0; row < static_cast<size_t>(size.height); ++row) {
    const uint8_t* from = image.pixels.data() + (top + row) * image.row_bytes() + left;
    std::copy_n(from, result.row_bytes(), result.pixels.data() + row * result.row_bytes());
  }
  return result;
}

}  // namespace slipway::image
