#include "cli/image_input.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/half.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "cli/option_names.h"
#include "image/image.h"

namespace slipway::cli {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool has_image_name(const std::string& path) {
  std::string end = path.substr(path.size() - std::min<size_t>(path.size(), 5));
  std::transform(end.begin(), end.end(), end.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return end.ends_with(".jpg") || end.ends_with(".jpeg") || end.ends_with(".png");
}

// Numbers with commas between them.
template <class T>
Result<std::vector<T>> parse_numbers(const char* flag, const std::string& text) {
  std::vector<T> numbers;
  for (std::string part : split(text)) {
    part.erase(0, part.find_first_not_of(' '));
    T number{};
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size() || part.empty() ||
        !std::isfinite(static_cast<double>(number))) {
      return invalid_argument("{} {}: '{}' is no number of those that it takes", flag, text, part);
    }
    numbers.push_back(number);
  }
  return numbers;
}

// One or two sizes: 224, or 240,320.
Result<std::vector<int64_t>> parse_size(const char* flag, const std::string& text) {
  SLIPWAY_ASSIGN_OR_RETURN(auto sizes, parse_numbers<int64_t>(flag, text));
  if (sizes.size() > 2 || *std::min_element(sizes.begin(), sizes.end()) < 1) {
    return invalid_argument("{} {}: expected one size, or height and width: 224 or 240,320", flag,
                            text);
  }
  return sizes;
}

// How an input's sizes are those of images.
struct Layout {
  int channels = 3;
  bool are_channels_last = false;
  std::optional<SizeInfo> count;
  SizeInfo height;
  SizeInfo width;
};

Result<Layout> layout_of(const ValueInfo& input, const TensorInfo& tensor) {
  const std::vector<SizeInfo>& sizes = tensor.sizes;
  Layout layout;
  if (sizes.size() == 4) layout.count = sizes.front();
  if (sizes.size() == 3 || sizes.size() == 4) {
    const SizeInfo& first = sizes[sizes.size() - 3];
    const SizeInfo& last = sizes.back();
    for (const int channels : {3, 1}) {
      const auto is = [&](const SizeInfo& size) {
        return size.min == channels && size.max == channels;
      };
      if (!is(first) && !is(last)) continue;
      layout.channels = channels;
      layout.are_channels_last = !is(first);
      layout.height = sizes[sizes.size() - (layout.are_channels_last ? 3 : 2)];
      layout.width = sizes[sizes.size() - (layout.are_channels_last ? 2 : 1)];
      return layout;
    }
  }
  return invalid_argument(
      "an image can be an input of 3 channels or 1, such as float32[1, 3, 224, 224], and this is "
      "{}: give a .npy file",
      input.type_text());
}

std::string range_text(const SizeInfo& size) {
  if (size.min == size.max) return std::to_string(size.min);
  return fmt::format("{} to {}", size.min, size.max);
}

bool fits(const SizeInfo& size, int64_t value) { return size.min <= value && value <= size.max; }

Status check_size(const Layout& layout, const image::Size& size) {
  if (fits(layout.height, size.height) && fits(layout.width, size.width)) return {};
  const bool is_fixed =
      layout.height.min == layout.height.max && layout.width.min == layout.width.max;
  return invalid_argument(
      "the image is {} high and {} wide, and the input takes {} and {}: add --resize {}, or "
      "--resize "
      "for its shorter side and --crop, or convert it before",
      size.height, size.width, range_text(layout.height), range_text(layout.width),
      is_fixed ? fmt::format("{},{}", layout.height.min, layout.width.min) : "HEIGHT,WIDTH");
}

struct Steps {
  std::vector<int64_t> resize;
  std::vector<int64_t> crop;
  std::vector<float> mean;
  std::vector<float> std;
};

// As many numbers as channels.
Result<std::vector<float>> parse_channels(const char* flag, const std::string& text,
                                          float otherwise, int channels) {
  const auto count = static_cast<size_t>(channels);
  if (text.empty()) return std::vector<float>(count, otherwise);
  SLIPWAY_ASSIGN_OR_RETURN(auto numbers, parse_numbers<float>(flag, text));
  if (numbers.size() == 1) numbers.resize(count, numbers.front());
  if (numbers.size() != count) {
    return invalid_argument("{} {}: expected one number, or one for each of {} channels", flag,
                            text, channels);
  }
  return numbers;
}

Result<Steps> parse_steps(const ImageOptions& options, const Layout& layout, DType dtype) {
  Steps steps;
  if (!options.resize.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(steps.resize, parse_size("--resize", options.resize));
  }
  if (!options.crop.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(steps.crop, parse_size("--crop", options.crop));
    if (steps.crop.size() == 1) steps.crop.push_back(steps.crop.front());
  }
  if (dtype == DType::kUInt8) {
    if (options.mean.empty() && options.std.empty()) return steps;
    return invalid_argument("--mean and --std are of floats: uint8 takes an image as it is");
  }
  SLIPWAY_ASSIGN_OR_RETURN(steps.mean, parse_channels("--mean", options.mean, 0, layout.channels));
  SLIPWAY_ASSIGN_OR_RETURN(steps.std, parse_channels("--std", options.std, 1, layout.channels));
  if (std::find(steps.std.begin(), steps.std.end(), 0) != steps.std.end()) {
    return invalid_argument("--std {}: 0 can't be divided by", options.std);
  }
  return steps;
}

Result<image::Image> read_image(const std::string& file, std::span<const std::byte> bytes,
                                const Layout& layout, const Steps& steps) {
  image::DecodeOptions options;
  options.channels = layout.channels;
  options.on_warning = [&](const std::string& message) { print_warning(file + ": " + message); };
  if (steps.resize.empty() && steps.crop.empty()) {
    options.check_size = [&](const image::Size& size) { return check_size(layout, size); };
  }
  SLIPWAY_ASSIGN_OR_RETURN(image::Image image, image::decode(bytes, options));
  if (!steps.resize.empty()) {
    image::Size size{steps.resize.front(), steps.resize.back()};
    if (steps.resize.size() == 1) {
      // The longer side as torchvision's Resize has it.
      const int64_t shorter = std::min(image.size.height, image.size.width);
      const auto scaled = [&](int64_t side) {
        return static_cast<int64_t>(static_cast<double>(size.height) * static_cast<double>(side) /
                                    static_cast<double>(shorter));
      };
      if (size.height > image::kMostPixels) {
        return invalid_argument("--resize {} is larger than any image that is made", size.height);
      }
      size = {scaled(image.size.height), scaled(image.size.width)};
    }
    SLIPWAY_ASSIGN_OR_RETURN(image, image::resize(image, size));
  }
  if (!steps.crop.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(image, image::crop(image, {steps.crop.front(), steps.crop.back()}));
  }
  SLIPWAY_RETURN_IF_ERROR(check_size(layout, image.size));
  return image;
}

// Bytes of pixels as elements, from element `start` of the tensor on; `element_of` makes one of a
// byte of a channel.
template <class T, class ElementOf>
void fill(const image::Image& image, bool are_channels_last, size_t start, Tensor& tensor,
          const ElementOf& element_of) {
  const auto channels = static_cast<size_t>(image.channels);
  const size_t count = image.pixels.size() / channels;
  T* out = tensor.data_as<T>() + start;
  for (size_t channel = 0; channel < channels; ++channel) {
    std::array<T, 256> elements;
    for (size_t byte = 0; byte < elements.size(); ++byte) {
      elements[byte] = element_of(static_cast<uint8_t>(byte), channel);
    }
    T* plane = are_channels_last ? out + channel : out + channel * count;
    const size_t step = are_channels_last ? channels : 1;
    for (size_t i = 0; i < count; ++i)
      plane[i * step] = elements[image.pixels[i * channels + channel]];
  }
}

Status fill(const image::Image& image, const Layout& layout, const Steps& steps, size_t start,
            Tensor& tensor) {
  const auto normalized = [&](uint8_t byte, size_t channel) {
    return (static_cast<float>(byte) / 255.0F - steps.mean[channel]) / steps.std[channel];
  };
  const bool last = layout.are_channels_last;
  switch (tensor.dtype()) {
    case DType::kUInt8:
      fill<uint8_t>(image, last, start, tensor, [](uint8_t byte, size_t) { return byte; });
      return {};
    case DType::kFloat32:
      fill<float>(image, last, start, tensor, normalized);
      return {};
    case DType::kFloat64:
      fill<double>(image, last, start, tensor, normalized);
      return {};
    case DType::kFloat16:
      fill<uint16_t>(image, last, start, tensor, [&](uint8_t byte, size_t channel) {
        return to_float16(normalized(byte, channel));
      });
      return {};
    case DType::kBFloat16:
      fill<uint16_t>(image, last, start, tensor, [&](uint8_t byte, size_t channel) {
        return to_bfloat16(normalized(byte, channel));
      });
      return {};
    default:
      return invalid_argument(
          "an image can be an input of floats or of uint8, and this is {}: give a .npy file",
          dtype_name(tensor.dtype()));
  }
}

}  // namespace

