#include "engine_build/helper.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/mapped_file.h"

namespace slipway::engine_build {
namespace {

Result<std::string> in_this_process(const Job& job, const ByteSink& sink) {
  for (const auto bytes : job.constants) {
    if (Status taken = sink(bytes); !taken.ok()) return taken.error();
  }
  return "in this process: " + job.request;
}

class HelperTest : public testing::Test {
 protected:
  std::shared_ptr<Worker> helper(bool for_each_job = false,
                                 const std::string& program = SLIPWAY_STAND_IN_HELPER) {
    return make_helper(program, for_each_job,
                       [this](const std::string& text) { warnings_.push_back(text); });
  }
  Result<std::string> run(Worker& worker, const std::string& request,
                          std::vector<std::span<const std::byte>> constants = {}) {
    bytes_.clear();
    return worker.run({"stand-in", request, "the model", std::move(constants)}, in_this_process,
                      [this](std::span<const std::byte> bytes) -> Status {
                        bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                        return {};
                      });
  }
  std::string failure(Worker& worker, const std::string& request, ErrorCode code) {
    const auto answer = run(worker, request);
    EXPECT_FALSE(answer.ok());
    if (answer.ok()) return "";
    EXPECT_EQ(answer.error().code(), code) << answer.error().message();
    return answer.error().message();
  }

  std::vector<std::string> warnings_;
  std::string bytes_;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST_F(HelperTest, DoesJobsElsewhere) {
  const auto worker = helper();
  EXPECT_EQ(*run(*worker, "first"), "first the model");
  EXPECT_EQ(*run(*worker, "second"), "second the model");
  EXPECT_EQ(bytes_, "");
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(HelperTest, ReadsConstantsWhereverTheyAre) {
  const std::string path = testing::TempDir() + "slipway_helper_test.bin";
  std::ofstream(path) << "0123456789";
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  const std::string in_memory = "in memory";
  const std::string large(3'000'000, 'x');
  const auto worker = helper();
  const auto answer = run(*worker, "echo",
                          {(*file)->bytes().subspan(2, 3),
                           bytes_of(in_memory),
                           (*file)->bytes().subspan(9),
                           {},
                           bytes_of(large)});
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(bytes_, "234in memory9" + large);
  std::filesystem::remove(path);
}

TEST_F(HelperTest, SendsConstantsWithoutBytes) {
  using Constants = std::vector<std::span<const std::byte>>;
  const auto worker = helper();
  const std::string one = "one";
  for (const Constants& constants : {Constants{{}}, Constants{{}, bytes_of(one), {}}}) {
    const auto answer = run(*worker, "echo", constants);
    ASSERT_TRUE(answer.ok()) << answer.error().message();
  }
  EXPECT_EQ(bytes_, "one");
}

TEST_F(HelperTest, ACrashIsARefusalOfThisJobAlone) {
  const auto worker = helper();
  EXPECT_EQ(failure(*worker, "crash", ErrorCode::kUnsupported),
            "the process that builds engines was ended by signal 11 (Segmentation fault)");
  EXPECT_TRUE(run(*worker, "next").ok());
  const std::string aborted = failure(*worker, "abort", ErrorCode::kUnsupported);
  EXPECT_NE(aborted.find("signal 6"), std::string::npos) << aborted;
  EXPECT_NE(aborted.find("the last words"), std::string::npos) << aborted;
  EXPECT_EQ(failure(*worker, "refuse", ErrorCode::kUnsupported), "no such thing");
  EXPECT_TRUE(run(*worker, "last").ok());
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(HelperTest, ALackOfMemoryOrDiskIsNoRefusal) {
  const auto worker = helper();
  for (const char* request :
       {"lack memory", "be killed", "abort for lack of memory", "crash for lack of memory"}) {
    const std::string text = failure(*worker, request, ErrorCode::kResourceExhausted);
    EXPECT_NE(text.find("not enough memory"), std::string::npos) << text;
  }
  failure(*worker, "read past a file", ErrorCode::kIo);
}

TEST_F(HelperTest, PassesOnTheSinksError) {
  const auto worker = helper();
  const std::string constant = "bytes";
  const auto answer =
      worker->run({"stand-in", "echo", "", {bytes_of(constant)}}, in_this_process,
                  [](std::span<const std::byte>) -> Status { return io_error("the disk"); });
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().message(), "the disk");
  EXPECT_TRUE(run(*worker, "next").ok());
}

TEST_F(HelperTest, AddressesAreTheSameWhateverWasDoneBefore) {
  const std::string constant(1000, 'x');
  const auto worker = helper(/*for_each_job=*/true);
  const auto first = run(*worker, "tell addresses", {bytes_of(constant)});
  ASSERT_TRUE(first.ok()) << first.error().message();
  ASSERT_TRUE(run(*worker, "echo", {bytes_of(std::string(5'000'000, 'x'))}).ok());
  EXPECT_EQ(*run(*worker, "tell addresses", {bytes_of(constant)}), *first);
  EXPECT_EQ(*run(*helper(true), "tell addresses", {bytes_of(constant)}), *first);
}

TEST_F(HelperTest, WorksInThisProcessWhereThereIsNone) {
  for (const char* program : {"", "/nowhere/slipway-build-engine", "/bin/false", "/bin/echo"}) {
    warnings_.clear();
    const auto worker = helper(false, program);
    const std::string constant = "bytes";
    EXPECT_EQ(*run(*worker, "one", {bytes_of(constant)}), "in this process: one");
    EXPECT_EQ(bytes_, "bytes");
    EXPECT_EQ(*run(*worker, "two"), "in this process: two");
    ASSERT_EQ(warnings_.size(), 1U);
    EXPECT_NE(warnings_[0].find("built in this process"), std::string::npos) << warnings_[0];
  }
}

TEST_F(HelperTest, IsFoundInTheBuildTree) {
  EXPECT_TRUE(std::filesystem::exists(find_helper())) << find_helper();
}

}  // namespace
}  // namespace slipway::engine_build
