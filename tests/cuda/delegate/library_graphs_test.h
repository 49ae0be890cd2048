// cuDNN by a stand-in, for the tests of what it computes.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "cuda/builder/generator_test.h"
#include "cuda/delegate/delegate_test.h"
#include "cuda/delegate/generated_test.h"
#include "cuda/format/description.h"
#include "cuda/libraries/cudnn.h"

namespace slipway::cuda {

class CudaLibraryGraphs : public CudaDelegateTest {
 protected:
  void SetUp() override {
    CudaDelegateTest::SetUp();
    if (driver.is_real) GTEST_SKIP() << "a GPU takes no C++";
    use_stand_in_cudnn(SLIPWAY_TEST_DRIVERS);
  }
  void TearDown() override {
    ::unsetenv(kCudnnVariable);
    driver.library_error = 0;
    driver.cudnn_version = 91900;
    EXPECT_EQ(driver.live_libraries, 0);
    EXPECT_EQ(driver.live_descriptors, 0);
    CudaDelegateTest::TearDown();
  }
  // Each choice is of this alternative, where it has it, or else of its last one.
  static std::vector<std::byte> all_chosen(const std::vector<std::byte>& blob, uint32_t wanted) {
    std::vector<uint8_t> choices;
    for (const uint32_t count : count_alternatives(read_blob(blob)->engine)) {
      choices.push_back(static_cast<uint8_t>(std::min(wanted, count - 1)));
    }
    return chosen(blob, choices, "");
  }
};

}  // namespace slipway::cuda
