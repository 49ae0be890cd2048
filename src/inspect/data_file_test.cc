// Programs whose engines are in a data file: what is shown, taken out and found wrong.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/piece_writer.h"
#include "base/test_folder.h"
#include "slipway/compile.h"
#include "slipway/inspect.h"
#include "slipway/program.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Outcome = Check::Outcome;

class DataFileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto program = Program::load(SLIPWAY_TEST_DATA "/engines/partial.pt2");
    const auto artefact = compile(*program, {.engines = {}, .external_engines = "engines"});
    ASSERT_TRUE(artefact.ok()) << artefact.error().message();
    ASSERT_TRUE(artefact->save(file_).ok());
  }

  static std::string read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  void damage() const {
    std::string bytes = read(data_);
    bytes[bytes.find("stand-in plan")] ^= 1;
    ASSERT_TRUE(write_file(data_, bytes).ok());
  }
  // The check of this name; a skipped one where there is none.
  Check check(const std::string& name, const VerifyOptions& options = {}) const {
    const auto checks = verify(file_, options);
    EXPECT_TRUE(checks.ok());
    const auto found = std::find_if(checks->begin(), checks->end(),
                                    [&](const Check& check) { return check.name == name; });
    return found == checks->end() ? Check{name, Outcome::kSkipped, ""} : *found;
  }

  TestFolder folder_;
  const std::string file_ = folder_ / "m.pte";
  const std::string data_ = folder_ / "engines.ptd";
  const std::string output_ = folder_ / "x.engine";
};

TEST_F(DataFileTest, IsShownWithTheEngineThatIsInIt) {
  const auto info = inspect(file_);
  ASSERT_TRUE(info.ok()) << info.error().message();
  const EngineInfo& engine = info->methods()[0].engines[0];
  EXPECT_EQ(engine.external_key, "slipway.engine." + engine.sha256);
  const std::string text = info->to_text();
  EXPECT_THAT(text, HasSubstr(" in the data file\n"));
  EXPECT_THAT(text, HasSubstr("data file " + data_ + ":\n"));
  EXPECT_THAT(text, HasSubstr(engine.external_key));
  ASSERT_TRUE(extract(file_, output_).ok());
  EXPECT_GT(engine.bytes, fs::file_size(output_)) << "with its header";
  fs::remove(data_);
  EXPECT_THAT(inspect(file_)->to_text(), HasSubstr("data file: " + file_ + " has engines outside"));
}

TEST_F(DataFileTest, TheEngineIsExtractedFromIt) {
  const auto engine = extract(file_, output_);
  ASSERT_TRUE(engine.ok()) << engine.error().message();
  EXPECT_THAT(read(output_), testing::StartsWith("slipway stand-in plan for sm_86"));
  EXPECT_EQ(engine->bytes, read(output_).size());
  const auto itself = extract(file_, data_);
  ASSERT_FALSE(itself.ok());
  EXPECT_EQ(itself.error().code(), ErrorCode::kInvalidArgument);
  damage();
  EXPECT_THAT(extract(file_, output_).error().message(), HasSubstr("does not have its SHA-256"));
  fs::remove(data_);
  EXPECT_THAT(extract(file_, output_).error().message(),
              HasSubstr("engines.ptd: cannot be opened"));
}

TEST_F(DataFileTest, IsVerifiedWithTheProgram) {
  EXPECT_EQ(check("checksums").outcome, Outcome::kPassed);
  EXPECT_EQ(check("data file").outcome, Outcome::kPassed);
  EXPECT_EQ(check("checksums of the data file").outcome, Outcome::kPassed);
  damage();
  EXPECT_EQ(check("data file").outcome, Outcome::kPassed);
  EXPECT_EQ(check("checksums of the data file").outcome, Outcome::kFailed);
  fs::resize_file(data_, 50);
  EXPECT_EQ(check("data file").outcome, Outcome::kFailed);
  EXPECT_THAT(check("data file").detail, HasSubstr("not a data file: too short"));
  fs::remove(data_);
  EXPECT_THAT(check("data file").detail, HasSubstr("cannot be opened"));
}

