#include "compile/built_methods.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/try.h"
#include "compile/compilers.h"
#include "compile/engines.h"
#include "compile/functional.h"
#include "compile/output.h"
#include "compile/program_impl.h"
#include "compile/shared_buffers.h"
#include "compile/slow_path.h"
#include "compile/symbol_bounds.h"
#include "engine_list/registry.h"
#include "partition/exclusions.h"
#include "ptd/writer.h"
#include "slipway/version.h"

namespace slipway {

namespace {

// Those of each method: what is dumped of several lies in folders of their own, and what is
// excluded from one needs not be in the others.
std::vector<CompileOptions> options_of(const NamedPrograms& methods,
                                       const std::vector<ir::Program>& programs,
                                       const CompileOptions& options) {
  std::vector<CompileOptions> all(methods.size(), options);
  if (methods.size() == 1) return all;
  std::vector<partition::Options> named(methods.size(), exclusions(options));
  for (size_t i = 0; i < methods.size(); ++i) {
    std::string folder = methods[i].first;
    std::replace(folder.begin(), folder.end(), '/', '_');
    if (!options.dump_partitions.empty()) all[i].dump_partitions += "/" + folder;
    partition::keep_named(programs[i], named[i]);
  }
  const auto drop = [&](size_t method, std::set<std::string>& given, auto list) {
    std::erase_if(given, [&](const std::string& text) {
      return !(named[method].*list).contains(text) &&
             std::any_of(named.begin(), named.end(), [&](const partition::Options& other) {
               return (other.*list).contains(text);
             });
    });
  };
  for (size_t i = 0; i < methods.size(); ++i) {
    drop(i, all[i].exclude_ops, &partition::Options::exclude_ops);
    drop(i, all[i].exclude_nodes, &partition::Options::exclude_nodes);
  }
  return all;
}

// Leaves out of the list what is in the program no more: constants after all, or equal to another.
void drop_folded(ProgramEngines& parts, const ir::Program& program) {
  std::set<std::string> origins;
  for (const auto& node : program.graph->nodes()) origins.insert(node->origin());
  std::vector<engine::ManifestOutside> left;
  for (size_t i = 0; i < parts.outside.size(); ++i) {
    if (origins.contains(parts.origins[i])) left.push_back(std::move(parts.outside[i]));
  }
  parts.outside = std::move(left);
}

// Puts the engines into the data file whose delegates find them there.
Status take_out(const std::vector<engine::Engine*>& engines, const CompileOptions& options,
                Artefact::Impl& artefact) {
  std::vector<ptd::NamedBytes> entries;
  std::set<std::string> keys;
  for (engine::Engine* engine : engines) {
    const engine::Description* known = engine_list::find_backend(engine->record.backend);
    if (known == nullptr || known->external_header == nullptr) continue;
    engine->external_key = engine::external_key(engine->record);
    SLIPWAY_ASSIGN_OR_RETURN(engine->header,
                             known->external_header(engine->header, engine->external_key));
    if (!keys.insert(engine->external_key).second) continue;
    entries.push_back({engine->external_key, engine->bytes});
  }
  if (entries.empty()) {
    if (options.on_warning) {
      options.on_warning(
          "option 'external_engines' has no effect: the program has no engine that can be outside "
          "of it");
    }
    return {};
  }
  // One that was built in its place is the largest.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.bytes.size() > b.bytes.size(); });
  const bool is_large = entries.front().bytes.size() >= engine::kLargeEngine;
  SLIPWAY_ASSIGN_OR_RETURN(artefact.data,
                           ptd::lay_out(entries, is_large ? engine::kLargeEngineOffset : 0));
  artefact.data_file = data_file_name(options);
  artefact.data_keys = std::move(keys);
  return {};
}

std::optional<int8_t> cuda_device(const engine::EngineRecord& record) {
  const engine::Description* known = engine_list::find_backend(record.backend);
  if (known == nullptr || known->cuda_device == nullptr) return std::nullopt;
  return known->cuda_device(record);
}

}  // namespace

Result<BuiltMethods> BuiltMethods::build(const NamedPrograms& methods,
                                         const CompileOptions& options) {
  BuiltMethods built_methods;
  std::vector<ir::Program>& programs = built_methods.programs_;
  programs.reserve(methods.size());
  for (const auto& [name, program] : methods) {
    programs.push_back(Program::Impl::of(*program).ir.clone());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Compilers compilers, make_compilers(options));
  SLIPWAY_RETURN_IF_ERROR(apply_limits(programs, compilers, options));
  SLIPWAY_RETURN_IF_ERROR(check_bounded(programs));

  std::vector<ProgramEngines> came_with;
  for (ir::Program& program : programs) {
    SLIPWAY_ASSIGN_OR_RETURN(came_with.emplace_back(), take_engines(program));
  }
  if (options.share_buffers) {
    SLIPWAY_RETURN_IF_ERROR(share_buffers(programs, methods, options));
  }
  const std::vector<CompileOptions> own_options = options_of(methods, programs, options);
  std::vector<pte::Method>& emitted = built_methods.methods_;
  for (size_t i = 0; i < methods.size(); ++i) {
    ir::Program& program = programs[i];
    ProgramEngines& found = came_with[i];
    for (const std::string& warning : found.warnings) {
      if (options.on_warning) options.on_warning(warning);
    }
    std::map<std::string, size_t> built;
    for (const engine::Engine& engine : found.engines) ++built[engine.record.engine];
    for (const auto& [engine, count] : built) {
      warn_of_built(options, engine, count, program.source);
    }
    SLIPWAY_ASSIGN_OR_RETURN(ProgramEngines parts,
                             take_parts(program, std::move(found), compilers, own_options[i]));
    const std::string remedy = slow_path_remedy(program, parts, options);
    SLIPWAY_RETURN_IF_ERROR(make_kernel_program(program, options));
    drop_folded(parts, program);
    warn_of_slow_path(program.source, parts, remedy, options);
    emitted.push_back({.name = methods[i].first,
                       .program = &program,
                       .source_sha256 = Program::Impl::of(*methods[i].second).source_sha256(),
                       .engines = std::move(parts.engines),
                       .engine_nodes = std::move(parts.nodes),
                       .engine_graphs = std::move(parts.graphs),
                       .passed_over = std::move(parts.passed_over),
                       .outside = std::move(parts.outside)});
  }
  for (size_t i = 0; i < compilers.size(); ++i) {
    std::vector<engine::Engine*> own;
    for (pte::Method& method : emitted) {
      for (engine::Engine& engine : method.engines) {
        if (engine.record.engine == options.engines[i].name) own.push_back(&engine);
      }
    }
    compilers[i]->finish(own);
  }
  return built_methods;
}

std::vector<engine::Engine*> BuiltMethods::engines() {
  std::vector<engine::Engine*> all;
  for (pte::Method& method : methods_) {
    for (engine::Engine& engine : method.engines) {
      all.push_back(&engine);
      for (engine::Engine& variant : engine.variants) all.push_back(&variant);
    }
  }
  return all;
}

Result<PieceList> BuiltMethods::emit() const { return pte::emit(methods_, {}); }

Status BuiltMethods::finish(const CompileOptions& options, std::optional<engine::Tuning> tuning,
                            Artefact::Impl& artefact) && {
  const std::vector<engine::Engine*> all = engines();
  artefact.started = StartedEngine::take_largest(all);
  if (!options.external_engines.empty()) {
    SLIPWAY_RETURN_IF_ERROR(take_out(all, options, artefact));
  }
  const auto has_device = [](const engine::Engine* engine) {
    return cuda_device(engine->record).has_value();
  };
  if (options.non_cpu_memory_planning && options.on_warning &&
      std::none_of(all.begin(), all.end(), has_device)) {
    options.on_warning(
        "option 'non_cpu_memory_planning' has no effect: the program has no engine that takes its "
        "tensors in a GPU's memory");
  }
  if (options.on_step) options.on_step("plan memory");
  SLIPWAY_ASSIGN_OR_RETURN(
      artefact.pieces,
      pte::emit(methods_, {.tool_version = std::string("slipway ") + version(),
                           .alloc_graph_output = options.alloc_graph_output,
                           .share_buffers = options.share_buffers,
                           .data_file = artefact.data_file,
                           .tuning = std::move(tuning),
                           .device_of = options.non_cpu_memory_planning ? cuda_device : nullptr}));
  artefact.is_pte = true;
  artefact.put_into(options.output,
                    std::any_of(all.begin(), all.end(), [](const engine::Engine* engine) {
                      return engine_list::takes_cuda_memory(engine->record.backend);
                    }));
  return {};
}

}  // namespace slipway
