// PNG by libpng.
#include <cstring>
#include <png.h>

#include "base/error.h"
#include "image/formats.h"
#include "image/jumping_reader.h"

namespace slipway::image {
namespace {

class PngReader : public JumpingReader<PngReader> {
 public:
  PngReader() = default;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Result<Image> read(std::span<const std::byte> bytes, const DecodeOptions& options) {
    rest_ = bytes;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, warn);
    if (png_ == nullptr) return resource_exhausted("there is no memory to read it with");
    if (!guarded(&PngReader::read_header)) return error();
    const bool has_colours = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) != 0;
    return read_image({png_get_image_height(png_, info_), png_get_image_width(png_, info_)},
                      has_colours ? 3 : 1, options);
  }

 private:
  friend JumpingReader;

  static PngReader& of(png_structp png) { return *static_cast<PngReader*>(png_get_error_ptr(png)); }

  void read_header() {
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) png_error(png_, "there is no memory for its header");
    png_set_read_fn(png_, this, [](png_structp png, png_bytep bytes, size_t count) {
      PngReader& reader = *static_cast<PngReader*>(png_get_io_ptr(png));
      if (count > reader.rest_.size()) png_error(png, "it is cut short");
      std::memcpy(bytes, reader.rest_.data(), count);
      reader.rest_ = reader.rest_.subspan(count);
    });
    // What is not used is not unpacked either: texts, profiles, gamma.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
  }

  void read_pixels() {
    png_set_strip_16(png_);
    png_set_palette_to_rgb(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_strip_alpha(png_);
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != row_bytes()) png_error(png_, "its rows are of no size");
    const size_t height = png_get_image_height(png_, info_);
    for (int pass = 0; pass < passes; ++pass) {
      for (size_t i = 0; i < height; ++i) png_read_row(png_, row(i), nullptr);
    }
    png_read_end(png_, nullptr);
  }

  static void warn(png_structp png, png_const_charp message) {
    PngReader& reader = of(png);
    if (reader.is_first_warning()) reader.keep(message);
  }
  [[noreturn]] static void fail(png_structp png, png_const_charp message) {
    PngReader& reader = of(png);
    reader.keep(message);
    reader.jump();
  }

  Error error() const { return invalid_file("the PNG can't be read: {}", message_.data()); }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::span<const std::byte> rest_;
};

}  // namespace

Result<Image> read_png(std::span<const std::byte> bytes, const DecodeOptions& options) {
  PngReader reader;
  return reader.read(bytes, options);
}

}  // namespace slipway::image
