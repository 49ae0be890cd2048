#include "pte/reader/engine_check.h"

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/checked.h"
#include "base/try.h"

namespace slipway::pte {
namespace {

bool is_stored(const Tables& tables, const engine::ManifestEngine& engine) {
  const uint64_t own_size = engine.external_key.empty() ? engine.record.size : 0;
  return engine.segment < tables.segments.size() &&
         checked_add(engine.header_size, own_size) == tables.segments[engine.segment].size;
}

Status check_engine(const Tables& tables, const fb::BackendDelegate& delegate,
                    const engine::ManifestEngine& engine) {
  const fb::BackendDelegateDataReference& data = *delegate.processed();
  if (engine.record.backend != view(delegate.id()) ||
      data.location() != fb::DataLocation::SEGMENT || data.index() != engine.segment ||
      !is_stored(tables, engine)) {
    return invalid_file("its manifest describes another engine");
  }
  return {};
}

Status check_argument(const engine::EngineTensor& expected, int32_t value, ValueKinds allowed,
                      const ValueView& values) {
  const ValueKinds kinds = values.kinds(value);
  if ((kinds & ~allowed) != 0) {
    return invalid_file("value {}, for '{}', is {}", value, expected.name, describe(kinds));
  }
  const TensorFacts& tensor = values.tensor(value);
  if (dtype_name(tensor.dtype) != expected.dtype || tensor.rank != expected.sizes.size()) {
    return invalid_file("value {}, for '{}', is {} of {} dimensions, and the engine has {} of {}",
                        value, expected.name, dtype_name(tensor.dtype), tensor.rank, expected.dtype,
                        expected.sizes.size());
  }
  return {};
}

}  // namespace

const std::vector<engine::ManifestEngine>* described_engines(const Tables& tables,
                                                             const fb::ExecutionPlan& plan) {
  if (tables.manifest == nullptr) return nullptr;
  const engine::ManifestMethod* method = tables.manifest->method(view(plan.name()));
  return method == nullptr ? nullptr : &method->engines;
}

Status check_engines(const Tables& tables, const fb::ExecutionPlan& plan) {
  const auto* engines = described_engines(tables, plan);
  if (engines == nullptr) return {};
  if (engines->size() != plan.delegates()->size()) {
    return invalid_file("it has {} delegates, and its manifest describes {} engines",
                        plan.delegates()->size(), engines->size());
  }
  for (uint32_t i = 0; i < plan.delegates()->size(); ++i) {
    auto status = check_engine(tables, *plan.delegates()->Get(i), (*engines)[i]);
    if (!status.ok()) return status.error().with_context(fmt::format("delegate {}", i));
  }
  return {};
}

Status check_variants(const Tables& tables, const engine::Manifest& manifest) {
  std::unordered_map<std::string_view, uint32_t> segments;
  for (uint32_t i = 0; i < count(tables.program.named_data()); ++i) {
    const fb::NamedData& entry = *tables.program.named_data()->Get(i);
    segments.emplace(view(entry.key()), entry.segment_index());
  }
  for (const engine::ManifestMethod& method : manifest.methods) {
    for (const engine::ManifestEngine& engine : method.engines) {
      for (const engine::ManifestEngine& variant : engine.variants) {
        const std::string key = engine::variant_key(engine.record, variant.record.target);
        const auto named = segments.find(key);
        if (named == segments.end() || named->second != variant.segment ||
            !is_stored(tables, variant)) {
          return invalid_file("it does not have the engine for {} that its manifest describes",
                              variant.record.target);
        }
      }
    }
  }
  return {};
}

Status check_engine_call(const engine::EngineRecord& record, std::span<const int32_t> args,
                         const ValueView& values) {
  const size_t inputs = record.inputs.size();
  if (args.size() != inputs + record.outputs.size()) {
    return invalid_file("it has {} arguments, and the engine {} inputs and {} outputs", args.size(),
                        inputs, record.outputs.size());
  }
  for (size_t i = 0; i < inputs; ++i) {
    SLIPWAY_RETURN_IF_ERROR(check_argument(record.inputs[i], args[i], kReadableTensor, values));
  }
  for (size_t i = inputs; i < args.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(
        check_argument(record.outputs[i - inputs], args[i], kWritableTensor, values));
  }
  for (const engine::EngineAlias& alias : record.aliases) {
    const int32_t input = args[alias.input];
    const int32_t output = args[inputs + alias.output];
    if (input != output) {
      return invalid_file("its result {} is value {}, and the engine has it in the memory of {}",
                          alias.output, output, input);
    }
  }
  return {};
}

}  // namespace slipway::pte
