#include "image/image.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/mapped_file.h"

namespace slipway::image {
namespace {

std::vector<std::byte> file(const std::string& name) {
  const auto mapped = MappedFile::open(std::string(SLIPWAY_TEST_DATA) + "/fuzz/image/" + name);
  EXPECT_TRUE(mapped.ok()) << name;
  return {(*mapped)->bytes().begin(), (*mapped)->bytes().end()};
}

std::vector<std::string> all_files() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(SLIPWAY_TEST_DATA) + "/fuzz/image")) {
    names.push_back(entry.path().filename());
  }
  return names;
}

DecodeOptions channels(int count) {
  DecodeOptions options;
  options.channels = count;
  return options;
}

// What tests/data/fuzz/make_images.py draws.
int drawn(int64_t row, int64_t column, int channel) {
  if (channel == 0) return static_cast<int>(4 + 30 * column);
  if (channel == 1) return static_cast<int>(8 + 40 * row);
  return static_cast<int>(255 - 20 * (row + column));
}

// The largest difference of a channel from the drawing.
int worst(const Image& image) {
  EXPECT_EQ(image.size, (Size{5, 7}));
  int most = 0;
  for (int64_t row = 0; row < 5; ++row) {
    for (int64_t column = 0; column < 7; ++column) {
      for (int channel = 0; channel < 3; ++channel) {
        const int found = image.pixels[static_cast<size_t>((row * 7 + column) * 3 + channel)];
        most = std::max(most, std::abs(found - drawn(row, column, channel)));
      }
    }
  }
  return most;
}

TEST(Decode, ReadsColours) {
  for (const char* name : {"rgb.png", "rgba.png", "palette.png", "rgb16.png", "interlaced.png"}) {
    const auto image = decode(file(name), channels(3));
    ASSERT_TRUE(image.ok()) << name << ": " << image.error().message();
    EXPECT_EQ(worst(*image), 0) << name;
  }
  for (const char* name : {"rgb.jpg", "turned.jpg", "progressive.jpg"}) {
    const auto image = decode(file(name), channels(3));
    ASSERT_TRUE(image.ok()) << name << ": " << image.error().message();
    EXPECT_LE(worst(*image), 4) << name;
  }
}

TEST(Decode, ReadsGreyAndMakesIt) {
  const std::vector<uint8_t> first = {35, 42, 48, 55, 62, 68, 75};
  for (const char* name : {"grey.png", "grey_alpha.png", "rgb.png", "interlaced.png"}) {
    const auto image = decode(file(name), channels(1));
    ASSERT_TRUE(image.ok()) << name << ": " << image.error().message();
    EXPECT_EQ(std::vector<uint8_t>(image->pixels.begin(), image->pixels.begin() + 7), first)
        << name;
  }
  EXPECT_EQ(decode(file("grey.jpg"), channels(1))->pixels.size(), 35);
  // The high ones of 16 bits; 4 bits as shares of 15.
  EXPECT_EQ(decode(file("grey16.png"), channels(1))->pixels[1], 34);
  EXPECT_EQ(decode(file("grey4.png"), channels(1))->pixels[1], 34);
  EXPECT_EQ(decode(file("grey4.png"), channels(1))->pixels[6], 187);
  const auto colours = decode(file("grey.png"), channels(3));
  EXPECT_EQ(std::vector<uint8_t>(colours->pixels.begin(), colours->pixels.begin() + 6),
            (std::vector<uint8_t>{35, 35, 35, 42, 42, 42}));
  const auto two = decode(file("black_and_white.png"), channels(1));
  for (const uint8_t pixel : two->pixels) {
    EXPECT_TRUE(pixel == 0 || pixel == 255);
  }
}

