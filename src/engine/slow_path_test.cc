#include "engine/slow_path.h"

#include <gtest/gtest.h>

namespace slipway::engine {
namespace {

using Lines = std::vector<std::string>;

TEST(SlowPath, NamesWhatTakesTheTimeOfAModel) {
  const std::vector<ManifestOutside> outside = {
      {"conv", "aten.conv2d.default", "of float64"},
      {"cos", "aten.cos.default", "of float64"},
      {"conv_1", "aten.conv2d.default", "of float64"},
      {"lstm", "aten.lstm.input", "of its cells"},
  };
  EXPECT_EQ(slow_path(outside, 5),
            (Lines{"conv and 1 more (aten.conv2d.default) on ExecuTorch's kernels, of 4 nodes "
                   "outside the engines: of float64",
                   "lstm (aten.lstm.input) on ExecuTorch's kernels, of 4 nodes outside the "
                   "engines: of its cells"}));
}

TEST(SlowPath, IsSilentOfLightNodesAndOfWhatTheUserExcludes) {
  EXPECT_EQ(slow_path({}, 5), Lines{});
  const std::vector<ManifestOutside> outside = {
      {"cos", "aten.cos.default", "of float64"},
      {"mm", "aten.mm.default", "excluded by its operator, aten.mm"},
      {"convert", "custom.conv2d.default", "of float64"}};
  EXPECT_EQ(slow_path(outside, 5), Lines{});
  EXPECT_EQ(slow_path(std::span(outside).subspan(1, 1), 0), Lines{});
}

TEST(SlowPath, SaysThatThereIsNoEngine) {
  const std::vector<ManifestOutside> outside = {{"cos", "aten.cos.default", "it is odd"},
                                                {"sin", "aten.sin.default", "of float64"},
                                                {"tan", "aten.tan.default", "of float64"}};
  EXPECT_EQ(slow_path(outside, 0),
            (Lines{"no engine is in it: 3 nodes on ExecuTorch's kernels, mostly because of "
                   "float64"}));
}

}  // namespace
}  // namespace slipway::engine
