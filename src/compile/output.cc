#include "compile/output.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "base/try.h"
#include "engine/manifest.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"

namespace slipway {

namespace {

const char* title(const CompileOptions& options) {
  switch (options.output) {
    case Output::kPte:
      return options.engines.empty() ? "a .pte file without engines" : "a .pte file";
    case Output::kLibrary:
      return options.engines.empty() ? "a shared library without engines" : "a shared library";
    case Output::kAotiPackage:
      return options.engines.empty() ? "a package of AOTInductor without engines"
                                     : "a package of AOTInductor";
    case Output::kEngine:
      return "a bare engine";
    case Output::kOnnx:
    case Output::kEngineOnnx:
      return "an ONNX model";
    case Output::kArchive:
      break;
  }
  return options.engines.empty() ? "an archive without engines" : "an archive";
}

struct Given {
  const char* option;
  bool is_given;
};

// What says how a program is cut, and what is done with the parts.
std::vector<Given> of_partitions(const CompileOptions& options) {
  return {
      {"check", options.check == EngineCheck::kOutside || options.check == EngineCheck::kFail},
      {"dump_partitions", !options.dump_partitions.empty()},
      {"exclude_ops", !options.exclude_ops.empty()},
      {"exclude_nodes", !options.exclude_nodes.empty()},
      {"min_partition_size", options.min_partition_size != CompileOptions().min_partition_size}};
}

// What is given of an engine that only its builds ask for.
std::vector<std::string> options_of_builds(const EngineChoice& engine) {
  const std::vector<EngineOption> known = engine_options(engine.name);
  std::vector<std::string> names;
  for (const auto& given : engine.options) {
    const std::string& name = given.first;
    const bool is_of_builds =
        std::any_of(known.begin(), known.end(), [&](const EngineOption& option) {
          return option.name == name && !option.is_for_machines && !option.is_for_loading &&
                 !option.is_for_programs;
        });
    const bool is_new = std::find(names.begin(), names.end(), name) == names.end();
    if (is_of_builds && is_new) names.push_back(name);
  }
  return names;
}

Status check_without_effect(const CompileOptions& options) {
  const CompileOptions defaults;
  const Given of_pte[] = {
      {"alloc_graph_output", options.alloc_graph_output != defaults.alloc_graph_output},
      {"external_engines", !options.external_engines.empty()},
      {"non_cpu_memory_planning", options.non_cpu_memory_planning},
      {"share_buffers", options.share_buffers},
      {"seed", options.seed != defaults.seed}};
  const Given of_ranges[] = {{"bounds", !options.bounds.empty()}};
  const auto refuse = [&](const char* option) {
    return invalid_argument("option '{}' has no effect on {}", option, title(options));
  };
  if (!is_program(options.output)) {
    for (const Given& one : of_pte) {
      if (one.is_given) return refuse(one.option);
    }
  }
  const bool has_place = options.output == Output::kPte || options.output == Output::kEngine;
  if (!has_place && !options.destination.empty()) return refuse("destination");
  if (!is_onnx(options.output) && !options.engines.empty()) return {};
  // Nothing is built.
  for (const Given& one : of_partitions(options)) {
    if (one.is_given) return refuse(one.option);
  }
  if (options.require_full) return refuse("require_full");
  if (!is_program(options.output) && !options.cache.empty()) return refuse("cache");
  // An ONNX model has its sizes symbolic.
  for (const Given& one : of_ranges) {
    if (one.is_given && is_onnx(options.output)) return refuse(one.option);
  }
  // It decides about the lowering for an engine.
  if (options.output != Output::kEngineOnnx && options.allow_reduced_precision) {
    return refuse("allow_reduced_precision");
  }
  return {};
}

// The engines that an ONNX model is for.
Status check_engines_of_model(const CompileOptions& options) {
  if (options.output == Output::kOnnx) {
    const std::vector<EngineChoice>& engines = options.engines;
    if (engines.empty() || (engines.size() == 1 && engines[0].name == engine_names().front() &&
                            engines[0].options.empty())) {
      return {};
    }
    return invalid_argument(
        "option 'engines' has no effect on an ONNX model for any tool: ask for the one that the "
        "engine would be given (Output::kEngineOnnx)");
  }
  for (const EngineChoice& engine : options.engines) {
    const auto known = engine_options(engine.name);
    for (const auto& [name, value] : engine.options) {
      const auto option =
          std::find_if(known.begin(), known.end(),
                       [&, &name = name](const EngineOption& one) { return one.name == name; });
      // That an option is not known is said where the engine is made.
      if (option == known.end() || option->is_for_models) continue;
      return invalid_argument("option '{}' has no effect on an ONNX model", name);
    }
  }
  return {};
}

// The engines that an archive is to hold.
Status check_engines_of_archive(const CompileOptions& options) {
  std::vector<std::string> able;
  for (const auto* compiler : engine_list::compilers()) {
    if (compiler->put_engines != nullptr) able.emplace_back(compiler->name);
  }
  for (const EngineChoice& engine : options.engines) {
    if (std::find(able.begin(), able.end(), engine.name) != able.end()) continue;
    return invalid_argument(
        "an archive of torch.export holds no engines of {}: ask for option 'engines' {}, for "
        "option 'engines' none, which writes the program itself, or for a .pte file",
        engine.name, fmt::join(able, " or "));
  }
  if (options.engines.size() <= 1) return {};
  return invalid_argument("an archive holds engines of one kind, but {} are given",
                          options.engines.size());
}

// Options of engines that are for other outputs.
Status check_options_of_engines(const CompileOptions& options) {
  const bool is_archive = options.output == Output::kArchive;
  // It has nothing but its bytes.
  const bool is_bare = options.output == Output::kEngine;
  for (const EngineChoice& engine : options.engines) {
    for (const EngineOption& known : engine_options(engine.name)) {
      const bool lacks_program = known.is_for_programs && !is_archive;
      const bool lacks_place = known.is_for_loading && (is_archive || is_bare);
      if (!lacks_program && !lacks_place) continue;
      for (const auto& [name, value] : engine.options) {
        if (name != known.name) continue;
        return invalid_argument("option '{}' has no effect on {}", name, title(options));
      }
    }
  }
  return {};
}

Status check_tune(const CompileOptions& options) {
  constexpr size_t kMost = 4;  // 28 cuts
  if (!options.tune) {
    if (options.tune_sizes.empty()) return {};
    return invalid_argument("option 'tune_sizes' is of use with option 'tune' alone");
  }
  if (!is_program(options.output)) {
    return invalid_argument("option 'tune' has no effect on {}", title(options));
  }
  if (options.engines.size() < 2 || options.engines.size() > kMost) {
    return invalid_argument(
        "option 'tune' chooses among 2 to {} engines, but {} given with option 'engines'; there "
        "are {}",
        kMost, options.engines.size() == 1 ? "1 is" : fmt::format("{} are", options.engines.size()),
        fmt::join(engine_names(), ", "));
  }
  if (options.print_after.empty() && options.dump_partitions.empty()) return {};
  return invalid_argument(
      "option '{}' is of one build, but option 'tune' makes several: leave it out, or name the "
      "engines that were chosen",
      options.print_after.empty() ? "dump_partitions" : "print_after");
}

// An option that none of the engines asked for can follow is an error. Those that are not known
// may.
Status check_any_can(const CompileOptions& options, bool (*can)(const engine::Description&),
                     const char* option, const char* why) {
  const auto may = [&](const EngineChoice& engine) {
    const engine::Description* known = engine_list::find_engine(engine.name);
    return known == nullptr || can(*known);
  };
  if (options.engines.empty() || std::any_of(options.engines.begin(), options.engines.end(), may)) {
    return {};
  }
  return invalid_argument("option '{}' has no effect on {}, {}", option, options.engines[0].name,
                          why);
}

Status check_external_engines(const CompileOptions& options) {
  // CUDA engines of ExecuTorch's own have theirs in a file of this name.
  constexpr std::string_view kTaken = "aoti_cuda_blob.ptd";
  const std::string name = data_file_name(options);
  if (!engine::is_file_name(options.external_engines) || !engine::is_file_name(name) ||
      name == kTaken) {
    return invalid_argument(
        "option 'external_engines' is '{}', and must be the plain name of a file beside the "
        "program, such as 'engines'",
        printable(options.external_engines));
  }
  return check_any_can(
      options, [](const engine::Description& engine) { return engine.external_header != nullptr; },
      "external_engines", "whose delegate takes its engines from the program alone");
}

Status check_memory_planning(const CompileOptions& options) {
  return check_any_can(
      options, [](const engine::Description& engine) { return engine.cuda_device != nullptr; },
      "non_cpu_memory_planning", "whose tensors files have in the host's memory");
}

Status check_share_buffers(const CompileOptions& options, size_t methods) {
  if (methods == 1) {
    return invalid_argument("option 'share_buffers' has no effect on a program with one method");
  }
  if (!options.non_cpu_memory_planning) return {};
  return invalid_argument(
      "options 'share_buffers' and 'non_cpu_memory_planning' are for different files: what "
      "ExecuTorch's methods share is in the host's memory");
}

}  // namespace

Status check_nothing_is_built(const CompileOptions& options, const std::string& source) {
  std::vector<std::string> given;
  for (const EngineChoice& engine : options.engines) {
    for (std::string& name : options_of_builds(engine)) given.push_back(std::move(name));
  }
  for (const Given& one : of_partitions(options)) {
    if (one.is_given) given.emplace_back(one.option);
  }
  if (!options.bounds.empty()) given.emplace_back("bounds");
  if (options.allow_reduced_precision) given.emplace_back("allow_reduced_precision");
  if (given.empty()) return {};
  return invalid_argument(
      "option '{}' has no effect on {}, which is an engine that is built already", given.front(),
      source);
}

void warn_of_built(const CompileOptions& options, const std::string& engine, size_t count,
                   const std::string& source) {
  if (count == 0 || !options.on_warning) return;
  for (const EngineChoice& choice : options.engines) {
    if (choice.name != engine) continue;
    for (const std::string& name : options_of_builds(choice)) {
      options.on_warning(
          fmt::format("option '{}' has no effect on the {} engine(s) that {} came with, which are "
                      "built already",
                      name, count, source));
    }
  }
}

bool is_onnx(Output output) { return output == Output::kOnnx || output == Output::kEngineOnnx; }

bool is_program(Output output) {
  return output == Output::kPte || output == Output::kLibrary || output == Output::kAotiPackage;
}

std::string data_file_name(const CompileOptions& options) {
  constexpr std::string_view kExtension = ".ptd";
  const std::string& name = options.external_engines;
  return name.ends_with(kExtension) ? name : name + std::string(kExtension);
}

Status check_output(const CompileOptions& options, size_t methods) {
  SLIPWAY_RETURN_IF_ERROR(check_without_effect(options));
  SLIPWAY_RETURN_IF_ERROR(check_tune(options));
  if (!options.external_engines.empty()) SLIPWAY_RETURN_IF_ERROR(check_external_engines(options));
  if (options.non_cpu_memory_planning) SLIPWAY_RETURN_IF_ERROR(check_memory_planning(options));
  if (options.share_buffers) SLIPWAY_RETURN_IF_ERROR(check_share_buffers(options, methods));
  SLIPWAY_RETURN_IF_ERROR(check_options_of_engines(options));
  if (is_program(options.output) && options.output != Output::kAotiPackage) return {};
  if (methods != 1) {
    return invalid_argument("{} holds one program, but {} are given", title(options), methods);
  }
  if (options.output == Output::kAotiPackage) {
    if (options.external_engines.empty()) return {};
    return invalid_argument("option 'external_engines' has no effect on {}", title(options));
  }
  if (options.output == Output::kArchive) return check_engines_of_archive(options);
  if (is_onnx(options.output)) SLIPWAY_RETURN_IF_ERROR(check_engines_of_model(options));
  if (options.output == Output::kOnnx || options.engines.size() == 1) return {};
  return invalid_argument("{} is {} one engine, but {} are given", title(options),
                          is_onnx(options.output) ? "lowered for" : "that of",
                          options.engines.size());
}

}  // namespace slipway
