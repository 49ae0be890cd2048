#include "engine_build/constants.h"

#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/temporary_file.h"
#include "base/try.h"
#include "engine_build/spool.h"

namespace slipway::engine_build {

namespace {

std::vector<engine::EngineTensor> describe(const std::vector<onnx::ValueType>& values) {
  std::vector<engine::EngineTensor> tensors;
  for (const onnx::ValueType& value : values) {
    engine::EngineTensor& tensor = tensors.emplace_back();
    tensor.name = value.name;
    tensor.dtype = dtype_name(value.dtype);
    for (const ir::SymInt& size : value.sizes) tensor.sizes.push_back(size.to_string());
  }
  return tensors;
}

}  // namespace

Result<Constants> Constants::of(const onnx::Graph& graph) {
  Constants constants;
  Spool spool({temporary_folder()});
  uint64_t end = 0;
  std::vector<std::pair<const onnx::Initializer*, uint64_t>> places;
  for (const onnx::Initializer& initializer : graph.initializers) {
    constants.nbytes_ += initializer.data.size();
    if (const OwnedSpan* span = initializer.data.span()) {
      constants.bytes_[&initializer] = span->bytes;
      continue;
    }
    const auto start = checked_align(end, kConstantAlignment);
    const auto next = start ? checked_add(*start, initializer.data.size()) : std::nullopt;
    if (!next) return resource_exhausted("the constants of a partition are too large");
    const std::vector<std::byte> gap(*start - end);
    SLIPWAY_RETURN_IF_ERROR(spool.append(gap));
    const Status written = initializer.data.write(
        [&](std::span<const std::byte> bytes) { return spool.append(bytes); });
    if (!written.ok()) return written.error().with_context(initializer.name);
    places.emplace_back(&initializer, *start);
    end = *next;
  }
  if (places.empty()) return constants;
  SLIPWAY_ASSIGN_OR_RETURN(constants.laid_out_, spool.finish());
  for (const auto& [initializer, start] : places) {
    constants.bytes_[initializer] =
        constants.laid_out_.bytes.subspan(start, initializer->data.size());
  }
  return constants;
}

engine::EngineRecord record_of(const engine::Description& engine, const onnx::Graph& graph,
                               const Constants& constants) {
  engine::EngineRecord record;
  record.engine = engine.name;
  record.backend = engine.backend;
  record.inputs = describe(graph.inputs);
  record.outputs = describe(graph.outputs);
  record.weight_bytes = constants.nbytes();
  return record;
}

}  // namespace slipway::engine_build
