// Programs that ExecuTorch's own exporter gets wrong, with PyTorch's results.
#include <cmath>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

class UpstreamDefectTest : public testing::TestWithParam<const char*> {};

Tensor load(const std::string& path) {
  auto tensor = read_npy(path);
  EXPECT_TRUE(tensor.ok()) << tensor.error().message();
  return tensor.ok() ? *tensor : Tensor();
}

TEST_P(UpstreamDefectTest, GivesWhatPyTorchGave) {
  const std::string base = std::string(SLIPWAY_TEST_DATA) + "/upstream_defects/" + GetParam();
  auto program = Program::load(base + ".pt2");
  ASSERT_TRUE(program.ok()) << program.error().message();
  CompileOptions options;
  options.engines.clear();
  auto artefact = compile(*program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  auto bytes = artefact->to_memory();
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto module = Module::load(std::move(*bytes), GetParam());
  ASSERT_TRUE(module.ok()) << module.error().message();

  int cases = 0;
  for (; std::filesystem::exists(base + "." + std::to_string(cases) + ".in.npy"); ++cases) {
    const std::string prefix = base + "." + std::to_string(cases);
    SCOPED_TRACE(prefix);
    auto outputs = module->method()->run({load(prefix + ".in.npy")});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    for (size_t i = 0; i < outputs->size(); ++i) {
      const Tensor expected = load(prefix + ".out" + std::to_string(i) + ".npy");
      const auto& found = std::get<Tensor>((*outputs)[i]);
      ASSERT_EQ(format_type(found.dtype(), found.sizes()),
                format_type(expected.dtype(), expected.sizes()));
      for (int64_t j = 0; j < expected.numel(); ++j) {
        ASSERT_NEAR(found.data_as<float>()[j], expected.data_as<float>()[j], 1e-5) << j;
      }
    }
  }
  EXPECT_GE(cases, 1);
}

INSTANTIATE_TEST_SUITE_P(All, UpstreamDefectTest,
                         testing::Values("channels_last", "split_after_reshape", "up_to_eight",
                                         "nonzero_to_float"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace slipway
