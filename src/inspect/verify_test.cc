#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "runtime/sum_backend_test.h"
#include "slipway/inspect.h"

namespace slipway {
namespace {

using runtime::SumBackend;
using testing::ElementsAre;
using testing::HasSubstr;
using Outcome = Check::Outcome;

std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/" + name;
}

// "structure: passed"
std::vector<std::string> lines(const Result<std::vector<Check>>& checks) {
  EXPECT_TRUE(checks.ok()) << checks.error().message();
  constexpr const char* kNames[] = {"passed", "skipped", "warning", "failed"};
  std::vector<std::string> lines;
  for (size_t i = 0; checks.ok() && i < checks->size(); ++i) {
    const Check& check = (*checks)[i];
    lines.push_back(check.name + ": " + kNames[static_cast<size_t>(check.outcome)]);
  }
  return lines;
}

// Of tests/data/runtime/engine.pte: version 1 of SumBackend's library built its engine.
class VerifyTest : public testing::Test {
 protected:
  ~VerifyTest() override { here("", ""); }
  static void here(const std::string& version, const std::string& capabilities) {
    SumBackend::get().version = version;
    SumBackend::get().capabilities = capabilities;
  }
  const std::string file_ = data_path("runtime/engine.pte");
};

TEST_F(VerifyTest, AProgramIsSoundAndRunsHere) {
  here("1", "");
  EXPECT_THAT(lines(verify(file_)),
              ElementsAre("structure: passed", "checksums: passed", "machine, forward: passed"));
  EXPECT_THAT(lines(check_machine(file_)), ElementsAre("machine, forward: passed"));
}

TEST_F(VerifyTest, AnotherVersionOfAnEnginesLibraryIsAWarning) {
  here("2", "");
  EXPECT_THAT(lines(verify(file_)),
              ElementsAre("structure: passed", "checksums: passed", "machine, forward: passed",
                          "environment, forward: warning"));
  const auto checks = check_machine(file_);
  EXPECT_THAT(lines(checks),
              ElementsAre("machine, forward: passed", "environment, forward: warning"));
  const std::string& detail = checks->at(1).detail;
  EXPECT_THAT(detail, HasSubstr("engine 0 of forward was built with sum 1, and here is 2"));
  EXPECT_THAT(detail, HasSubstr("bring that version, or compile the model again"));
}

TEST_F(VerifyTest, WhatIsDamagedOrMissingFails) {
  const TestFolder folder;
  const std::string path = folder / "m.pte";
  std::ifstream stream(file_, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  ASSERT_TRUE(write_file(path, whole.substr(0, whole.size() / 2)).ok());
  EXPECT_THAT(lines(verify(path)), ElementsAre("structure: failed"));
  const auto cut = check_machine(path);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code(), ErrorCode::kInvalidFile);

  std::string damaged = whole;
  damaged[damaged.find("sum", damaged.size() / 2)] ^= 1;
  ASSERT_TRUE(write_file(path, damaged).ok());
  const auto checks = verify(path);
  ASSERT_TRUE(checks.ok()) << checks.error().message();
  EXPECT_TRUE(std::any_of(checks->begin(), checks->end(),
                          [](const Check& one) { return one.outcome == Outcome::kFailed; }));

  // The delegate is there, and TensorRT is not.
  ::setenv("SLIPWAY_TENSORRT_LIB", (folder / "nothing").c_str(), 1);
  const auto plans = verify(data_path("runtime/tensorrt.pte"));
  ::unsetenv("SLIPWAY_TENSORRT_LIB");
  EXPECT_THAT(lines(plans),
              ElementsAre("structure: passed", "checksums: passed", "machine, forward: passed",
                          "engine 0 of forward, sm_80,sm_86: failed",
                          "engine 0 of forward, sm_120: failed"));
  EXPECT_THAT(plans->at(3).detail, HasSubstr("SLIPWAY_TENSORRT_LIB names, does not exist"));
}

TEST_F(VerifyTest, OptionsOfEnginesSayWhereTheirLibrariesAre) {
  const TestFolder folder;
  const VerifyOptions nowhere = {.engines = {{"tensorrt", {{"tensorrt_lib", folder / "nothing"}}}}};
  const auto plans = check_machine(data_path("runtime/tensorrt.pte"), nowhere);
  ASSERT_TRUE(plans.ok()) << plans.error().message();
  EXPECT_THAT(plans->at(1).detail, HasSubstr(folder / "nothing"));
  for (const EngineChoice& wrong : {EngineChoice{"warp", {{"tensorrt_lib", ""}}},
                                    EngineChoice{"tensorrt", {{"target", "sm_80"}}},
                                    EngineChoice{"openvino", {{"tensorrt_lib", ""}}}}) {
    for (const auto& checks :
         {verify(file_, {.engines = {wrong}}), check_machine(file_, {.engines = {wrong}})}) {
      ASSERT_FALSE(checks.ok()) << wrong.name;
      EXPECT_EQ(checks.error().code(), ErrorCode::kInvalidArgument);
    }
  }
}

TEST_F(VerifyTest, ArchivesBareEnginesAndOtherFiles) {
  EXPECT_THAT(lines(verify(data_path("golden/mlp.pt2"))), ElementsAre("archive: passed"));
  const auto records = verify(data_path("engines/records.pt2"));
  EXPECT_THAT(lines(records),
              ElementsAre("archive: passed", "engine 0: warning", "engine 0: failed",
                          "engine 1: failed", "engine 2: failed"));
  EXPECT_THAT(records->at(1).detail, HasSubstr("was made by slipway 0.0.1"));
  EXPECT_THAT(records->at(3).detail, HasSubstr("engine_1 (tensorrt.no_op_placeholder_for_execute_"
                                               "engine.default): its engine is for windows_"));
  EXPECT_THAT(records->at(4).detail, HasSubstr("of Torch-TensorRT's ABI '11'"));
  EXPECT_THAT(lines(verify(data_path("engines/partial.pt2"))),
              ElementsAre("archive: passed", "engine 0: failed"));
  const auto archive = check_machine(data_path("golden/mlp.pt2"));
  ASSERT_FALSE(archive.ok());
  EXPECT_EQ(archive.error().code(), ErrorCode::kInvalidFile);

  const TestFolder folder;
  const std::string plan = folder / "x.engine";
  ASSERT_TRUE(write_file(plan, std::string("ftrt and more")).ok());
  ::setenv("SLIPWAY_TENSORRT_LIB", (folder / "nothing").c_str(), 1);
  EXPECT_THAT(lines(verify(plan)), ElementsAre("plan: failed", "body: skipped"));
  EXPECT_THAT(lines(check_machine(plan)), ElementsAre("plan: failed"));
  ::unsetenv("SLIPWAY_TENSORRT_LIB");

  ASSERT_TRUE(write_file(plan, std::string("hello there")).ok());
  EXPECT_EQ(verify(plan).error().code(), ErrorCode::kInvalidFile);
  EXPECT_EQ(verify(folder / "missing").error().code(), ErrorCode::kNotFound);
}

TEST_F(VerifyTest, OperatorsThatCannotBeCheckedNeedTrust) {
  std::ifstream stream(data_path("pte/mlp.pte"), std::ios::binary);
  std::string program{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  program.replace(program.find("aten::addmm"), 4, "mine");
  const TestFolder folder;
  const std::string path = folder / "mine.pte";
  ASSERT_TRUE(write_file(path, program).ok());
  EXPECT_THAT(lines(verify(path)), ElementsAre("structure: failed"));
  EXPECT_THAT(lines(verify(path, {.trust = true})),
              ElementsAre("structure: passed", "checksums: skipped", "machine, forward: failed"));
}

TEST(DescribeMachine, NamesWhatIsHereAndWhatIsNot) {
  std::vector<std::string> names;
  for (const auto& [name, text] : describe_machine()) {
    names.push_back(name);
    EXPECT_NE(text, "") << name;
    EXPECT_EQ(text.find("--"), std::string::npos) << "flags are the tool's: " << text;
  }
  for (const char* name :
       {"slipway", "cpu", "ExecuTorch", "kernels", "engine none", "engine openvino", "gpu driver",
        "engine tensorrt", "engine helper", "isolated modules", "files with OpenvinoBackend"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
}

}  // namespace
}  // namespace slipway