TEST(Decode, RefusesOtherFiles) {
  EXPECT_EQ(decode(file("inks.jpg"), {}).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(decode({}, {}).error().code(), ErrorCode::kInvalidFile);
  const std::string text = "GIF89a and so on";
  EXPECT_EQ(decode(std::as_bytes(std::span(text)), {}).error().code(), ErrorCode::kInvalidFile);
}

TEST(Decode, AsksForTheSizeBeforeItTakesMemory) {
  for (const char* name : {"rgb.png", "rgb.jpg"}) {
    std::vector<std::byte> bytes = file(name);
    DecodeOptions options;
    options.check_size = [](const Size& size) -> Status {
      return invalid_argument("{} and {}", size.height, size.width);
    };
    EXPECT_EQ(decode(bytes, options).error().message(), "5 and 7") << name;
    // 65,500 high and wide are four gigabytes.
    const std::string sizes = name == std::string("rgb.png") ? std::string("\0\0\0\7\0\0\0\5", 8)
                                                             : std::string("\0\5\0\7", 4);
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const size_t at = text.find(sizes);
    ASSERT_NE(at, std::string::npos);
    for (size_t end = at + sizes.size(); end > at; end -= sizes.size() / 2) {
      bytes[end - 2] = std::byte{0xff};
      bytes[end - 1] = std::byte{0xdc};
    }
    const auto large = decode(bytes, {});
    ASSERT_FALSE(large.ok());
    // A PNG's header has a checksum.
    EXPECT_EQ(large.error().code(), name == std::string("rgb.png") ? ErrorCode::kInvalidFile
                                                                   : ErrorCode::kInvalidArgument);
  }
}

TEST(Decode, OfAFileThatIsCutShortIsAnError) {
  for (const std::string& name : all_files()) {
    const std::vector<std::byte> bytes = file(name);
    for (size_t length = 0; length < bytes.size(); ++length) {
      // In memory of its own, so that reading past its end is found.
      const std::vector<std::byte> part(bytes.begin(),
                                        bytes.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_FALSE(decode(part, {}).ok()) << name << " of " << length << " bytes";
    }
  }
}

TEST(Decode, OfADamagedFileIsAnErrorOrAnImage) {
  size_t warnings = 0;
  size_t errors = 0;
  for (const std::string& name : all_files()) {
    std::vector<std::byte> bytes = file(name);
    DecodeOptions options;
    options.check_size = [](const Size& size) -> Status {
      if (size.height <= 256 && size.width <= 256) return {};
      return invalid_argument("too large");
    };
    options.on_warning = [&](const std::string& message) {
      EXPECT_FALSE(message.empty());
      ++warnings;
    };
    for (std::byte& byte : bytes) {
      for (const int mask : {0xff, 0x01, 0x80}) {
        byte ^= static_cast<std::byte>(mask);
        const auto image = decode(bytes, options);
        if (image.ok()) {
          EXPECT_EQ(image->pixels.size(),
                    static_cast<size_t>(image->size.height) * image->row_bytes());
        } else {
          ++errors;
        }
        byte ^= static_cast<std::byte>(mask);
      }
    }
  }
  EXPECT_GT(warnings, 0);
  EXPECT_GT(errors, 0);
}

TEST(Resize, IsPilsBilinearFilter) {
  const Image grey = *decode(file("grey.png"), channels(1));
  EXPECT_EQ(resize(grey, {2, 3})->pixels, (std::vector<uint8_t>{62, 76, 91, 104, 119, 133}));
  EXPECT_EQ(resize(grey, {6, 4})->pixels,
            (std::vector<uint8_t>{39, 49,  61,  71,  55,  65,  77,  88,  72,  82,  94,  105,  //
                                  90, 100, 112, 123, 107, 118, 130, 140, 123, 134, 146, 156}));
  EXPECT_EQ(resize(grey, grey.size)->pixels, grey.pixels);
  EXPECT_FALSE(resize(grey, {kMostPixels, 2}).ok());
  EXPECT_FALSE(resize(grey, {0, 2}).ok());
}

TEST(Crop, TakesTheMiddle) {
  const Image image{{1, 7}, 1, {0, 1, 2, 3, 4, 5, 6}};
  // Before it lie 2, by Python's round(1.5), and 2, by round(2.5).
  EXPECT_EQ(crop(image, {1, 4})->pixels, (std::vector<uint8_t>{2, 3, 4, 5}));
  EXPECT_EQ(crop(image, {1, 2})->pixels, (std::vector<uint8_t>{2, 3}));
  EXPECT_EQ(crop(image, {1, 3})->pixels, (std::vector<uint8_t>{2, 3, 4}));
  EXPECT_FALSE(crop(image, {2, 3}).ok());
  const Image colours = *decode(file("rgb.png"), channels(3));
  const Image part = *crop(colours, {3, 3});
  EXPECT_EQ(part.pixels[0], drawn(1, 2, 0));
  EXPECT_EQ(part.pixels[3 * 3 + 1], drawn(2, 2, 1));
}

}  // namespace
}  // namespace slipway::image
