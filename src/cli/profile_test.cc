// Where time goes, and pages of files.

#include <nlohmann/json.hpp>

#include "cli/tool_test.h"

namespace slipway::cli {
namespace {

TEST_F(Tool, ProfilesRuns) {
  const std::string model = compile("golden/mlp.pt2");
  const Outcome ran = run({"run", model, "--random-inputs", "1", "--repeat", "20", "--profile",
                           path("x.json"), "--threads", "1"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.out, "profile of forward, 19 runs, ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "engine 0 of OpenvinoBackend")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "layers of engine 0 of OpenvinoBackend at 0:")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "FullyConnected")) << "OpenVINO's own counters: " << ran.out;
  const auto trace = nlohmann::json::parse(read_file(path("x.json")));
  const auto& profile = trace["profile"];
  EXPECT_EQ(profile["runs"], 19);
  // Nothing is lost, whatever the clock says.
  const auto ms = [](const nlohmann::json& json, const char* name) {
    return json.at(name).get<double>();
  };
  double sum = ms(profile, "inputs_ms") + ms(profile, "between_ms") + ms(profile, "outputs_ms");
  for (const auto& instruction : profile["instructions"]) sum += ms(instruction, "ms");
  EXPECT_NEAR(sum, ms(profile, "run_ms"), 1e-4 * ms(profile, "run_ms"));
  const auto& engine = profile["instructions"][0];
  double layers = ms(engine, "rest_ms");
  for (const auto& layer : engine["layers"]) layers += ms(layer, "ms");
  EXPECT_NEAR(layers, ms(engine, "ms"), 1e-4 * ms(engine, "ms"));
  EXPECT_TRUE(contains(ran.out, "rest of the call")) << ran.out;

  const Outcome json =
      run({"run", model, "--random-inputs", "1", "--profile", path("x.etdp"), "--json"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(nlohmann::json::parse(json.out)["profile"]["runs"], 1);
  EXPECT_EQ(read_file(path("x.etdp")).substr(8, 4), "ED00");

  const Outcome inspected =
      run({"inspect", model, "--html", path("x.html"), "--profile", path("x.json")});
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_TRUE(contains(inspected.out, "x.html: a page of ")) << inspected.out;
  const std::string page = read_file(path("x.html"));
  EXPECT_TRUE(contains(page, "\"run_ms\":"));
  EXPECT_TRUE(contains(run({"inspect", model, "--html", model}).err, "model.pte"));
  const Outcome printed = run({"inspect", model, "--html", "-", "--profile", path("x.json")});
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_EQ(printed.out, read_file(path("x.html")));
  EXPECT_EQ(run({"inspect", model, "--html", "-", "--json"}).code, 2);
  EXPECT_EQ(run({"extract", model, "-o", "-"}).code, 2);
  EXPECT_FALSE(fs::exists("-"));
  const Outcome wrong = run({"inspect", model, "--html", path("y.html"), "--profile", model});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_TRUE(contains(wrong.err, "the profile is none that")) << wrong.err;
  EXPECT_FALSE(fs::exists(path("y.html")));
}

}  // namespace
}  // namespace slipway::cli
