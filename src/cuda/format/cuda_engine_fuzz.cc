// An engine that is read holds what the delegate relies on, and its numbers have values or an
// error.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <tuple>

#include "cuda/format/blob.h"
#include "cuda/format/check.h"
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
  return 0;
}
