#include "pte/reader/blob_check.h"

#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/try.h"
#include "engine_list/registry.h"

namespace slipway::pte {
namespace {

std::span<const std::byte> data_of(const Tables& tables,
                                   const fb::BackendDelegateDataReference& data) {
  if (data.location() == fb::DataLocation::SEGMENT) {
    const Segment& segment = tables.segments[data.index()];
    return tables.file.subspan(segment.offset, segment.size);
  }
  const auto* bytes = tables.program.backend_delegate_data()->Get(data.index())->data();
  if (bytes == nullptr) return {};
  return std::as_bytes(std::span(bytes->data(), bytes->size()));
}

std::unordered_map<std::string_view, uint64_t> named_sizes(const Tables& tables) {
  std::unordered_map<std::string_view, uint64_t> sizes;
  for (uint32_t i = 0; i < count(tables.program.named_data()); ++i) {
    const fb::NamedData& entry = *tables.program.named_data()->Get(i);
    sizes.emplace(view(entry.key()), tables.segments[entry.segment_index()].size);
  }
  return sizes;
}

}  // namespace

Result<const std::vector<engine::BlobEnd>*> check_blob(const Tables& tables,
                                                       const fb::BackendDelegate& delegate) {
  const engine::Description* known_engine = engine_list::find_backend(view(delegate.id()));
  if (known_engine == nullptr || known_engine->check_blob == nullptr) return nullptr;
  const fb::BackendDelegateDataReference& data = *delegate.processed();
  const auto bytes = data_of(tables, data);
  if (const auto known = tables.blobs.find(bytes.data()); known != tables.blobs.end()) {
    return &known->second;
  }
  if (tables.blobs.empty()) tables.named_sizes = named_sizes(tables);
  const engine::BlobSurroundings surroundings = {
      [&](std::string_view name) -> std::optional<uint64_t> {
        const auto found = tables.named_sizes.find(name);
        if (found == tables.named_sizes.end()) return std::nullopt;
        return found->second;
      },
      [&](uint64_t steps) { return count_steps(tables, steps); }};
  auto ends = known_engine->check_blob(bytes, surroundings);
  if (!ends.ok()) {
    return ends.error().with_context(fmt::format("its graph for {}", known_engine->title));
  }
  return &tables.blobs.emplace(bytes.data(), std::move(*ends)).first->second;
}

Status check_blob_call(std::span<const engine::BlobEnd> ends, std::span<const int32_t> args,
                       const ValueView& values) {
  for (const engine::BlobEnd& end : ends) {
    const char* what = end.is_output ? "output" : "input";
    if (end.argument >= args.size()) {
      return invalid_file("it has {} arguments, and the graph's {} {} is not among them",
                          args.size(), what, end.argument);
    }
    const int32_t index = args[end.argument];
    const ValueKinds allowed = end.is_output ? kWritableTensor : kReadableTensor;
    const ValueKinds kinds = values.kinds(index);
    if ((kinds & ~allowed) != 0) {
      return invalid_file("value {}, for {} {}, is {}", index, what, end.argument, describe(kinds));
    }
    const TensorFacts& facts = values.tensor(index);
    if (facts.dtype != end.dtype) {
      return invalid_file("value {}, for {} {}, is {}, and the graph has {}", index, what,
                          end.argument, dtype_name(facts.dtype), dtype_name(end.dtype));
    }
    // Sizes of outputs are compared with their memory when they are known.
    if (end.is_output || facts.dynamic) continue;
    const fb::Tensor& tensor = *values.stored(index).val_as_Tensor();
    std::vector<uint64_t> sizes;
    for (const uint8_t dim : *tensor.dim_order()) {
      sizes.push_back(static_cast<uint64_t>(tensor.sizes()->Get(dim)));
    }
    // Graphs have no tensors without dimensions.
    if (sizes.empty()) sizes = {1};
    if (sizes != end.sizes) {
      return invalid_file("value {}, for input {}, has other sizes than the graph", index,
                          end.argument);
    }
  }
  return {};
}

}  // namespace slipway::pte
