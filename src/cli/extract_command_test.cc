#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/memory_limit_test.h"
#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "cli/commands.h"
#include "pte/reader/program_test.h"
#include "tensorrt/format/blob.h"

namespace slipway::cli {
namespace {

using testing::HasSubstr;

const std::string kFile = SLIPWAY_TEST_DATA "/runtime/tensorrt.pte";

int run(std::vector<std::string> arguments) {
  std::vector<const char*> argv = {"slipway", "extract"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  return run_tool(static_cast<int>(argv.size()), argv.data());
}

class ExtractTest : public testing::Test {
 protected:
  void SetUp() override { output_ = folder_ / "x.engine"; }

  // What the output has afterwards.
  std::string extract(const std::string& file, const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {file, "-o", output_};
    arguments.insert(arguments.end(), options.begin(), options.end());
    testing::internal::CaptureStdout();
    EXPECT_EQ(run(arguments), 0);
    testing::internal::GetCapturedStdout();
    std::ifstream stream(output_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  std::string error_of(const std::string& file, const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {file, "-o", output_};
    arguments.insert(arguments.end(), options.begin(), options.end());
    std::filesystem::remove(output_);
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(arguments), 1);
    EXPECT_FALSE(std::filesystem::exists(output_));
    return testing::internal::GetCapturedStderr();
  }

  // A file without a manifest, with one engine of `plan`.
  std::string foreign(const char* backend, const std::string& data) {
    pte::TestProgram program;
    const int32_t x = program.tensor({});
    const int32_t y = program.tensor({});
    program.inputs = {x};
    program.outputs = {y};
    program.delegate(backend, executorch_flatbuffer::DataLocation::SEGMENT, program.segment(data));
    program.call_delegate(0, {x, y});
    const std::string path = folder_ / "foreign.pte";
    EXPECT_TRUE(write_file(path, program.build()).ok());
    return path;
  }

  static std::string blob_of(const std::string& plan) {
    tensorrt::Metadata metadata;
    metadata.io_bindings = {{"x", "float32", {2, 3}, true}, {"y", "float32", {2, 3}, false}};
    const auto header = tensorrt::write_header(metadata, plan.size());
    EXPECT_TRUE(header.ok());
    return std::string(reinterpret_cast<const char*>(header->data()), header->size()) + plan;
  }

  TestFolder folder_;
  std::string output_;
};

TEST_F(ExtractTest, APlanComesWithoutItsHeader) {
  EXPECT_EQ(extract(kFile), "a plan");
  EXPECT_EQ(extract(kFile, {"--engine", "0", "--method", "forward"}), "a plan");
}

TEST_F(ExtractTest, ATargetPicksAVariant) {
  EXPECT_EQ(extract(kFile, {"--target", "sm_120"}), "a plan for newer machines");
  EXPECT_EQ(extract(kFile, {"--target", "sm_80,sm_86"}), "a plan");
  EXPECT_THAT(error_of(kFile, {"--target", "sm_75"}),
              HasSubstr("tensorrt.pte is there for sm_80,sm_86 and sm_120, not for sm_75"));
}

TEST_F(ExtractTest, WhatIsNotThereIsSaid) {
  EXPECT_THAT(error_of(kFile, {"--engine", "1"}),
              HasSubstr("tensorrt.pte has 1 engine: there is no engine 1"));
  EXPECT_THAT(error_of(kFile, {"--method", "encode"}), HasSubstr("no method 'encode'"));
  EXPECT_THAT(error_of(SLIPWAY_TEST_DATA "/runtime/add.pte"),
              HasSubstr("add.pte has 0 engines: there is no engine 0"));
  EXPECT_THAT(error_of(SLIPWAY_TEST_DATA "/golden/mlp.pt2"),
              HasSubstr("mlp.pt2 is an archive and has no engines: compile it first"));
  EXPECT_THAT(error_of(SLIPWAY_TEST_DATA "/tensorrt/aliased.blob"), HasSubstr("neither"));
  EXPECT_THAT(error_of(folder_ / "missing.pte"), HasSubstr("missing.pte"));
}

TEST_F(ExtractTest, ADamagedEngineIsNotExtracted) {
  std::ifstream stream(kFile, std::ios::binary);
  std::string file{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  file[file.find("a plan for newer") + 3] ^= 1;
  const std::string damaged = folder_ / "damaged.pte";
  ASSERT_TRUE(write_file(damaged, file).ok());
  EXPECT_THAT(error_of(damaged, {"--target", "sm_120"}),
              HasSubstr("segment 2 (engine) does not have its checksum"));
  // The other one is as it was.
  EXPECT_EQ(extract(damaged), "a plan");
}

TEST_F(ExtractTest, EnginesOfOtherToolsAreExtracted) {
  EXPECT_EQ(extract(foreign("TensorRTBackend", blob_of("another plan"))), "another plan");
  EXPECT_EQ(extract(foreign("SomeBackend", "as it is")), "as it is");
  EXPECT_THAT(error_of(foreign("TensorRTBackend", "TR03, one day, with more in its header")),
              HasSubstr("foreign.pte: it begins with neither TR01 nor TR02"));
  EXPECT_THAT(error_of(foreign("SomeBackend", "as it is"), {"--target", "sm_80"}),
              HasSubstr("leave out --target"));
}

TEST_F(ExtractTest, AnEngineIsNotHeldInMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  constexpr uint64_t kAllowance = uint64_t{64} << 20;
  const std::string plan(4 * kAllowance, 'p');
  const std::string file = foreign("TensorRTBackend", blob_of(plan));
  in_child([&]() -> std::string {
    if (!limit_data(kAllowance)) return "setrlimit failed";
    return run({file, "-o", output_}) == 0 ? "" : "extract failed";
  });
  const auto mapped = MappedFile::open(output_);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message();
  const auto bytes = (*mapped)->bytes();
  ASSERT_EQ(bytes.size(), plan.size());
  EXPECT_EQ(std::memcmp(bytes.data(), plan.data(), plan.size()), 0);
}

}  // namespace
}  // namespace slipway::cli
