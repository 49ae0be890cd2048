#include "runtime/kernel_guards.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "slipway/module.h"

namespace slipway::runtime {
namespace {

struct File {
  const char* name;
  const char* reason;  // null: it runs
};

void PrintTo(const File& file, std::ostream* out) { *out << file.name; }

class KernelGuards : public testing::TestWithParam<File> {};

// Files of one call each, whose arguments end ExecuTorch's kernel by a signal.
TEST_P(KernelGuards, StandBeforeKernelsThatEndTheProcess) {
  const std::string path =
      std::string(SLIPWAY_TEST_DATA) + "/hostile/kernel_" + GetParam().name + ".pte";
  auto module = Module::load(path);
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto infos = module->inputs("forward");
  const auto sizes = module->example_sizes("forward");
  ASSERT_TRUE(infos.ok() && sizes.ok());
  std::vector<Value> inputs;
  for (size_t i = 0; i < infos->size(); ++i) {
    auto tensor = Tensor::zeros((*infos)[i].dtype, (*sizes)[i]);
    ASSERT_TRUE(tensor.ok());
    inputs.emplace_back(std::move(*tensor));
  }
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto outputs = module->run(inputs);
    EXPECT_EQ(outputs.ok(), GetParam().reason == nullptr);
    if (outputs.ok() || GetParam().reason == nullptr) continue;
    EXPECT_NE(outputs.error().message().find(GetParam().reason), std::string::npos)
        << outputs.error().message();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, KernelGuards,
    testing::Values(File{"div_out", "its result is of an integer type"},
                    File{"remainder_Scalar_out", "integer division by zero"},
                    File{"log_softmax_out", nullptr},
                    File{"view_copy_out", "a size can't be inferred beside one of 0"},
                    File{"embedding_byte_out", "its scales don't fit its table"},
                    File{"embedding_byte_dtype_out", "its scales don't fit its table"},
                    File{"embedding_4bit_out", "its scales don't fit its table"},
                    File{"embedding_4bit_dtype_out", "its scales don't fit its table"},
                    File{"embedding_2bit_out", "its scales don't fit its table"},
                    File{"fft_c2r_out", "it takes complex numbers"}),
    [](const testing::TestParamInfo<File>& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace slipway::runtime
