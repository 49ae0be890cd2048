#include "cuda/format/plans.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"

namespace slipway::cuda {
namespace {

// Before a plan's bytes: the step, and their count.
using Head = std::array<uint32_t, 2>;

}  // namespace

Result<std::map<uint32_t, std::string_view>> read_plans(const table::EngineT& engine) {
  std::map<uint32_t, std::string_view> plans;
  const std::string_view all(reinterpret_cast<const char*>(engine.plans.data()),
                             engine.plans.size());
  size_t at = 0;
  while (all.size() - at >= sizeof(Head)) {
    Head head;
    std::memcpy(&head, all.data() + at, sizeof head);
    const auto [step, size] = head;
    if (size == 0) break;
    at += sizeof head;
    const bool is_for_one =
        step < engine.steps.size() && engine.steps[step].AsLibraryGraph() != nullptr;
    if (!is_for_one || size > all.size() - at) {
      return invalid_file("it keeps a plan of {} bytes for step {} of {}", size, step,
                          engine.steps.size());
    }
    plans[step] = all.substr(at, size);
    at += size;
  }
  return plans;
}

void write_plans(table::EngineT& engine, const std::map<uint32_t, std::string>& plans) {
  std::fill(engine.plans.begin(), engine.plans.end(), uint8_t{0});
  size_t at = 0;
  for (const auto& [step, text] : plans) {
    const Head head = {step, static_cast<uint32_t>(text.size())};
    if (text.empty() || text.size() > engine.plans.size() ||
        sizeof head + text.size() > engine.plans.size() - at) {
      continue;
    }
    std::memcpy(engine.plans.data() + at, &head, sizeof head);
    std::memcpy(engine.plans.data() + at + sizeof head, text.data(), text.size());
    at += sizeof head + text.size();
  }
}

}  // namespace slipway::cuda
