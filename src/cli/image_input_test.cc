#include "cli/image_input.h"

#include <cstring>
#include <fstream>

#include <gtest/gtest.h>

#include "cli/tool_test.h"

namespace slipway::cli {
namespace {

// Sizes of 0 are dynamic.
ValueInfo image_input(DType dtype, const std::vector<int64_t>& sizes) {
  TensorInfo tensor;
  tensor.dtype = dtype;
  for (const int64_t size : sizes) {
    tensor.sizes.push_back(size == 0 ? SizeInfo{"s", 2, 8}
                                     : SizeInfo{std::to_string(size), size, size});
  }
  return {"x", tensor};
}

std::string picture(const std::string& name) { return data_path("fuzz/image/" + name); }

std::string error_of(const ValueInfo& input, const ImageOptions& options,
                     const std::vector<std::string>& files = {picture("rgb.png")}) {
  const auto tensor = read_images(files, input, options);
  return tensor.ok() ? "" : tensor.error().message();
}

TEST(ImageFiles, AreToldByTheirNames) {
  EXPECT_EQ(image_files("a/cat.jpg"), std::vector<std::string>{"a/cat.jpg"});
  EXPECT_EQ(image_files("a.JPEG,b.Png"), (std::vector<std::string>{"a.JPEG", "b.Png"}));
  EXPECT_EQ(image_files("a,b.png"), std::vector<std::string>{"a,b.png"});
  for (const char* other : {"", "x.npy", "3", "\"cat.jpg\"", "a.jpg,b.npy", "jpg"}) {
    EXPECT_TRUE(image_files(other).empty()) << other;
  }
}

TEST(ReadImages, NormalizesAsTorchvisionDoes) {
  const ImageOptions options = {.mean = "0.485,0.456,0.406", .std = "0.229,0.224,0.225"};
  const auto tensor =
      read_images({picture("rgb.png")}, image_input(DType::kFloat32, {1, 3, 5, 7}), options);
  ASSERT_TRUE(tensor.ok()) << tensor.error().message();
  EXPECT_EQ(tensor->sizes(), (std::vector<int64_t>{1, 3, 5, 7}));
  const auto* values = tensor->data_as<float>();
  EXPECT_EQ(values[8], (34.0F / 255.0F - 0.485F) / 0.229F);
  EXPECT_EQ(values[35 + 8], (48.0F / 255.0F - 0.456F) / 0.224F);
  EXPECT_EQ(values[70 + 8], (215.0F / 255.0F - 0.406F) / 0.225F);

  const auto plain = read_images({picture("rgb.png")}, image_input(DType::kFloat32, {3, 0, 0}), {});
  EXPECT_EQ(plain->data_as<float>()[8], 34.0F / 255.0F);
  const auto one = read_images({picture("rgb.png")}, image_input(DType::kFloat64, {3, 5, 7}),
                               {.mean = "0.5", .std = "0.5"});
  EXPECT_EQ(one->data_as<double>()[70], 1);
  const auto half = read_images({picture("rgb.png")}, image_input(DType::kFloat16, {3, 5, 7}), {});
  EXPECT_EQ(half->data_as<uint16_t>()[70], 0x3c00);
  const auto brain =
      read_images({picture("rgb.png")}, image_input(DType::kBFloat16, {3, 5, 7}), {});
  EXPECT_EQ(brain->data_as<uint16_t>()[70], 0x3f80);
}

TEST(ReadImages, LaysChannelsWhereTheInputHasThem) {
  const auto first =
      read_images({picture("rgb.png")}, image_input(DType::kUInt8, {1, 3, 5, 7}), {});
  const auto last = read_images({picture("rgb.png")}, image_input(DType::kUInt8, {1, 5, 7, 3}), {});
  ASSERT_TRUE(first.ok() && last.ok());
  EXPECT_EQ(last->sizes(), (std::vector<int64_t>{1, 5, 7, 3}));
  for (int pixel = 0; pixel < 35; ++pixel) {
    for (int channel = 0; channel < 3; ++channel) {
      EXPECT_EQ(first->data_as<uint8_t>()[channel * 35 + pixel],
                last->data_as<uint8_t>()[pixel * 3 + channel]);
    }
  }
  for (const std::vector<int64_t>& grey : {std::vector<int64_t>{1, 5, 7}, {5, 7, 1}}) {
    const auto tensor = read_images({picture("rgb.png")}, image_input(DType::kUInt8, grey), {});
    ASSERT_TRUE(tensor.ok()) << tensor.error().message();
    EXPECT_EQ(tensor->sizes(), grey);
    EXPECT_EQ(tensor->data_as<uint8_t>()[1], 42);
  }
}

TEST(ReadImages, ResizesCropsAndMakesBatches) {
  const auto tensor =
      read_images({picture("rgb.png"), picture("grey.png")},
                  image_input(DType::kUInt8, {0, 3, 2, 4}), {.resize = "3", .crop = "2,4"});
  ASSERT_TRUE(tensor.ok()) << tensor.error().message();
  EXPECT_EQ(tensor->sizes(), (std::vector<int64_t>{2, 3, 2, 4}));
  const auto* second = tensor->data_as<uint8_t>() + 24;
  EXPECT_EQ(std::memcmp(second, second + 8, 8), 0);
  EXPECT_NE(std::memcmp(tensor->data(), second, 8), 0);
  EXPECT_EQ(error_of(image_input(DType::kUInt8, {3, 9, 4}), {.resize = "9,4"}), "");
}

TEST(ReadImages, SaysWhatDoesNotFit) {
  const ValueInfo input = image_input(DType::kFloat32, {1, 3, 5, 7});
  EXPECT_TRUE(contains(error_of(image_input(DType::kFloat32, {1, 3, 224, 200}), {}),
                       "is 5 high and 7 wide, and the input takes 224 and 200: add --resize "
                       "224,200"));
  EXPECT_TRUE(
      contains(error_of(image_input(DType::kFloat32, {3, 9, 0}), {}), "takes 9 and 2 to 8"));
  EXPECT_TRUE(contains(error_of(input, {.resize = "9"}), "is 9 high and 12 wide"));
  EXPECT_TRUE(contains(error_of(input, {.crop = "6"}), "no part 6 high"));
  EXPECT_TRUE(contains(error_of(input, {}, {picture("rgb.png"), picture("rgb.png")}),
                       "2 images are given, and the input takes 1"));
  EXPECT_TRUE(contains(error_of(image_input(DType::kFloat32, {0, 3, 5, 7}), {}),
                       "1 image is given, and the input takes 2 to 8"));
  EXPECT_TRUE(contains(error_of(input, {}, {"nowhere.png"}), "nowhere.png"));
  for (const ValueInfo& other :
       {image_input(DType::kFloat32, {1, 4, 5, 7}), image_input(DType::kFloat32, {5, 7}),
        ValueInfo{"n", IntegerInfo{}}}) {
    EXPECT_FALSE(error_of(other, {}).empty());
  }
  EXPECT_TRUE(contains(error_of(image_input(DType::kInt8, {3, 5, 7}), {}), "this is int8"));
  EXPECT_TRUE(
      contains(error_of(image_input(DType::kUInt8, {3, 5, 7}), {.mean = "0.5"}), "of floats"));
  for (const ImageOptions& wrong : {ImageOptions{.resize = "0"},
                                    {.resize = "1,2,3"},
                                    {.resize = "2x2"},
                                    {.crop = "-3"},
                                    {.mean = "0.1,0.2"},
                                    {.mean = "nan"},
                                    {.mean = "a"},
                                    {.mean = "1,"},
                                    {.std = "0"},
                                    {.std = "inf"},
                                    {.resize = "9000000000000000000"}}) {
    EXPECT_FALSE(error_of(input, wrong).empty()) << wrong.given();
  }
}

class ImageInput : public Tool {};

TEST_F(ImageInput, RunsAndVerifies) {
  const std::string model = compile("golden/conv_dyn.pt2", "model.pte", "none");
  const std::vector<std::string> images = {
      "--input",  "x=" + picture("rgb.png") + "," + picture("rgb.jpg"),
      "--resize", "16,16",
      "--mean",   "0.485,0.456,0.406"};
  const auto with_images = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), images.begin(), images.end());
    return run(arguments);
  };
  const Outcome ran = with_images({"run", model, "--output-dir", path("out")});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "float32[2, ")) << ran.out;
  const Outcome verified = with_images({"verify", model, "--reference", path("out")});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;

  const Outcome small = run({"run", model, "--input", "x=" + picture("rgb.png")});
  EXPECT_EQ(small.code, 2);
  EXPECT_TRUE(contains(small.err, "rgb.png: the image is 5 high and 7 wide")) << small.err;
  const Outcome none = run({"run", model, "--random-inputs", "1", "--mean", "0.5"});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(contains(none.err, "--mean is of images")) << none.err;
  const Outcome unnamed = run({"verify", model, "--reference", path("out"), "--crop", "16"});
  EXPECT_EQ(unnamed.code, 2);
}

TEST_F(ImageInput, ShowsWhatTheLibrariesReadOver) {
  // A byte between two segments of the file.
  std::string jpeg = read_file(picture("rgb.jpg"));
  jpeg.insert(jpeg.find("\xff\xdb"), "\x01");
  std::ofstream(path("odd.jpg"), std::ios::binary) << jpeg;
  const std::string model = compile("golden/conv_dyn.pt2", "model.pte", "none");
  const Outcome ran = run({"run", model, "--input", "x=" + path("odd.jpg"), "--resize", "16,16"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.err, "odd.jpg: Corrupt JPEG data: 1 extraneous bytes")) << ran.err;
}

}  // namespace
}  // namespace slipway::cli
