// Programs that are cut between two engines, as files run them.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/reader.h"
#include "slipway/compile.h"
#include "slipway/module.h"

namespace slipway {
namespace {

using testing::ElementsAre;
using testing::FloatNear;
using testing::Pointwise;

// Images of convolutions, with a batch of 1 to 8.
constexpr const char* kProgram = SLIPWAY_TEST_DATA "/golden/conv_dyn.pt2";

std::vector<std::byte> compile_for(const std::string& engines, const std::string& excluded) {
  const auto program = Program::load(kProgram);
  EXPECT_TRUE(program.ok()) << program.error().message();
  CompileOptions options;
  options.engines = *parse_engines(engines);
  if (!excluded.empty()) options.exclude_ops = {excluded};
  if (!options.engines.empty()) options.check = EngineCheck::kFail;
  const auto artefact = compile(*program, options);
  EXPECT_TRUE(artefact.ok()) << artefact.error().message();
  return artefact.ok() ? *artefact->to_memory() : std::vector<std::byte>();
}

std::vector<float> run(std::vector<std::byte> file, int64_t batch) {
  const auto module = Module::load(std::move(file), "conv_dyn");
  EXPECT_TRUE(module.ok()) << module.error().message();
  Tensor images = *Tensor::zeros(DType::kFloat32, {batch, 3, 16, 16});
  for (int64_t i = 0; i < images.numel(); ++i) {
    images.data_as<float>()[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  }
  const auto outputs = module->method()->run({images});
  EXPECT_TRUE(outputs.ok()) << outputs.error().message();
  const auto& found = std::get<Tensor>(outputs->front());
  return {found.data_as<float>(), found.data_as<float>() + found.numel()};
}

class EngineLists : public testing::TestWithParam<std::pair<const char*, const char*>> {};

// The first of them takes all but one operator.
TEST_P(EngineLists, CutAProgramThatRunsAsTheKernels) {
  const auto& [first, second] = GetParam();
  const std::string names = std::string(first) + "," + second;
  const auto file = compile_for(names, std::string(first) + ":aten.max_pool2d");
  ASSERT_FALSE(file.empty());
  const auto read = pte::File::read({file, nullptr}, "conv_dyn");
  ASSERT_TRUE(read.ok()) << read.error().message();
  const engine::ManifestMethod& method = read->manifest()->methods.at(0);
  std::vector<std::string> engines;
  for (const auto& engine : method.engines) {
    engines.push_back(engine.record.engine);
    ASSERT_EQ(engine.graph.nodes.size(), engine.nodes.size());
    EXPECT_THAT(engine.graph.nodes[0].reads, ElementsAre(-1)) << "the engine's input";
    EXPECT_THAT(engine.graph.types.at(0), testing::StartsWith("float32["));
    EXPECT_THAT(engine.graph.places.at(0), testing::StartsWith("File "));
  }
  EXPECT_THAT(engines, ElementsAre(first, second, first));
  EXPECT_TRUE(method.outside.empty());

  const auto kernels = compile_for("none", "");
  for (const int64_t batch : {1, 3}) {
    EXPECT_THAT(run(file, batch), Pointwise(FloatNear(1e-5F), run(kernels, batch)));
  }
}

INSTANTIATE_TEST_SUITE_P(BothOrders, EngineLists,
                         testing::Values(std::pair("openvino", "xnnpack"),
                                         std::pair("xnnpack", "openvino")));

}  // namespace
}  // namespace slipway
