#include "cuda/format/choices.h"

#include <algorithm>
#include <bitset>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/try.h"
#include "cuda/format/blob.h"
#include "cuda/format/plans.h"

namespace slipway::cuda {
namespace {

template <class Look>
void for_each_alternative(const table::EngineT& engine, const Look& look) {
  for (const auto& step : engine.steps) {
    if (const StepInfo info = info_of(step); info.choice != 0) look(info);
  }
}

std::vector<std::byte> to_bytes(std::span<const uint8_t> numbers) {
  const auto bytes = std::as_bytes(numbers);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

bool is_chosen(const table::EngineT& engine, const table::StepUnion& step) {
  const StepInfo info = info_of(step);
  return info.choice == 0 || engine.choices[info.choice - 1] == info.alternative;
}

bool runs_in(const table::StepUnion& step, const Surroundings& here) {
  const StepInfo info = info_of(step);
  if (!info.target.empty() && info.target != here.target) return false;
  if (info.library == Library::kCudnn)
    return here.computes && here.computes(*step.AsLibraryGraph());
  return info.library == Library::kNone || here.has_cublaslt;
}

bool uses(const table::EngineT& engine, Library library) {
  return std::any_of(engine.steps.begin(), engine.steps.end(),
                     [&](const auto& step) { return info_of(step).library == library; });
}

// What an alternative needs is asked for where it may be chosen: a library's plan takes time.
Result<std::vector<uint8_t>> choices_for(const table::EngineT& engine, const Surroundings& here,
                                         std::vector<uint8_t> choices) {
  std::vector<std::vector<const table::StepUnion*>> steps(choices.size());
  for (const auto& step : engine.steps) {
    if (const StepInfo info = info_of(step); info.choice != 0) {
      steps[info.choice - 1].push_back(&step);
    }
  }
  const auto can_run = [&](size_t choice, uint32_t alternative) {
    return std::all_of(steps[choice].begin(), steps[choice].end(), [&](const auto* step) {
      return info_of(*step).alternative != alternative || runs_in(*step, here);
    });
  };
  const std::vector<uint32_t> counts = count_alternatives(engine);
  for (size_t i = 0; i < choices.size(); ++i) {
    if (can_run(i, choices[i])) continue;
    uint32_t first = 0;
    while (first < counts[i] && !can_run(i, first)) ++first;
    if (first == counts[i]) {
      return invalid_file("choice {} has no alternative that runs in {}", i + 1, here.target);
    }
    choices[i] = static_cast<uint8_t>(first);
  }
  return choices;
}

std::vector<uint32_t> count_alternatives(const table::EngineT& engine) {
  std::vector<uint32_t> counts(engine.choices.size());
  for_each_alternative(engine, [&](const StepInfo& info) {
    uint32_t& count = counts[info.choice - 1];
    count = std::max(count, info.alternative + uint32_t{1});
  });
  return counts;
}

std::string chosen_device(const table::EngineT& engine) {
  const std::string text(engine.device.begin(), engine.device.end());
  return text.substr(0, text.find('\0'));
}

Status check_choices(const table::EngineT& engine) {
  if (engine.device.size() != (engine.choices.empty() ? 0 : kDeviceRoom)) {
    return invalid_file("what {} choices were made on has {} bytes", engine.choices.size(),
                        engine.device.size());
  }
  if (engine.choices.size() > engine.steps.size()) {
    return invalid_file("it has {} choices, and {} steps", engine.choices.size(),
                        engine.steps.size());
  }
  std::vector<std::bitset<256>> known(engine.choices.size());
  Status checked;
  for_each_alternative(engine, [&](const StepInfo& info) {
    if (info.choice <= known.size()) {
      known[info.choice - 1].set(info.alternative);
    } else if (checked.ok()) {
      checked = invalid_file("it names choice {} of {}", info.choice, known.size());
    }
  });
  for (const auto& step : engine.steps) {
    const StepInfo info = info_of(step);
    if (info.choice != 0) continue;
    if (!info.target.empty()) {
      checked = invalid_file("a launch for one image alone is of no choice");
    }
    if (info.library != Library::kNone) {
      checked = invalid_file("what a library computes is of no choice");
    }
  }
  if (!checked.ok()) return checked;
  for (size_t i = 0; i < known.size(); ++i) {
    const size_t count = known[i].count();
    if ((known[i] >> count).any()) {
      return invalid_file("choice {} lacks an alternative", i + 1);
    }
    if (engine.choices[i] < count) continue;
    return invalid_file("choice {} is of alternative {} of {}", i + 1, engine.choices[i], count);
  }
  return {};
}

Result<size_t> count_choices(std::span<const std::byte> blob) {
  SLIPWAY_ASSIGN_OR_RETURN(const Blob read, read_blob(blob));
  return read.engine.choices.size();
}

Result<std::vector<engine::BlobChange>> choose(std::span<const std::byte> blob,
                                               const engine::Choices& made) {
  SLIPWAY_ASSIGN_OR_RETURN(Blob read, read_blob(blob));
  table::EngineT& engine = read.engine;
  if (made.alternatives.size() != engine.choices.size()) {
    return invalid_argument("{} choices are made, and there are {}", made.alternatives.size(),
                            engine.choices.size());
  }
  if (made.alternatives.empty()) return std::vector<engine::BlobChange>();
  // A zero is left behind the text.
  const std::string_view known = std::string_view(made.device).substr(0, kDeviceRoom - 1);
  std::fill(engine.device.begin(), engine.device.end(), uint8_t{0});
  std::copy(known.begin(), known.end(), engine.device.begin());
  engine.choices = made.alternatives;
  write_plans(engine, made.plans);
  if (const Status checked = check_choices(engine); !checked.ok()) {
    return invalid_argument("{}", checked.error().message());
  }
  if (const auto plans = read_plans(engine); !plans.ok()) {
    return invalid_argument("{}", plans.error().message());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const ChoicePlaces places, find_choices(blob));
  std::vector<engine::BlobChange> changes = {{places.choices, to_bytes(engine.choices)},
                                             {places.device, to_bytes(engine.device)}};
  if (places.plans) changes.push_back({*places.plans, to_bytes(engine.plans)});
  return changes;
}

}  // namespace slipway::cuda