TEST_F(DataFileTest, MayLieElsewhere) {
  const std::string elsewhere = folder_ / "elsewhere.ptd";
  fs::rename(data_, elsewhere);
  EXPECT_THAT(inspect(file_)->to_text(), HasSubstr("data file: " + file_ + " has engines outside"));
  const auto shown = inspect(file_, {.data_file = elsewhere});
  ASSERT_TRUE(shown.ok()) << shown.error().message();
  EXPECT_THAT(shown->to_text(), HasSubstr("data file " + elsewhere + ":\n"));
  EXPECT_EQ(check("data file").outcome, Outcome::kFailed);
  EXPECT_EQ(check("checksums of the data file", {.data_file = elsewhere}).outcome,
            Outcome::kPassed);
  EXPECT_EQ(check_machine(file_)->front().outcome, Outcome::kFailed);
  EXPECT_EQ(check_machine(file_, {.data_file = elsewhere})->front().outcome, Outcome::kPassed);
  EXPECT_FALSE(extract(file_, output_).ok());
  ASSERT_TRUE(extract(file_, output_, {.data_file = elsewhere}).ok());
  EXPECT_THAT(read(output_), testing::StartsWith("slipway stand-in plan for sm_86"));
  // The output is not the input.
  EXPECT_FALSE(extract(file_, elsewhere, {.data_file = elsewhere}).ok());
}

TEST_F(DataFileTest, IsRefusedWhereNoneIsNeeded) {
  const std::string archive = SLIPWAY_TEST_DATA "/engines/partial.pt2";
  const std::string program = SLIPWAY_TEST_DATA "/runtime/tensorrt.pte";
  const std::string engine = folder_ / "plan.engine";
  ASSERT_TRUE(write_file(engine, std::string("ftrt plan")).ok());
  for (const std::string& file : {archive, program, engine}) {
    const auto shown = inspect(file, {.data_file = data_});
    const auto taken = extract(file, output_, {.data_file = data_});
    for (const Error* error : {&shown.error(), &taken.error()}) {
      EXPECT_THAT(error->message(), HasSubstr("leave out option 'data_file'")) << file;
    }
    const auto checks = verify(file, {.data_file = data_});
    if (file != program) {
      EXPECT_EQ(checks.error().code(), ErrorCode::kInvalidArgument);
      continue;
    }
    ASSERT_TRUE(checks.ok());
    EXPECT_TRUE(std::any_of(checks->begin(), checks->end(), [](const Check& check) {
      return check.name == "data file" && check.outcome == Outcome::kFailed &&
             check.detail.find("leave out option 'data_file'") != std::string::npos;
    }));
  }
}

TEST_F(DataFileTest, OfAnotherProgramIsNotReplaced) {
  const auto save = [&](const std::string& archive, const std::string& name) {
    const auto program = Program::load(SLIPWAY_TEST_DATA "/engines/" + archive + ".pt2");
    const auto artefact = compile(*program, {.engines = {}, .external_engines = "engines"});
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
    const Status saved = artefact->save(folder_ / name);
    return saved.ok() ? "" : saved.error().message();
  };
  const std::string before = read(data_);
  EXPECT_THAT(
      save("cache", "other.pte"),
      HasSubstr(data_ + " is there already, and is not of an earlier " + (folder_ / "other.pte")));
  EXPECT_EQ(read(data_), before);
  EXPECT_FALSE(fs::exists(folder_ / "other.pte"));
  // The same engines, another program: nothing is lost.
  EXPECT_EQ(save("partial", "again.pte"), "");
  // The program itself, compiled again, of something else.
  EXPECT_EQ(save("cache", "m.pte"), "");
  EXPECT_NE(read(data_), before);
  EXPECT_EQ(check("checksums of the data file").outcome, Outcome::kPassed);
  // What is no data file is nobody's.
  ASSERT_TRUE(write_file(data_, std::string("my notes")).ok());
  EXPECT_THAT(save("cache", "m.pte"), HasSubstr("is not of an earlier"));
  EXPECT_EQ(read(data_), "my notes");
}

}  // namespace
}  // namespace slipway
