// Parts of an engine that there are several ways to compute: each choice says which of its
// alternatives runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/format/engine_generated.h"
#include "cuda/format/steps.h"
#include "engine/description.h"
#include "slipway/result.h"

namespace slipway::cuda {

// Of EngineT::device, where there are choices.
inline constexpr size_t kDeviceRoom = 128;

// Whether the step runs, as the choices are.
bool is_chosen(const table::EngineT& engine, const table::StepUnion& step);

// What an engine has where it is loaded.
struct Surroundings {
  std::string_view target;  // of the image
  bool has_cublaslt = false;
  // Whether cuDNN computes it; null: it is not there.
  std::function<bool(const table::LibraryGraphT&)> computes = nullptr;
};
bool runs_in(const table::StepUnion& step, const Surroundings& here);

// The choices, but for alternatives that can't run here: those become the first one that can.
// kInvalidFile where none can.
Result<std::vector<uint8_t>> choices_for(const table::EngineT& engine, const Surroundings& here,
                                         std::vector<uint8_t> choices);

// Whether any alternative is by that library.
bool uses(const table::EngineT& engine, Library library);

// How many alternatives each choice has.
std::vector<uint32_t> count_alternatives(const table::EngineT& engine);

// What is in EngineT::device; empty where the engine does not say on what it was tuned.
std::string chosen_device(const table::EngineT& engine);

// That each choice is of alternatives which are there, all up to the last one.
Status check_choices(const table::EngineT& engine);

// engine::Description::count_choices and choose.
Result<size_t> count_choices(std::span<const std::byte> blob);
Result<std::vector<engine::BlobChange>> choose(std::span<const std::byte> blob,
                                               const engine::Choices& made);

}  // namespace slipway::cuda
