#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"
#include "cli/tool_test.h"
#include "runtime/sum_backend_test.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

// An engine of another version of its library may run all the same.
TEST(Verify, PrintsWarningsAndDoesNotFailForThem) {
  runtime::SumBackend::get().version = "2";
  const std::vector<const char*> argv = {"slipway", "verify",
                                         SLIPWAY_TEST_DATA "/runtime/engine.pte"};
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_tool(static_cast<int>(argv.size()), argv.data()), 0);
  const std::string text = testing::internal::GetCapturedStdout();
  runtime::SumBackend::get().version.clear();
  EXPECT_THAT(text,
              testing::HasSubstr("machine, forward      ok       every operator and backend"));
  EXPECT_THAT(text, testing::HasSubstr("environment, forward  warning  "));
  EXPECT_THAT(text, testing::HasSubstr("was built with sum 1, and here is 2"));
}

class VerifyNumbers : public Tool {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
};

TEST_F(VerifyNumbers, ComparesWhatIsNoTensorWithOutputsJson) {
  const std::string model = compile("golden/scalars.pt2", "scalars.pte", "none");
  const std::string input = "0=" + data_path("golden/scalars.0.in0.npy");
  ASSERT_EQ(run({"run", model, "--input", input, "--output-dir", path("out")}).code, 0);
  const std::vector<std::string> verify = {"verify",    model,     "--reference",
                                           path("out"), "--input", input};
  const Outcome same = run(verify);
  EXPECT_EQ(same.code, 0) << same.out << same.err;
  EXPECT_TRUE(contains(same.out, "ok  ")) << same.out;
  EXPECT_FALSE(contains(same.out, "not compared")) << same.out;

  const std::string json = read_file(path("out/outputs.json"));
  const size_t value = json.find("11");
  ASSERT_NE(value, std::string::npos) << json;
  for (const char* other : {"12", "\"\"", "{}", "11.5"}) {
    std::string changed = json;
    write("out/outputs.json", changed.replace(value, 2, other));
    const Outcome wrong = run(verify);
    EXPECT_EQ(wrong.code, 1) << other;
    EXPECT_TRUE(contains(wrong.out, "is 11, not as in ")) << wrong.out;
  }
  for (const std::string& damaged : {json.substr(0, json.size() / 2), std::string("[]")}) {
    write("out/outputs.json", damaged);
    EXPECT_EQ(run(verify).code, 1) << damaged;
  }
  std::filesystem::remove(path("out/outputs.json"));
  const Outcome without = run(verify);
  EXPECT_EQ(without.code, 0) << without.out;
  EXPECT_TRUE(contains(without.out, "11, not compared: no ")) << without.out;

  // As numpy.save(..., 11) writes it.
  for (const auto& [number, code] : {std::pair<int64_t, int>{11, 0}, {12, 1}}) {
    auto array = Tensor::zeros(DType::kInt64, {});
    *array->data_as<int64_t>() = number;
    ASSERT_TRUE(write_npy(path("out/1.npy"), *array).ok());
    const Outcome saved = run(verify);
    EXPECT_EQ(saved.code, code) << saved.out;
  }
}

}  // namespace
}  // namespace slipway::cli
