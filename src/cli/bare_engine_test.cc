// Bare engines in the tool, with the stand-ins for TensorRT and NVIDIA's driver.
#include <fstream>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "cli/tool_test.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

class BareEngine : public Tool {
 protected:
  void SetUp() override {
    Tool::SetUp();
    std::ofstream(engine_) << fmt::format("{:63}\n", "ftrtslipway stand-in plan for sm_86")
                           << "input x float32 1..8 3\noutput y x 2 1\n";
    write_zeros("x.npy");
  }
  void write_zeros(const std::string& name) {
    ASSERT_TRUE(write_npy(path(name), *Tensor::zeros(DType::kFloat32, {2, 3})).ok());
  }
  Outcome run_there(const std::vector<std::string>& arguments) {
    return run(arguments,
               "SLIPWAY_CUDA_DRIVER='" SLIPWAY_TEST_DRIVERS
               "/libcuda_stand_in_driver.so' SLIPWAY_TENSORRT_LIB='" SLIPWAY_STAND_IN_TENSORRT
               "' SLIPWAY_STAND_IN_VERSION=110100 ");
  }

  std::string engine_ = path("m.engine");
  std::string input_ = "x=" + path("x.npy");
};

TEST_F(BareEngine, IsComparedWithAReference) {
  const Outcome ran =
      run_there({"run", engine_, "--input", input_, "--output-dir", path("reference")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::vector<std::string> verify = {"verify",          engine_,   "--reference",
                                           path("reference"), "--input", input_};
  const Outcome same = run_there(verify);
  EXPECT_EQ(same.code, 0) << same.out << same.err;
  EXPECT_TRUE(contains(same.out, "output 0")) << same.out;
  write_zeros("reference/0.npy");
  const Outcome other = run_there(verify);
  EXPECT_EQ(other.code, 1);
  EXPECT_TRUE(contains(other.out, "largest difference 1")) << other.out;
}

}  // namespace
}  // namespace slipway::cli
