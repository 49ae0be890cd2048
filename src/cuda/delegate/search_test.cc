// The search for the fastest alternatives, by times that are made up.
#include "cuda/delegate/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace slipway::cuda {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Of calls whose time is a sum over the choices, and in each turn a bit of noise.
class Calls {
 public:
  std::vector<std::vector<double>> milliseconds;  // of each choice's alternatives
  double noise = 0;

  Result<std::vector<std::vector<double>>> time(std::span<const Choices> all) {
    std::vector<std::vector<double>> times(all.size());
    for (int turn = 0; turn < 8; ++turn) {
      for (size_t i = 0; i < all.size(); ++i) {
        double sum = noise * ((turn + i) % 2 == 0 ? 1 : -1);
        for (size_t c = 0; c < all[i].size(); ++c) sum += milliseconds[c][all[i][c]];
        times[i].push_back(sum);
      }
    }
    return times;
  }
  Found find(Choices choices) {
    std::vector<uint32_t> counts;
    for (const auto& alternatives : milliseconds) {
      counts.push_back(static_cast<uint32_t>(alternatives.size()));
    }
    auto found = find_fastest(
        std::move(choices), counts, [&](auto all) { return time(all); },
        [&](size_t done) { progress.push_back(done); });
    EXPECT_TRUE(found.ok());
    return *found;
  }
  std::vector<size_t> progress;
};

TEST(Search, TakesTheFastestOfEachChoice) {
  Calls calls{{{3, 1, 2}, {5, 6}, {4, 4, 2}}, 0, {}};
  const Found found = calls.find({0, 0, 0});
  EXPECT_THAT(found.choices, ElementsAre(1, 0, 2));
  EXPECT_THAT(found.times, ElementsAre(Pair(12, 10), Pair(10, 10), Pair(10, 8)));
  EXPECT_THAT(calls.progress, ElementsAre(0, 1, 2, 3));
}

TEST(Search, BeginsWithWhatIsChosen) {
  Calls calls{{{3, 1, 2}, {5, 4}}, 0, {}};
  EXPECT_THAT(calls.find({2, 1}).choices, ElementsAre(1, 1));
  EXPECT_THAT(calls.find({1, 1}).times, ElementsAre(Pair(5, 5), Pair(5, 5)));
}

TEST(Search, LeavesWhatIsNotFasterThanTheNoise) {
  Calls calls{{{3, 2.9}, {5, 3}}, 0.2, {}};
  EXPECT_THAT(calls.find({0, 0}).choices, ElementsAre(0, 1));
}

TEST(Search, AnErrorOfACallEndsIt) {
  const std::vector<uint32_t> counts = {2};
  const auto found = find_fastest(
      {0}, counts, [](auto) { return Result<std::vector<std::vector<double>>>(io_error("no")); },
      [](size_t) {});
  EXPECT_FALSE(found.ok());
}

}  // namespace
}  // namespace slipway::cuda
