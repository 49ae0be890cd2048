#include "compile/output.h"

#include <algorithm>

#include "base/error.h"
#include "base/try.h"

namespace slipway {

namespace {

const char* title(Output output) {
  switch (output) {
    case Output::kPte:
      return "a .pte file";
    case Output::kEngine:
      return "a bare engine";
    case Output::kOnnx:
    case Output::kEngineOnnx:
      return "an ONNX model";
    case Output::kArchive:
      break;
  }
  return "an archive without engines";
}

struct Given {
  const char* option;
  bool is_given;
};

Status check_without_effect(const CompileOptions& options) {
  const CompileOptions defaults;
  const Given of_pte[] = {
      {"alloc_graph_output", options.alloc_graph_output != defaults.alloc_graph_output}};
  const Given of_ranges[] = {{"bounds", !options.bounds.empty()}};
  const Given of_builds[] = {
      {"cache", !options.cache.empty()},
      {"check", options.check != defaults.check},
      {"destination", !options.destination.empty()},
      {"dump_partitions", !options.dump_partitions.empty()},
      {"exclude_ops", !options.exclude_ops.empty()},
      {"exclude_nodes", !options.exclude_nodes.empty()},
      {"min_partition_size", options.min_partition_size != defaults.min_partition_size},
      {"require_full", options.require_full}};
  const auto refuse = [&](const char* option) {
    return invalid_argument("option '{}' has no effect on {}", option, title(options.output));
  };
  if (options.output != Output::kPte) {
    for (const Given& one : of_pte) {
      if (one.is_given) return refuse(one.option);
    }
  }
  if (!is_onnx(options.output) && options.output != Output::kArchive) return {};
  // Nothing is built.
  for (const Given& one : of_builds) {
    if (one.is_given) return refuse(one.option);
  }
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

Status check_engines_of_archive(const CompileOptions& options) {
  if (options.engines.empty()) return {};
  return invalid_argument(
      "option 'engines': {} builds no engines that an archive of torch.export can hold: ask for "
      "none, or write a .pte file",
      options.engines[0].name);
}

}  // namespace

bool is_onnx(Output output) { return output == Output::kOnnx || output == Output::kEngineOnnx; }

Status check_output(const CompileOptions& options, size_t methods) {
  SLIPWAY_RETURN_IF_ERROR(check_without_effect(options));
  if (options.output == Output::kPte) return {};
  if (methods != 1) {
    return invalid_argument("{} holds one program, but {} are given", title(options.output),
                            methods);
  }
  if (options.output == Output::kArchive) return check_engines_of_archive(options);
  if (is_onnx(options.output)) SLIPWAY_RETURN_IF_ERROR(check_engines_of_model(options));
  if (options.output == Output::kOnnx || options.engines.size() == 1) return {};
  return invalid_argument("{} is {} one engine, but {} are given", title(options.output),
                          is_onnx(options.output) ? "lowered for" : "that of",
                          options.engines.size());
}

}  // namespace slipway
