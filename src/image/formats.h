// The readers behind image::decode. Each gives the channels that the file has: grey or colours.
#pragma once

#include "image/image.h"

namespace slipway::image {

Result<Image> read_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options);
Result<Image> read_png(std::span<const std::byte> bytes, const DecodeOptions& options);

// An image of zeros once its size is found to be taken.
Result<Image> make_image(const Size& size, int channels, const DecodeOptions& options);

}  // namespace slipway::image
