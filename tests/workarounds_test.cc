// What OpenVINO gets wrong: with our rules the programs of tests/data/workarounds are right, and
// without a rule its own program is not. Once that fails OpenVINO has mended the fault, and the
// rule may go.
#include "openvino/builder/workarounds.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

using nlohmann::json;

std::string folder() { return std::string(SLIPWAY_TEST_DATA) + "/workarounds/"; }

const json& models() {
  static const json contents = json::parse(std::ifstream(folder() + "manifest.json"));
  return contents["models"];
}

Tensor load(const json& item) {
  auto tensor = read_npy(folder() + item["file"].get<std::string>());
  EXPECT_TRUE(tensor.ok()) << tensor.error().message();
  return *tensor;
}

bool is_same(const Tensor& found, const Tensor& expected) {
  if (format_value_type(found) != format_value_type(expected)) return false;
  if (expected.dtype() != DType::kFloat32) {
    return std::memcmp(found.data(), expected.data(), expected.nbytes()) == 0;
  }
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const float a = found.data_as<float>()[i];
    const float b = expected.data_as<float>()[i];
    const bool both_nan = std::isnan(a) && std::isnan(b);
    if (!both_nan && a != b && !(std::abs(a - b) <= 1e-5F + 1e-5F * std::abs(b))) return false;
  }
  return true;
}

// What is wrong with the archive when it is compiled without a rule; empty: nothing.
std::string find_fault(const std::string& file, const json& cases,
                       const std::set<std::string>& disabled, bool whole) {
  auto program = Program::load(folder() + file);
  if (!program.ok()) return program.error().message();
  std::string warnings;
  CompileOptions options;
  for (const std::string& rule : disabled) {
    options.engines[0].options.emplace_back("disable_rule", rule);
  }
  options.require_full = whole;
  options.on_warning = [&](const std::string& message) { warnings += message + "\n"; };
  auto artefact = compile(*program, options);
  if (!artefact.ok()) return artefact.error().message();
  // OpenVINO refused a node, or ended its process.
  if (!warnings.empty()) return warnings;
  auto module = Module::load(*artefact->to_memory(), file);
  if (!module.ok()) return module.error().message();
  for (const json& test : cases) {
    std::vector<Value> inputs;
    for (const json& input : test["inputs"]) inputs.emplace_back(load(input));
    const auto outputs = module->method()->run(inputs);
    if (!outputs.ok()) return outputs.error().message();
    for (size_t i = 0; i < outputs->size(); ++i) {
      if (!is_same(std::get<Tensor>((*outputs)[i]), load(test["outputs"][i]))) {
        return "output " + std::to_string(i) + " of " +
               test["inputs"][0]["file"].get<std::string>();
      }
    }
  }
  return "";
}

class WorkaroundTest : public testing::TestWithParam<std::string> {};

TEST_P(WorkaroundTest, IsRightAndStillNeeded) {
  const json& model = models()[GetParam()];
  const auto rule = model["rule"].get<std::string>();
  // These rules are to leave nodes outside.
  const bool whole = rule != "scatter-nan" && rule != "odd-numbers";
  std::string without;
  for (const auto& [dialect, file] : model["files"].items()) {
    EXPECT_EQ(find_fault(file, model["cases"], {}, whole), "") << dialect;
    if (!rule.empty()) without += find_fault(file, model["cases"], {rule}, whole);
  }
  if (!rule.empty()) {
    EXPECT_NE(without, "") << "OpenVINO does not need this rule any more: delete it";
  }
}

INSTANTIATE_TEST_SUITE_P(All, WorkaroundTest, testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const auto& [name, model] : models().items()) names.push_back(name);
                           return names;
                         }()),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

TEST(WorkaroundsTest, EachHasAProgram) {
  std::set<std::string> rules;
  for (const json& model : models()) rules.insert(model["rule"].get<std::string>());
  for (const std::string& name : openvino::workaround_names())
    EXPECT_TRUE(rules.contains(name)) << name;
}

TEST(WorkaroundsTest, AnUnknownRuleIsAnErrorThatListsThem) {
  auto program = Program::load(folder() + "none.training.pt2");
  ASSERT_TRUE(program.ok());
  CompileOptions options;
  options.engines = {{"openvino", {{"disable_rule", "no-such-rule"}}}};
  const auto artefact = compile(*program, options);
  ASSERT_FALSE(artefact.ok());
  EXPECT_EQ(artefact.error().code(), ErrorCode::kInvalidArgument);
  for (const std::string& name : openvino::workaround_names()) {
    EXPECT_NE(artefact.error().message().find(name), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace slipway
