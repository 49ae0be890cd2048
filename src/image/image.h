// Pictures out of JPEG and PNG files, as PIL reads, converts and resizes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "slipway/result.h"

namespace slipway::image {

struct Size {
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const Size&) const = default;
};

// No larger picture is read or made.
inline constexpr int64_t kMostPixels = 100'000'000;

// 8 bits a channel: rows from the top, the channels of a pixel side by side.
struct Image {
  Size size;
  int channels = 0;  // 1: grey; 3: red, green and blue
  std::vector<uint8_t> pixels;

  size_t row_bytes() const { return static_cast<size_t>(size.width * channels); }
};

struct DecodeOptions {
  int channels = 3;
  // Called before memory is taken for pixels: its error is the result.
  std::function<Status(const Size&)> check_size = [](const Size&) { return Status(); };
  // Told what the libraries read over.
  std::function<void(const std::string&)> on_warning = [](const std::string&) {};
};

// A file's content decides whether it is JPEG or PNG. Colours become grey by ITU-R 601,
// transparency and the low 8 of 16 bits are dropped, profiles of colours and the orientation that a
// camera noted are not applied: as `Image.open(path).convert("RGB")` does, or "L". A file that is
// cut short is an error.
Result<Image> decode(std::span<const std::byte> bytes, const DecodeOptions& options);

// PIL's bilinear filter, which takes the mean of what becomes one pixel where a picture shrinks:
// first along the width. Newer PILs begin with the height where that is faster, and then differ
// by 1.
Result<Image> resize(const Image& image, const Size& size);

// The middle, as torchvision's CenterCrop takes it; an error where the image is smaller.
Result<Image> crop(const Image& image, const Size& size);

}  // namespace slipway::image
