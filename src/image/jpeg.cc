// JPEG by libjpeg-turbo.
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>

#include "base/error.h"
#include "image/formats.h"
#include "image/jumping_reader.h"

namespace slipway::image {
namespace {

// Each scan goes through the whole picture: a small file could ask for any time.
constexpr int kMostScans = 500;

class JpegReader : public JumpingReader<JpegReader> {
 public:
  JpegReader() {
    static_assert(sizeof message_ == JMSG_LENGTH_MAX);
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { of(info).fail(); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) of(info).warn();
    };
    progress_.progress_monitor = [](j_common_ptr info) {
      JpegReader& reader = of(info);
      if (reader.info_.input_scan_number > kMostScans) reader.fail("it has too many scans");
    };
    info_.client_data = this;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Result<Image> read(std::span<const std::byte> bytes, const DecodeOptions& options) {
    bytes_ = bytes;
    if (!guarded(&JpegReader::read_header)) return error();
    const bool is_grey = info_.jpeg_color_space == JCS_GRAYSCALE;
    if (!is_grey && info_.jpeg_color_space != JCS_YCbCr && info_.jpeg_color_space != JCS_RGB) {
      return unsupported("it is a JPEG of {} inks or unknown colours: save it with RGB",
                         info_.num_components);
    }
    info_.out_color_space = is_grey ? JCS_GRAYSCALE : JCS_RGB;
    return read_image({info_.image_height, info_.image_width}, is_grey ? 1 : 3, options);
  }

 private:
  friend JumpingReader;

  static JpegReader& of(j_common_ptr info) { return *static_cast<JpegReader*>(info->client_data); }

  void read_header() {
    jpeg_create_decompress(&info_);
    info_.progress = &progress_;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
  }

  void read_pixels() {
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW line = row(info_.output_scanline);
      jpeg_read_scanlines(&info_, &line, 1);
    }
    jpeg_finish_decompress(&info_);
  }

  void format_message() {
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), message_.data());
  }

  void warn() {
    if (errors_.msg_code == JWRN_JPEG_EOF) fail("it is cut short");
    if (is_first_warning()) format_message();
  }

  [[noreturn]] void fail() {
    format_message();
    jump();
  }
  [[noreturn]] void fail(const char* message) {
    keep(message);
    jump();
  }

  Error error() const {
    if (errors_.msg_code == JERR_OUT_OF_MEMORY) return resource_exhausted("{}", message_.data());
    return invalid_file("the JPEG can't be read: {}", message_.data());
  }

  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  std::span<const std::byte> bytes_;
};

}  // namespace

Result<Image> read_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options) {
  JpegReader reader;
  return reader.read(bytes, options);
}

}  // namespace slipway::image
