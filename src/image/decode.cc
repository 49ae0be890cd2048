#include <array>

#include "base/error.h"
#include "base/try.h"
#include "image/formats.h"

namespace slipway::image {
namespace {

bool starts_with(std::span<const std::byte> bytes, std::span<const uint8_t> magic) {
  if (bytes.size() < magic.size()) return false;
  for (size_t i = 0; i < magic.size(); ++i) {
    if (std::to_integer<uint8_t>(bytes[i]) != magic[i]) return false;
  }
  return true;
}

Image converted(Image image, int channels) {
  if (image.channels == channels) return image;
  const size_t count = image.pixels.size() / static_cast<size_t>(image.channels);
  Image result{image.size, channels, std::vector<uint8_t>(count * static_cast<size_t>(channels))};
  for (size_t i = 0; i < count; ++i) {
    if (channels == 3) {
      std::fill_n(&result.pixels[i * 3], 3, image.pixels[i]);
    } else {
      // ITU-R 601 in 16 bits behind the point: 0.299, 0.587, 0.114.
      const uint8_t* rgb = &image.pixels[i * 3];
      const uint32_t sum = rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U;
      result.pixels[i] = static_cast<uint8_t>(sum >> 16);
    }
  }
  return result;
}

}  // namespace

Result<Image> make_image(const Size& size, int channels, const DecodeOptions& options) {
  SLIPWAY_RETURN_IF_ERROR(options.check_size(size));
  if (size.height < 1 || size.width < 1 || size.height > kMostPixels / size.width) {
    return invalid_argument("an image {} high and {} wide is larger than {} pixels", size.height,
                            size.width, kMostPixels);
  }
  const auto bytes = static_cast<size_t>(size.height * size.width * channels);
  return Image{size, channels, std::vector<uint8_t>(bytes)};
}

Result<Image> decode(std::span<const std::byte> bytes, const DecodeOptions& options) {
  constexpr std::array<uint8_t, 3> kJpeg = {0xff, 0xd8, 0xff};
  constexpr std::array<uint8_t, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const auto reader = starts_with(bytes, kJpeg)  ? read_jpeg
                      : starts_with(bytes, kPng) ? read_png
                                                 : nullptr;
  if (reader == nullptr) {
    return invalid_file("it begins as neither JPEG nor PNG does, and other images are not read");
  }
  SLIPWAY_ASSIGN_OR_RETURN(Image image, reader(bytes, options));
  return converted(std::move(image), options.channels);
}

}  // namespace slipway::image
