// An engine that is read holds what the delegate relies on, its numbers have values or an error,
// and its choices can be written over.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <tuple>

#include "cuda/format/blob.h"
#include "cuda/format/check.h"
#include "cuda/format/choices.h"
#include "cuda/format/numbers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto blob = slipway::cuda::read_blob(bytes);
  if (!blob.ok()) return 0;
  if (!slipway::cuda::check_engine(blob->engine, blob->images.size()).ok()) std::abort();
  slipway::cuda::CallSizes sizes;
  for (const auto& input : blob->engine.inputs) {
    sizes.inputs.emplace_back(input->sizes.size(), 3);
    sizes.elements.push_back(5);
  }
  std::ignore = slipway::cuda::evaluate(blob->engine, sizes);
  const auto changes = slipway::cuda::choose(bytes, {blob->engine.choices, "a GPU", {}});
  if (!changes.ok()) std::abort();
  for (const auto& change : *changes) {
    if (change.offset + change.bytes.size() > size) std::abort();
  }
  return 0;
}
