// A program and its data file in ExecuTorch's own runtime, which has its own reader of data files.
#include <string>
#include <vector>

#include <executorch/extension/module/module.h>

#include "base/test_folder.h"
#include "slipway/compile.h"
#include "slipway/npy.h"
#include "slipway/program.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

// Of the archive's input of this number.
std::vector<float> floats(const std::string& name) {
  const auto tensor = read_npy(kFolder + name);
  EXPECT_TRUE(tensor.ok());
  return {tensor->data_as<float>(), tensor->data_as<float>() + tensor->numel()};
}

std::vector<aten::SizesType> sizes(const std::string& name) {
  const auto tensor = read_npy(kFolder + name);
  return {tensor->sizes().begin(), tensor->sizes().end()};
}

class StockTest : public DelegateTest {
 protected:
  void SetUp() override {
    DelegateTest::SetUp();
    const auto program = Program::load(kFolder + "partial.pt2");
    const auto artefact = compile(*program, {.engines = {}, .external_engines = "engines"});
    ASSERT_TRUE(artefact.ok()) << artefact.error().message();
    ASSERT_TRUE(artefact->save(folder_ / "m.pte").ok());
    ASSERT_TRUE(runtime::require_backend(kBackend).ok());
  }

  // The first output.
  et::Result<std::vector<float>> run(const std::vector<std::string>& data_files) {
    executorch::extension::Module module(folder_ / "m.pte", data_files);
    TestTensor x(sizes("partial.in0.npy"), floats("partial.in0.npy"));
    TestTensor y(sizes("partial.in1.npy"), floats("partial.in1.npy"));
    const auto outputs = module.forward({*x.value(), *y.value()});
    if (!outputs.ok()) return outputs.error();
    const aten::Tensor& first = outputs->at(0).toTensor();
    const auto* data = first.const_data_ptr<float>();
    return std::vector<float>(data, data + first.numel());
  }

  TestFolder folder_;
};

TEST_F(StockTest, EnginesInADataFileAreFound) {
  const auto outputs = run({folder_ / "engines.ptd"});
  ASSERT_TRUE(outputs.ok()) << et::to_string(outputs.error());
  EXPECT_EQ(*outputs, floats("partial.out0.npy"));
}

TEST_F(StockTest, WithoutItTheProgramIsNotLoaded) {
  const runtime::LogCapture log;
  EXPECT_EQ(run({}).error(), et::Error::InvalidExternalData);
  EXPECT_THAT(log.text(), testing::HasSubstr("not in a data file (.ptd) that was given with it"));
}

}  // namespace
}  // namespace slipway::tensorrt
