#include "inspect/pte_summary.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "base/mapped_file.h"
#include "base/try.h"
#include "engine_list/registry.h"
#include "inspect/graph_json.h"
#include "pte/format/program_generated.h"
#include "pte/format/scalar_types.h"
#include "pte/reader/instruction_text.h"
#include "pte/reader/state.h"
#include "runtime/data_file.h"
#include "runtime/signature.h"

namespace slipway::inspection {
namespace {

namespace fb = executorch_flatbuffer;

std::string state_type(const fb::Tensor& tensor) {
  std::vector<int64_t> sizes;
  if (tensor.sizes() != nullptr) sizes.assign(tensor.sizes()->begin(), tensor.sizes()->end());
  const auto dtype = pte::dtype_of(tensor.scalar_type());
  if (!dtype) return fb::EnumNameScalarType(tensor.scalar_type());
  return format_type(*dtype, sizes);
}

std::vector<NodeReason> reasons(const std::vector<engine::ManifestOutside>& nodes) {
  std::vector<NodeReason> all;
  all.reserve(nodes.size());
  for (const engine::ManifestOutside& node : nodes) {
    all.push_back({node.name, node.op, node.reason});
  }
  return all;
}

void describe_engine(const engine::ManifestEngine& engine, EngineInfo& info) {
  const engine::EngineRecord& record = engine.record;
  info.engine = record.engine;
  info.library_version = record.library_version;
  info.device = record.device;
  info.target = record.target;
  for (const engine::ManifestEngine& variant : engine.variants) {
    info.other_targets.push_back(variant.record.target);
  }
  info.options = record.options;
  info.sha256 = record.sha256;
  if (!engine.external_key.empty()) info.bytes += record.size;
  info.external_key = engine.external_key;
  info.nodes = engine.nodes;
  info.passed_over = reasons(engine.passed_over);
}

EngineHeader header_of(const std::string& backend, std::span<const std::byte> data) {
  const engine::Description* known = engine_list::find_backend(backend);
  if (known == nullptr || known->summarize == nullptr) return std::nullopt;
  return known->summarize(data);
}

Result<MethodInfo> summarize_method(const pte::File& file, const fb::ExecutionPlan& plan,
                                    std::vector<EngineHeader>& headers) {
  MethodInfo method;
  method.name = plan.name()->str();
  SLIPWAY_ASSIGN_OR_RETURN(auto signature, runtime::Signature::create(file, method.name));
  method.inputs = signature.inputs();
  method.outputs = signature.outputs();
  method.input_tree = signature.input_tree();
  method.output_tree = signature.output_tree();
  method.value_count = plan.values()->size();
  const auto* sizes = plan.non_const_buffer_sizes();
  for (uint32_t i = 1; sizes != nullptr && i < sizes->size(); ++i) {
    method.planned_bytes += static_cast<uint64_t>(sizes->Get(i));
  }
  method.instructions = pte::instruction_texts(plan);
  size_t position = 0;
  for (const fb::Chain* chain : *plan.chains()) {
    for (const fb::Instruction* instruction : *chain->instructions()) {
      if (instruction->instr_args_type() == fb::InstructionArguments::KernelCall) {
        ++method.operators[method.instructions[position]];
      }
      ++position;
    }
  }
  if (plan.delegates() != nullptr) {
    for (const fb::BackendDelegate* delegate : *plan.delegates()) {
      const auto data = file.blob(*delegate);
      EngineInfo& engine = method.engines.emplace_back();
      engine.backend = delegate->id()->str();
      engine.bytes = data.size();
      headers.push_back(header_of(engine.backend, data));
    }
  }
  if (const engine::ManifestMethod* described = file.described(method.name)) {
    // The reader has checked that there is one a delegate.
    for (size_t i = 0; i < method.engines.size(); ++i) {
      describe_engine(described->engines[i], method.engines[i]);
    }
    method.outside = reasons(described->outside);
  }
  for (const pte::StateBuffer& buffer : pte::state_of(plan)) {
    method.state.emplace_back(buffer.name, state_type(*buffer.tensor));
  }
  return method;
}

void name_segments(const pte::File& file, PteSummary& summary) {
  const fb::Program& program = file.program();
  const auto name = [&](size_t index, const std::string& content) {
    if (index < summary.segments.size()) summary.segments[index].content = content;
  };
  const auto* constants = program.constant_segment();
  if (constants != nullptr && constants->offsets() != nullptr && constants->offsets()->size() > 1) {
    name(constants->segment_index(), "constants");
    if (constants->segment_index() < summary.segments.size()) {
      summary.constant_bytes = summary.segments[constants->segment_index()].size;
    }
  }
  if (program.mutable_data_segments() != nullptr) {
    for (const auto* group : *program.mutable_data_segments()) {
      name(group->segment_index(), "initial state");
    }
  }
  std::set<uint32_t> engines;
  for (const fb::ExecutionPlan* plan : *program.execution_plan()) {
    if (plan->delegates() == nullptr) continue;
    for (const fb::BackendDelegate* delegate : *plan->delegates()) {
      if (delegate->processed()->location() == fb::DataLocation::SEGMENT) {
        name(delegate->processed()->index(), "engine of " + delegate->id()->str());
        engines.insert(delegate->processed()->index());
      }
    }
  }
  if (file.manifest()) {
    for (const engine::ManifestMethod& method : file.manifest()->methods) {
      for (const engine::ManifestEngine& engine : method.engines) {
        for (const auto& variant : engine.variants) engines.insert(variant.segment);
      }
    }
  }
  for (const uint32_t engine : engines) summary.engine_bytes += summary.segments[engine].size;
  std::set<std::string> external;
  for (const runtime::ExternalEngine& engine : runtime::external_engines(file)) {
    if (external.insert(engine.key).second) summary.engine_bytes += engine.size.value_or(0);
  }
  if (program.named_data() != nullptr) {
    for (const fb::NamedData* named : *program.named_data()) {
      const std::string key = named->key()->str();
      name(named->segment_index(), "named: " + key);
      const auto bytes = file.named_data(key);
      summary.named_data.emplace_back(key, bytes ? bytes->size() : 0);
    }
  }
}

void name_sharing_methods(const pte::File& file, std::vector<MethodInfo>& methods) {
  if (!pte::shares_state(file.program())) return;
  std::map<std::string_view, std::vector<std::string>> having;
  for (const fb::ExecutionPlan* plan : *file.program().execution_plan()) {
    for (const pte::StateBuffer& buffer : pte::state_of(*plan)) {
      if (pte::is_in_shared_memory(buffer)) having[buffer.name].push_back(plan->name()->str());
    }
  }
  for (const auto& [name, names] : having) {
    if (names.size() < 2) continue;
    for (MethodInfo& method : methods) {
      if (std::find(names.begin(), names.end(), method.name) == names.end()) continue;
      std::vector<std::string>& others = method.shared_state[std::string(name)];
      std::remove_copy(names.begin(), names.end(), std::back_inserter(others), method.name);
    }
  }
}

}  // namespace

Result<PteSummary> PteSummary::read(const std::string& path, const InspectOptions& options) {
  SLIPWAY_ASSIGN_OR_RETURN(auto mapped, MappedFile::open(path));
  const auto bytes = mapped->bytes();
  SLIPWAY_ASSIGN_OR_RETURN(
      pte::File file, pte::File::read({bytes, std::move(mapped)}, path, {.trust = options.trust}));
  SLIPWAY_RETURN_IF_ERROR(runtime::find_data_file(file, path, options.data_file));
  SLIPWAY_ASSIGN_OR_RETURN(PteSummary summary, of(file));
  for (const MethodInfo& method : summary.methods) {
    summary.graphs.push_back(graph_json(file, method.name));
  }
  auto data = runtime::open_data_file(file, path, options.data_file);
  if (!data.ok()) {
    summary.data_file = {"", data.error().message(), {}};
  } else if (*data) {
    summary.data_file = {(*data)->name(), "", {}};
    for (const ptd::DataFile::Entry& entry : (*data)->entries()) {
      summary.data_file->entries.emplace_back(entry.key, entry.bytes.size());
    }
  }
  return summary;
}

Result<PteSummary> PteSummary::of(const pte::File& file) {
  PteSummary summary;
  summary.file_size = file.bytes().size();
  summary.program_size = file.program_size();
  summary.manifest = file.manifest();
  if (file.program().segments() != nullptr) {
    for (const fb::DataSegment* segment : *file.program().segments()) {
      summary.segments.push_back({segment->size(), "unused"});
    }
  }
  name_segments(file, summary);
  for (const fb::ExecutionPlan* plan : *file.program().execution_plan()) {
    SLIPWAY_ASSIGN_OR_RETURN(MethodInfo method,
                             summarize_method(file, *plan, summary.headers.emplace_back()));
    summary.methods.push_back(std::move(method));
  }
  name_sharing_methods(file, summary.methods);
  return summary;
}

MethodDetails PteSummary::method(size_t index) const {
  const MethodInfo& info = methods[index];
  return {info, manifest ? manifest->method(info.name) : nullptr, headers[index]};
}

size_t PteSummary::instruction_count() const {
  size_t count = 0;
  for (const MethodInfo& method : methods) count += method.instructions.size();
  return count;
}

size_t PteSummary::engine_count() const {
  size_t count = 0;
  for (const MethodInfo& method : methods) count += method.engines.size();
  return count;
}

uint64_t PteSummary::planned_bytes() const {
  uint64_t bytes = 0;
  for (const MethodInfo& method : methods) bytes += method.planned_bytes;
  return bytes;
}

}  // namespace slipway::inspection
