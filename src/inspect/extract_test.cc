#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/memory_limit_test.h"
#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "pte/reader/program_test.h"
#include "slipway/inspect.h"
#include "tensorrt/format/blob.h"

namespace slipway {
namespace {

using testing::HasSubstr;

const std::string kFile = SLIPWAY_TEST_DATA "/runtime/tensorrt.pte";

class ExtractTest : public testing::Test {
 protected:
  void SetUp() override { output_ = folder_ / "x.engine"; }

  // What the output has afterwards.
  std::string extracted(const std::string& file, const ExtractOptions& options = {}) {
    const auto engine = extract(file, output_, options);
    EXPECT_TRUE(engine.ok()) << engine.error().message();
    std::ifstream stream(output_, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    EXPECT_EQ(engine->bytes, bytes.size());
    return bytes;
  }

  Error error_of(const std::string& file, const ExtractOptions& options = {}) {
    std::filesystem::remove(output_);
    const auto engine = extract(file, output_, options);
    EXPECT_FALSE(engine.ok());
    EXPECT_FALSE(std::filesystem::exists(output_));
    return engine.ok() ? Error(ErrorCode::kInternal, "") : engine.error();
  }
  std::string message_of(const std::string& file, const ExtractOptions& options = {}) {
    return error_of(file, options).message();
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
  EXPECT_EQ(extracted(kFile), "a plan");
  EXPECT_EQ(extracted(kFile, {.method = "forward", .engine = 0}), "a plan");
  const auto engine = extract(kFile, output_);
  ASSERT_TRUE(engine.ok()) << engine.error().message();
  EXPECT_EQ(engine->backend, "TensorRTBackend");
}

TEST_F(ExtractTest, ATargetPicksAVariant) {
  EXPECT_EQ(extracted(kFile, {.target = "sm_120"}), "a plan for newer machines");
  EXPECT_EQ(extracted(kFile, {.target = "sm_80,sm_86"}), "a plan");
  const Error error = error_of(kFile, {.target = "sm_75"});
  EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  EXPECT_THAT(error.message(),
              HasSubstr("tensorrt.pte is there for sm_80,sm_86 and sm_120, not for sm_75"));
}

TEST_F(ExtractTest, WhatIsNotThereIsSaid) {
  EXPECT_THAT(message_of(kFile, {.engine = 1}),
              HasSubstr("tensorrt.pte has 1 engine: there is no engine 1"));
  EXPECT_THAT(message_of(kFile, {.engine = size_t{1} << 32}),
              HasSubstr("there is no engine 4294967296"));
  EXPECT_THAT(message_of(kFile, {.method = "encode"}), HasSubstr("no method 'encode'"));
  EXPECT_THAT(message_of(SLIPWAY_TEST_DATA "/runtime/add.pte"),
              HasSubstr("add.pte has 0 engines: there is no engine 0"));
  EXPECT_THAT(message_of(SLIPWAY_TEST_DATA "/golden/mlp.pt2"),
              HasSubstr("mlp.pt2 is an archive and has no engines: compile it first"));
  EXPECT_THAT(message_of(SLIPWAY_TEST_DATA "/tensorrt/aliased.blob"), HasSubstr("neither"));
  EXPECT_EQ(error_of(folder_ / "missing.pte").code(), ErrorCode::kNotFound);
  const auto itself = extract(kFile, kFile);
  ASSERT_FALSE(itself.ok());
  EXPECT_EQ(itself.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ExtractTest, AnArchiveMayHaveComeWithEngines) {
  const std::string archive = SLIPWAY_TEST_DATA "/engines/partial.pt2";
  EXPECT_THAT(extracted(archive, {}), testing::StartsWith("slipway stand-in plan for sm_86"));
  EXPECT_THAT(message_of(archive, {.engine = 1}), HasSubstr("partial.pt2 has 1 engine: there is"));
  EXPECT_THAT(message_of(archive, {.target = "sm_86"}), HasSubstr("have no effect on it"));
}

// Whatever is wrong with the others, and for whatever machine it is.
TEST_F(ExtractTest, AnEngineOfAnArchiveIsExtractedByItself) {
  const std::string archive = SLIPWAY_TEST_DATA "/engines/records.pt2";
  EXPECT_THAT(extracted(archive, {}), testing::EndsWith("output y x 1 0\n"));
  EXPECT_THAT(extracted(archive, {.engine = 1}), testing::EndsWith("output y x 2 0\n"));
  EXPECT_THAT(message_of(archive, {.engine = 2}),
              HasSubstr("records.pt2: no_op_placeholder_for_execute_engine_2 (tensorrt.no_op_"
                        "placeholder_for_execute_engine.default): it is of Torch-TensorRT's ABI "
                        "'11', and Slipway reads 7 to 10"));
}

TEST_F(ExtractTest, ADamagedEngineIsNotExtracted) {
  std::ifstream stream(kFile, std::ios::binary);
  std::string file{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  file[file.find("a plan for newer") + 3] ^= 1;
  const std::string damaged = folder_ / "damaged.pte";
  ASSERT_TRUE(write_file(damaged, file).ok());
  EXPECT_THAT(message_of(damaged, {.target = "sm_120"}),
              HasSubstr("segment 2 (engine) does not have its checksum"));
  // The other one is as it was.
  EXPECT_EQ(extracted(damaged), "a plan");
}

TEST_F(ExtractTest, EnginesOfOtherToolsAreExtracted) {
  EXPECT_EQ(extracted(foreign("TensorRTBackend", blob_of("another plan"))), "another plan");
  EXPECT_EQ(extracted(foreign("SomeBackend", "as it is")), "as it is");
  EXPECT_THAT(message_of(foreign("TensorRTBackend", "TR03, one day, with more in its header")),
              HasSubstr("foreign.pte: it begins with neither TR01 nor TR02"));
  EXPECT_THAT(message_of(foreign("SomeBackend", "as it is"), {.target = "sm_80"}),
              HasSubstr("leave out option 'target'"));
}

TEST_F(ExtractTest, AnEngineIsNotHeldInMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  constexpr uint64_t kAllowance = uint64_t{64} << 20;
  const std::string plan(4 * kAllowance, 'p');
  const std::string file = foreign("TensorRTBackend", blob_of(plan));
  in_child([&]() -> std::string {
    if (!limit_data(kAllowance)) return "setrlimit failed";
    return extract(file, output_).ok() ? "" : "extract failed";
  });
  const auto mapped = MappedFile::open(output_);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message();
  const auto bytes = (*mapped)->bytes();
  ASSERT_EQ(bytes.size(), plan.size());
  EXPECT_EQ(std::memcmp(bytes.data(), plan.data(), plan.size()), 0);
}

}  // namespace
}  // namespace slipway