void ImageOptions::add_to(const Command& command) {
  command
      .add_option("--resize", resize,
                  "Resize images first: the shorter side to this size, or to a height and width, "
                  "as PIL's bilinear filter does")
      .type_name("SIZE[,WIDTH]");
  command.add_option("--crop", crop, "Then take the middle of images: so high and so wide")
      .type_name("SIZE[,WIDTH]");
  command
      .add_option("--mean", mean,
                  "Subtract this of images, whose values are 0 to 1: one number, or one for each "
                  "channel: 0.485,0.456,0.406")
      .type_name("NUMBERS");
  command.add_option("--std", std, "Then divide by this: one number, or one for each channel")
      .type_name("NUMBERS");
}

std::string ImageOptions::given() const {
  if (!resize.empty()) return "--resize";
  if (!crop.empty()) return "--crop";
  if (!mean.empty()) return "--mean";
  return std.empty() ? "" : "--std";
}

std::vector<std::string> image_files(const std::string& value) {
  if (!has_image_name(value)) return {};
  std::vector<std::string> files = split(value);
  if (std::all_of(files.begin(), files.end(), has_image_name)) return files;
  return {value};
}

Result<Tensor> read_images(const std::vector<std::string>& files, const ValueInfo& input,
                           const ImageOptions& options) {
  if (input.tensor() == nullptr) {
    return invalid_argument("an image is a tensor, and this input is {}", input.type_text());
  }
  const TensorInfo& info = *input.tensor();
  SLIPWAY_ASSIGN_OR_RETURN(const Layout layout, layout_of(input, info));
  SLIPWAY_ASSIGN_OR_RETURN(const Steps steps, parse_steps(options, layout, info.dtype));
  const auto count = static_cast<int64_t>(files.size());
  const SizeInfo taken = layout.count.value_or(SizeInfo{"1", 1, 1});
  if (!fits(taken, count)) {
    return invalid_argument("{} given, and the input takes {}: a.jpg,b.jpg are two",
                            count == 1 ? "1 image is" : fmt::format("{} images are", count),
                            range_text(taken));
  }
  std::optional<Tensor> tensor;
  image::Size size;
  for (size_t i = 0; i < files.size(); ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(const auto file, MappedFile::open(files[i]));
    const auto image = read_image(files[i], file->bytes(), layout, steps);
    if (!image.ok()) return image.error().with_context(files[i]);
    if (!tensor) {
      size = image->size;
      std::vector<int64_t> sizes = {size.height, size.width};
      sizes.insert(layout.are_channels_last ? sizes.end() : sizes.begin(), layout.channels);
      if (layout.count) sizes.insert(sizes.begin(), count);
      SLIPWAY_ASSIGN_OR_RETURN(tensor, Tensor::zeros(info.dtype, std::move(sizes)));
    } else if (image->size != size) {
      return invalid_argument("{} is {} high and {} wide, and {} is {} and {}: add --resize {},{}",
                              files[i], image->size.height, image->size.width, files[0],
                              size.height, size.width, size.height, size.width);
    }
    SLIPWAY_RETURN_IF_ERROR(fill(*image, layout, steps, i * image->pixels.size(), *tensor));
  }
  return *tensor;
}

}  // namespace slipway::cli
