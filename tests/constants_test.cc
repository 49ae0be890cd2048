// Weights that a program computes or repeats are constants of the engine, once. The archives and
// PyTorch's results are of tests/data/constants.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

struct Case {
  const char* name;
  const char* archive;
  uint64_t most_bytes;  // of the file; the weights take 0.2 and 65 KiB
};

class ConstantsTest : public testing::TestWithParam<Case> {};

TEST_P(ConstantsTest, BelongToTheEngine) {
  const std::string folder = std::string(SLIPWAY_TEST_DATA) + "/constants/";
  auto program = Program::load(folder + GetParam().archive);
  ASSERT_TRUE(program.ok()) << program.error().message();
  CompileOptions options;
  options.require_full = true;
  auto artefact = compile(*program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  EXPECT_LT(artefact->size(), GetParam().most_bytes);

  auto module = Module::load(*artefact->to_memory(), GetParam().archive);
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto input = read_npy(folder + GetParam().name + ".0.in0.npy");
  const auto expected = read_npy(folder + GetParam().name + ".0.out0.npy");
  ASSERT_TRUE(input.ok());
  ASSERT_TRUE(expected.ok());
  const auto outputs = module->method()->run({*input});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  const auto& found = std::get<Tensor>(outputs->at(0));
  ASSERT_EQ(found.sizes(), expected->sizes());
  for (int64_t i = 0; i < found.numel(); ++i) {
    const float value = expected->data_as<float>()[i];
    ASSERT_NEAR(found.data_as<float>()[i], value, 1e-5 + 1e-5 * std::abs(value)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, ConstantsTest,
                         testing::Values(Case{"weight_norm", "weight_norm.pt2", 16 << 10},
                                         Case{"weight_norm", "weight_norm.core.pt2", 16 << 10},
                                         Case{"mha_batch_first", "mha_batch_first.core.pt2",
                                              256 << 10}),
                         [](const auto& info) {
                           std::string name = info.param.archive;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace slipway
