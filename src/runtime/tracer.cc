#include "runtime/tracer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <executorch/runtime/platform/clock.h>
#include <executorch/runtime/platform/platform.h>

#include "pte/format/program_generated.h"
#include "pte/reader/instruction_text.h"
#include "runtime/requirements.h"

namespace slipway::runtime {
namespace {

namespace et = executorch::runtime;
namespace fb = executorch_flatbuffer;

// Of an event that is none of ours.
constexpr int64_t kIgnored = -1;

// Of what a delegate says ran.
constexpr size_t kMostKind = 256;

std::chrono::nanoseconds to_time(et_timestamp_t ticks) {
  return std::chrono::nanoseconds(et::ticks_to_ns(ticks));
}

// Engines may tell means of all runs: what is longer than its call is shortened alike.
void shorten_layers(ProfiledCall& call) {
  std::chrono::duration<double, std::nano> sum{0};
  for (const ProfiledLayer& layer : call.layers) sum += layer.duration;
  if (sum <= call.duration) return;
  for (ProfiledLayer& layer : call.layers) {
    layer.duration = std::chrono::floor<std::chrono::nanoseconds>(
        std::chrono::duration<double, std::nano>(layer.duration) * (call.duration / sum));
  }
}

}  // namespace

Tracer::Tracer(const pte::File& file, const std::string& method) : method_(method) {
  std::vector<ProfiledInstruction> instructions;
  const fb::ExecutionPlan& plan = *file.plan(method);
  for (std::string& text : pte::instruction_texts(plan)) {
    const size_t index = instructions.size();
    instructions.push_back({std::move(text), instruction_origin(file, method, index)});
  }
  instructions_ = std::make_shared<const std::vector<ProfiledInstruction>>(std::move(instructions));
  size_t first = 0;
  for (const fb::Chain* chain : *plan.chains()) {
    chains_.push_back(first);
    first += chain->instructions()->size();
  }
}

void Tracer::begin() {
  calls_.clear();
  begun_ = Clock::now();
}

RunProfile Tracer::end() {
  const Clock::time_point now = Clock::now();
  return {method_, now - begun_, instructions_, std::exchange(calls_, {})};
}

// A kernel's own event is inside the one of its instruction.
et::EventTracerEntry Tracer::start_profiling(const char* name, et::ChainID /*chain*/,
                                             et::DebugHandle /*handle*/) {
  et::EventTracerEntry entry{};
  entry.event_id = kIgnored;
  const std::string_view event = name;
  if (event != "OPERATOR_CALL" && event != "DELEGATE_CALL") return entry;
  const auto chain = static_cast<size_t>(current_chain_id());
  if (chain >= chains_.size()) return entry;
  ProfiledCall& call = calls_.emplace_back();
  call.instruction = chains_[chain] + current_debug_handle();
  entry.event_id = static_cast<int64_t>(calls_.size()) - 1;
  call.start = Clock::now() - begun_;
  return entry;
}

void Tracer::end_profiling(et::EventTracerEntry entry) {
  if (entry.event_id == kIgnored) return;
  ProfiledCall& call = calls_[static_cast<size_t>(entry.event_id)];
  call.duration = Clock::now() - begun_ - call.start;
  shorten_layers(call);
}

et::EventTracerEntry Tracer::start_profiling_delegate(const char* name,
                                                      et::DelegateDebugIntId /*id*/) {
  et::EventTracerEntry entry{};
  entry.event_id = kIgnored;
  if (calls_.empty()) return entry;
  std::vector<ProfiledLayer>& layers = calls_.back().layers;
  entry.event_id = static_cast<int64_t>(layers.size());
  layers.push_back({name == nullptr ? "" : name, "", {}});
  entry.start_time = et_pal_current_ticks();
  return entry;
}

void Tracer::end_profiling_delegate(et::EventTracerEntry entry, const void* /*metadata*/,
                                    size_t /*size*/) {
  if (entry.event_id == kIgnored || calls_.empty()) return;
  calls_.back().layers[static_cast<size_t>(entry.event_id)].duration =
      to_time(et_pal_current_ticks() - entry.start_time);
}

void Tracer::log_profiling_delegate(const char* name, et::DelegateDebugIntId id,
                                    et_timestamp_t start, et_timestamp_t end, const void* metadata,
                                    size_t size) {
  if (calls_.empty() || end < start) return;
  ProfiledLayer layer;
  layer.name = name != nullptr ? name : "layer " + std::to_string(id);
  if (metadata != nullptr) {
    layer.kind.assign(static_cast<const char*>(metadata), std::min(size, kMostKind));
  }
  layer.duration = to_time(end - start);
  calls_.back().layers.push_back(std::move(layer));
}

}  // namespace slipway::runtime
