// Products of rows and weights of 8 or 4 bits, tests/data/packed_weights, by the CUDA engine: the
// kernel that multiplies them reads them as they are.
#include <cmath>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/builder/images.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

// How far sums in another order may be off, once they are rounded.
double tolerance_of(std::string_view type) {
  return type == "bfloat16" ? 0x1p-7 : type == "float16" ? 0x1p-10 : 1e-5;
}

class PackedWeightsTest : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(PackedWeightsTest, AreMultipliedAsPyTorchDoes) {
  const auto& [weights, type] = GetParam();
  const std::string stem =
      std::string(SLIPWAY_TEST_DATA) + "/packed_weights/" + weights + "." + type;
  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  cuda::set_source_as_image(true);
  const auto program = Program::load(stem + ".pt2");
  ASSERT_TRUE(program.ok()) << program.error().message();
  const auto artefact =
      compile(*program, {.engines = *parse_engines("cuda"), .require_full = true});
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  const auto bytes = *artefact->to_memory();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const bool has_4_bits = std::string_view(weights).starts_with("four_bits");
  // As many as 16 bytes are, at once; or by tensor cores.
  const std::string kernel = std::string_view(type) == "float32"
                                 ? std::string("s_thin_along_k<") + (has_4_bits ? "32, " : "16, ")
                                 : std::string("s_packed_product<s_") + type + "_product, ";
  EXPECT_NE(text.find(kernel), std::string_view::npos);
  const auto module = Module::load(bytes, "packed");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto expected = read_npy(stem + ".out.npy");
  const auto input = read_npy(stem + ".in.npy");
  ASSERT_TRUE(expected.ok() && input.ok());
  const auto outputs = module->method()->run({*input});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  const auto& found = std::get<Tensor>(outputs->at(0));
  ASSERT_EQ(found.sizes(), expected->sizes());
  const double tolerance = tolerance_of(type);
  for (int64_t i = 0; i < expected->numel(); ++i) {
    const double number = expected->data_as<float>()[i];
    ASSERT_NEAR(found.data_as<float>()[i], number, 1e-5 + tolerance * std::abs(number))
        << "at element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PackedWeightsTest,
                         testing::Combine(testing::Values("plain", "channels", "groups",
                                                          "four_bits", "four_bits_asymmetric",
                                                          "four_bits_dequantized", "four_bits_wide",
                                                          "dequantized"),
                                          testing::Values("float32", "float16", "bfloat16")),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param);
                         });

}  // namespace
}  // namespace slipway
