#include <cstring>
#include <numeric>
#include <string>

#include <gtest/gtest.h>

#include "base/npy_pieces.h"

namespace slipway {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto span = std::as_bytes(std::span<const char>(text));
  return {span.begin(), span.end()};
}

// A file with this header, version and data.
std::vector<std::byte> npy(const std::string& header, const std::string& data, int version = 1) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  if (version > 1) text += std::string(2, '\0');
  return bytes_of(text + header + data);
}

std::string floats(std::vector<float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> values_of(const Tensor& tensor) {
  return {tensor.data_as<float>(), tensor.data_as<float>() + tensor.numel()};
}

TEST(NpyTest, EveryTypeIsReadBack) {
  int written = 0;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    for (const std::vector<int64_t>& sizes :
         {std::vector<int64_t>{}, {3}, {2, 3}, {0, 2}, {1, 2, 1, 4}}) {
      auto tensor = Tensor::zeros(dtype, sizes);
      ASSERT_TRUE(tensor.ok());
      std::memset(tensor->data(), 1, tensor->nbytes());
      auto pieces = npy_pieces(*tensor);
      if (!pieces.ok()) {
        EXPECT_EQ(pieces.error().code(), ErrorCode::kInvalidArgument);
        continue;
      }
      ++written;
      auto file = write_to_memory(*pieces);
      ASSERT_TRUE(file.ok());
      EXPECT_EQ((file->size() - tensor->nbytes()) % 64, 0u);
      auto again = read_npy(*file, "again.npy");
      ASSERT_TRUE(again.ok()) << again.error().message();
      EXPECT_EQ(again->dtype(), dtype);
      EXPECT_EQ(again->sizes(), sizes);
      EXPECT_EQ(std::memcmp(again->data(), tensor->data(), tensor->nbytes()), 0);
    }
  }
  EXPECT_EQ(written, 14 * 5);
}

TEST(NpyTest, FilesAreReadBack) {
  const std::string path = testing::TempDir() + "npy_test.npy";
  auto tensor = Tensor::zeros(DType::kInt64, {5});
  ASSERT_TRUE(tensor.ok());
  std::iota(tensor->data_as<int64_t>(), tensor->data_as<int64_t>() + 5, -2);
  ASSERT_TRUE(write_npy(path, *tensor).ok());
  auto again = read_npy(path);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->data_as<int64_t>()[0], -2);
  EXPECT_EQ(again->data_as<int64_t>()[4], 2);
}

TEST(NpyTest, FortranOrderIsLaidOutAnew) {
  auto tensor = read_npy(
      npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", floats({0, 3, 1, 4, 2, 5})),
      "f.npy");
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(values_of(*tensor), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  auto cube = read_npy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2, 2), }",
                           floats({0, 4, 2, 6, 1, 5, 3, 7})),
                       "f.npy");
  ASSERT_TRUE(cube.ok());
  EXPECT_EQ(values_of(*cube), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(NpyTest, OtherVersionsAndSpellingsAreRead) {
  for (int version : {2, 3}) {
    auto tensor = read_npy(
        npy("{\"shape\":(1L,),'fortran_order':False, 'descr':'<f4'}\n", floats({1.5F}), version),
        "v.npy");
    ASSERT_TRUE(tensor.ok()) << tensor.error().message();
    EXPECT_EQ(values_of(*tensor), std::vector<float>{1.5F});
  }
}

TEST(NpyTest, BooleansAreZeroOrOne) {
  auto tensor = read_npy(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }",
                             std::string("\0\x01\x80", 3)),
                         "b.npy");
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->data_as<uint8_t>()[1], 1);
  EXPECT_EQ(tensor->data_as<uint8_t>()[2], 1);
}

TEST(NpyTest, ErrorsNameTheFileAndTheReason) {
  const std::string shape = "'fortran_order': False, 'shape': (1,), }";
  auto big_endian = read_npy(npy("{'descr': '>f4', " + shape, floats({1})), "x.npy");
  ASSERT_FALSE(big_endian.ok());
  EXPECT_EQ(big_endian.error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(big_endian.error().message().find("x.npy: type \">f4\" is not supported"), 0u);
  EXPECT_EQ(read_npy(npy("{'descr': [('a', '<f4')], " + shape, ""), "x").error().code(),
            ErrorCode::kUnsupported);
  EXPECT_EQ(read_npy(npy("{'descr': '|O', " + shape, ""), "x").error().code(),
            ErrorCode::kUnsupported);
  auto long_file = read_npy(npy("{'descr': '<f4', " + shape, floats({1, 2})), "x");
  EXPECT_EQ(long_file.error().message(),
            "x: float32[1] takes 4 bytes, but the file has 8 after its header");
  EXPECT_EQ(read_npy(bytes_of("PK\x03\x04"), "x").error().message(), "x: not a .npy file");
}

TEST(NpyTest, MalformedHeadersAreRefused) {
  for (const char* header :
       {"", "{", "{}", "[]", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}"}) {
    auto tensor = read_npy(npy(header, floats({1})), "x");
    ASSERT_FALSE(tensor.ok()) << header;
    EXPECT_EQ(tensor.error().code(), ErrorCode::kInvalidFile) << header;
  }
}

TEST(NpyTest, EveryTruncationIsAnErrorAndNoFlipCrashes) {
  auto tensor = Tensor::zeros(DType::kFloat32, {2, 3});
  ASSERT_TRUE(tensor.ok());
  const auto file = write_to_memory(*npy_pieces(*tensor));
  ASSERT_TRUE(file.ok());
  for (size_t size = 0; size < file->size(); ++size) {
    EXPECT_FALSE(read_npy(std::span(*file).first(size), "cut").ok()) << size;
  }
  for (size_t i = 0; i < file->size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      auto damaged = *file;
      damaged[i] ^= static_cast<std::byte>(mask);
      const auto read = read_npy(damaged, "flipped");
      if (read.ok()) {
        EXPECT_EQ(read->nbytes(), tensor->nbytes());
      }
    }
  }
}

}  // namespace
}  // namespace slipway
