#include "cuda/delegate/search.h"

#include <algorithm>

#include "base/median.h"
#include "base/try.h"

namespace slipway::cuda {
namespace {

bool is_faster(const std::vector<double>& times, const std::vector<double>& than) {
  size_t wins = 0;
  for (size_t turn = 0; turn < times.size(); ++turn) wins += times[turn] < than[turn] ? 1 : 0;
  return 4 * wins >= 3 * times.size() && median(times) < median(than);
}

}  // namespace

Result<Found> find_fastest(Choices choices, std::span<const uint32_t> counts,
                           const TimeCalls& time_calls,
                           const std::function<void(size_t done)>& progress) {
  Found found = {std::move(choices), {}};
  for (size_t i = 0; i < counts.size(); ++i) {
    progress(i);
    std::vector<Choices> tried(counts[i], found.choices);
    for (uint32_t alternative = 0; alternative < counts[i]; ++alternative) {
      tried[alternative][i] = static_cast<uint8_t>(alternative);
    }
    const uint8_t known = found.choices[i];
    SLIPWAY_ASSIGN_OR_RETURN(const auto times, time_calls(tried));
    const auto best =
        std::min_element(times.begin(), times.end(),
                         [](const auto& a, const auto& b) { return median(a) < median(b); });
    double before = median(times[known]);
    double after = before;
    if (is_faster(*best, times[known])) {
      const auto winner = static_cast<size_t>(best - times.begin());
      const std::vector<Choices> both = {tried[known], tried[winner]};
      SLIPWAY_ASSIGN_OR_RETURN(const auto again, time_calls(both));
      before = after = median(again[0]);
      if (is_faster(again[1], again[0])) {
        after = median(again[1]);
        found.choices = tried[winner];
      }
    }
    found.times.emplace_back(before, after);
  }
  progress(counts.size());
  return found;
}

}  // namespace slipway::cuda
