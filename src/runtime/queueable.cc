#include "runtime/queueable.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine_list/registry.h"
#include "pte/format/allocation.h"
#include "pte/format/program_generated.h"

namespace slipway::runtime {
namespace {

namespace fb = executorch_flatbuffer;

// Of the host's planned memory.
struct Piece {
  uint32_t memory = 0;
  uint64_t begin = 0;
  uint64_t end = 0;

  bool overlaps(const Piece& other) const {
    return memory == other.memory && begin < other.end && other.begin < end;
  }
};

// What the calls of a method before have used on the host.
class HostUses {
 public:
  HostUses(const fb::ExecutionPlan& execution, const Plan& plan, const DeviceState& state,
           const std::set<size_t>& written)
      : execution_(execution), plan_(plan), state_(state), written_(written) {}

  // False where the call uses any of it that engines write to.
  bool add(const fb::DelegateCall& call) {
    std::vector<Piece> own;
    for (const size_t value : std::set<size_t>(call.args()->begin(), call.args()->end())) {
      const fb::Tensor* tensor =
          execution_.values()->Get(static_cast<uint32_t>(value))->val_as_Tensor();
      if (tensor == nullptr) return false;
      if (state_.has(value)) continue;
      const auto* place = tensor->allocation_info();
      if (place == nullptr) {
        if (!seen_.insert(value).second && !is_read_only(*tensor, value)) return false;
        continue;
      }
      if (plan_.planned_devices[place->memory_id() - 1]) continue;
      const auto size = nbytes_of(*tensor, "");
      if (!size.ok()) return false;
      const uint64_t begin = pte::offset_of(*place);
      const Piece piece = {place->memory_id(), begin, begin + *size};
      const auto is_common = [&](const Piece& other) { return other.overlaps(piece); };
      if (std::any_of(pieces_.begin(), pieces_.end(), is_common)) return false;
      own.push_back(piece);
    }
    pieces_.insert(pieces_.end(), own.begin(), own.end());
    return true;
  }

 private:
  bool is_read_only(const fb::Tensor& tensor, size_t value) const {
    if (tensor.data_buffer_idx() > 0) return true;  // a constant
    const bool is_input =
        std::find(plan_.inputs.begin(), plan_.inputs.end(), value) != plan_.inputs.end();
    return is_input && !written_.contains(value);
  }

  const fb::ExecutionPlan& execution_;
  const Plan& plan_;
  const DeviceState& state_;
  const std::set<size_t>& written_;
  std::set<size_t> seen_;
  std::vector<Piece> pieces_;
};

}  // namespace

bool can_be_queued(const pte::File& file, const std::string& method, const Plan& plan,
                   const DeviceState& state, const std::set<size_t>& written,
                   const std::string& program) {
  const fb::ExecutionPlan& execution = *file.plan(method);
  if (plan.loops.any || execution.chains()->size() != 1) return false;
  const auto& instructions = *execution.chains()->Get(0)->instructions();
  uint32_t next = 0;
  // What the first run does was done when the method was loaded.
  if (plan.first_run) {
    const auto* jump = instructions.Get(0)->instr_args_as_JumpFalseCall();
    next = static_cast<uint32_t>(jump->destination_instruction());
  }
  std::set<uint32_t> delegates;
  HostUses uses(execution, plan, state, written);
  for (; next < instructions.size(); ++next) {
    const auto* call = instructions.Get(next)->instr_args_as_DelegateCall();
    // A second call would use the memory of the first.
    if (call == nullptr ||
        !delegates.insert(static_cast<uint32_t>(call->delegate_index())).second ||
        !uses.add(*call)) {
      return false;
    }
  }
  const auto leaves_work = [&](uint32_t delegate) {
    const engine::Description* known =
        engine_list::find_backend(execution.delegates()->Get(delegate)->id()->str());
    return known != nullptr && known->leaves_work;
  };
  return !delegates.empty() && std::all_of(delegates.begin(), delegates.end(), leaves_work) &&
         memory_of(execution, delegates, program).has_value();
}

}  // namespace slipway::runtime
