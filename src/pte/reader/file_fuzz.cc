// Reads a program; of one that is accepted, everything that was checked is touched, so that the
// sanitizers see what the checks missed.
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#include "pte/format/program_generated.h"
#include "pte/reader/instruction_text.h"
#include "pte/reader/reader.h"
#include "pte/reader/value_uses.h"

namespace {

namespace fb = executorch_flatbuffer;

template <class T>
uint64_t sum(const flatbuffers::Vector<T>* items) {
  return std::accumulate(items->begin(), items->end(), uint64_t{0}, [](uint64_t a, auto b) {
    return a + static_cast<uint64_t>(static_cast<int64_t>(b));
  });
}

uint64_t touch(const fb::EValue& value) {
  if (const auto* tensor = value.val_as_Tensor()) return sum(tensor->sizes());
  if (const auto* list = value.val_as_IntList()) return sum(list->items());
  if (const auto* list = value.val_as_BoolList()) return sum(list->items());
  if (const auto* list = value.val_as_TensorList()) return sum(list->items());
  if (const auto* list = value.val_as_OptionalTensorList()) return sum(list->items());
  if (const auto* text = value.val_as_String()) return std::strlen(text->string_val()->c_str());
  return 0;
}

uint64_t touch(const fb::ExecutionPlan& plan) {
  uint64_t total = sum(plan.inputs()) + sum(plan.outputs()) + sum(plan.non_const_buffer_sizes());
  for (const auto* value : *plan.values()) total += touch(*value);
  for (const auto* delegate : *plan.delegates()) total += delegate->id()->size();
  for (const auto* chain : *plan.chains()) {
    for (const auto* instruction : *chain->instructions()) {
      if (const auto* call = instruction->instr_args_as_KernelCall()) {
        total += sum(call->args());
        total += plan.operators()->Get(static_cast<uint32_t>(call->op_index()))->name()->size();
      }
    }
  }
  return total;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto view = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> aligned(view.begin(), view.end());
  for (const bool trust : {false, true}) {
    const auto file = slipway::pte::File::read({aligned, nullptr}, "fuzz", {.trust = trust});
    if (!file.ok()) continue;
    uint64_t total = 0;
    for (const auto* plan : *file->program().execution_plan()) {
      total += touch(*plan);
      total += slipway::pte::value_uses(*plan).size();
      total += slipway::pte::instruction_texts(*plan).size();
    }
    for (size_t i = 0; file->segment(i).ok(); ++i) {
      const auto segment = *file->segment(i);
      if (!segment.empty()) total += static_cast<uint64_t>(segment.front() | segment.back());
    }
    static_cast<void>(file->verify_checksums());
    volatile uint64_t result = total;
    static_cast<void>(result);
  }
  return 0;
}
