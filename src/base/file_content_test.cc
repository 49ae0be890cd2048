#include "base/file_content.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace slipway {
namespace {

using namespace std::string_view_literals;

std::string describe(std::string_view text) {
  return describe_foreign_content(std::as_bytes(std::span(text)));
}

TEST(FileContent, KnowsWhatUsersGiveByMistake) {
  const std::pair<std::string_view, const char*> cases[] = {
      {"\x08\x0a\x12\x07pytorch:"sv, "ONNX"},
      {"\x08\x07:\x80\x01\x0a\x10\x0a"sv, "ONNX"},
      {"import torch\nclass M:\n"sv, "Python source"},
      {"# a model\nimport torch\n"sv, "Python source"},
      {"\x80\x02}q\x00."sv, "pickle"},
      {"\x02\x00\x00\x00\x00\x00\x00\x00{}data"sv, "safetensors"},
      {"GGUF\x03\x00\x00\x00"sv, "GGUF"},
      {"\x89HDF\r\n\x1a\n...."sv, "HDF5"},
      {"version https://git-lfs.github.com/spec/v1\n"sv, "git lfs pull"},
      {"\x1f\x8b\x08\x00"sv, "gzip"},
      {"\x93NUMPY\x01\x00"sv, "an input of a model"},
      {"<!DOCTYPE html>"sv, "download went wrong"},
  };
  for (const auto& [bytes, expected] : cases) {
    EXPECT_NE(describe(bytes).find(expected), std::string::npos) << expected << describe(bytes);
  }
}

TEST(FileContent, SaysNothingOfOthers) {
  EXPECT_EQ(describe(""), "");
  EXPECT_EQ(describe("PK\x03\x04"), "");
  EXPECT_EQ(describe("{\"a\": 1}"), "");
  EXPECT_EQ(describe("\x08\x00"sv), "");
  // Every prefix can be asked about.
  const std::string_view onnx = "\x08\x0a\x12\x07pytorch:"sv;
  for (size_t size = 0; size < 4; ++size) describe(onnx.substr(0, size));
}

}  // namespace
}  // namespace slipway
