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
  Check check(const std::string& name) const {
    const auto checks = verify(file_);
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

}  // namespace
}  // namespace slipway
