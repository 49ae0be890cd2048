// Engines with several optimization profiles.
#include "slipway/cuda.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;
using Floats = std::vector<float>;

class ProfilesTest : public DelegateTest {
 protected:
  // One row, or two to eight.
  static std::string blob() {
    return blob_of(doubling_metadata(),
                   stand_in_plan("input x float32 1 3\nprofile x 2..8 3\noutput y x 2 1\n"));
  }
  et::Error run(Handle& engine, int rows) {
    const auto count = static_cast<size_t>(rows) * 3;
    TestTensor x({rows, 3}, Floats(count, 4));
    TestTensor y({20, 3});
    const et::Error error = engine.run({&x, &y});
    if (error != et::Error::Ok) return error;
    EXPECT_EQ(y.floats(), Floats(count, 9));
    return error;
  }
};

TEST_F(ProfilesTest, ACallTakesTheOneThatServesIt) {
  Handle engine(blob());
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  tensorrt.profile = -1;
  ASSERT_EQ(run(engine, 1), et::Error::Ok) << engine.log();
  EXPECT_EQ(tensorrt.profile, -1) << "the first is the context's from the beginning";
  for (const int rows : {5, 8, 1, 2}) {
    ASSERT_EQ(run(engine, rows), et::Error::Ok) << engine.log();
    EXPECT_EQ(tensorrt.profile, rows == 1 ? 0 : 1);
  }
  EXPECT_EQ(run(engine, 9), et::Error::InvalidArgument);
  EXPECT_THAT(engine.log(), HasSubstr("input 0 has the sizes [9, 3], and the engine is for [1, 3] "
                                      "to [1, 3], or [2, 3] to [8, 3]"));
  EXPECT_EQ(run(engine, 1), et::Error::Ok) << engine.log();
}

TEST_F(ProfilesTest, AGuardPinsOne) {
  Handle engine(blob());
  {
    const cuda::ProfileGuard guard(1);
    ASSERT_EQ(run(engine, 3), et::Error::Ok) << engine.log();
    EXPECT_EQ(run(engine, 1), et::Error::InvalidArgument);
    EXPECT_THAT(engine.log(), HasSubstr("and its caller's profile 1 is for [2, 3] to [8, 3]"));
    {
      const cuda::ProfileGuard inner(0);
      EXPECT_EQ(run(engine, 1), et::Error::Ok) << engine.log();
    }
    EXPECT_EQ(run(engine, 3), et::Error::Ok) << engine.log();
    const cuda::ProfileGuard none(2);
    EXPECT_EQ(run(engine, 3), et::Error::InvalidArgument);
    EXPECT_THAT(engine.log(), HasSubstr("its caller wants profile 2, and the engine has 2"));
  }
  EXPECT_EQ(run(engine, 1), et::Error::Ok) << engine.log();
  // An engine with one has no choice.
  Handle single(blob_of(doubling_metadata(), stand_in_plan(kDoubling)));
  const cuda::ProfileGuard guard(1);
  EXPECT_EQ(run(single, 3), et::Error::Ok) << single.log();
}

TEST_F(ProfilesTest, ANewContextBeginsWithTheFirst) {
  Handle engine(blob_of(doubling_metadata(),
                        stand_in_plan("input x float32 1 3\nprofile x 2..8 3\noutput y x 2 1\n"
                                      "streamable 4096\nautomatic 4096\n")));
  ASSERT_EQ(run(engine, 3), et::Error::Ok) << engine.log();
  et::BackendOption budget{};
  std::strcpy(budget.key, "weight_streaming_budget");
  budget.value = 1000;
  ASSERT_EQ(et::set_option(kBackend, {&budget, 1}), et::Error::Ok);
  EXPECT_EQ(run(engine, 3), et::Error::Ok) << engine.log();
}

}  // namespace
}  // namespace slipway::tensorrt
