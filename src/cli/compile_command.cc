// slipway compile: archives of torch.export to a .pte file, to ONNX or to another archive.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/progress.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/model_file.h"
#include "cli/step_times.h"
#include "cli/text.h"
#include "compile/artefact.h"
#include "compile/output.h"
#include "compile/program_impl.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"
#include "inspect/pte_summary.h"
#include "inspect/tuning_text.h"
#include "ir/queries.h"
#include "slipway/compile.h"
#include "slipway/inspect.h"

namespace slipway::cli {
namespace {

struct CompileArguments {
  std::vector<std::string> models;
  std::string output;
  std::string format;
  EngineOptions engine;
  std::vector<std::string> bounds;
  uint64_t seed = CompileOptions().seed;
  bool tune = false;
  std::vector<std::string> tune_sizes;
  bool no_alloc_graph_output = false;
  bool non_cpu_memory_planning = false;
  bool share_buffers = false;
  std::string external_engines;
  bool verify_passes = false;
  bool print_program = false;
  std::vector<std::string> print_after;
  bool time_steps = false;
  std::string dump_partitions;
};

// "forward=a.pt2" or "a.pt2". A path that exists is a path, even with "=" in it.
std::pair<std::string, std::string> split_model(const std::string& text) {
  const size_t equals = text.find('=');
  std::error_code ignored;
  if (equals == std::string::npos || std::filesystem::exists(text, ignored)) {
    return {"forward", text};
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The extension that says what is to be written: that of the output, or what --format names.
std::string extension_of(const CompileArguments& options) {
  const std::string extension = options.format.empty()
                                    ? std::filesystem::path(options.output).extension().string()
                                    : "." + options.format;
  return extension == ".ep" ? ".pt2" : extension;
}

// The engine whose bare engines have names that end so; null where there is none.
const engine_build::CompilerDescription* bare_engine(const std::string& extension) {
  for (const auto* compiler : engine_list::compilers()) {
    for (const char* known : compiler->bare_extensions) {
      if (extension == known) return compiler;
    }
  }
  return nullptr;
}

// The extensions that say what is to be written.
std::vector<std::string> known_extensions() {
  std::vector<std::string> known = {".pte", ".so", ".onnx", ".pt2"};
  for (const auto* compiler : engine_list::compilers()) {
    known.insert(known.end(), compiler->bare_extensions.begin(), compiler->bare_extensions.end());
  }
  return known;
}

// The format of a package of AOTInductor, whose name ends in .pt2 as that of an archive.
constexpr const char* kAoti = "aoti";

std::vector<std::string> known_formats() {
  std::vector<std::string> formats;
  for (const std::string& extension : known_extensions()) formats.push_back(extension.substr(1));
  formats.emplace_back(kAoti);
  return formats;
}

Status check_output(const CompileArguments& options) {
  const std::vector<std::string> known = known_extensions();
  const std::string extension = extension_of(options);
  if (options.format == kAoti) return {};
  if (std::find(known.begin(), known.end(), extension) != known.end()) return {};
  return invalid_argument("can't write '{}': end it in one of {}, or add --format", options.output,
                          fmt::join(known, ", "));
}

Status check_bare_engine(const CompileArguments& options,
                         const std::vector<EngineChoice>& engines) {
  const auto* kind = bare_engine(extension_of(options));
  if (kind == nullptr) return {};
  const bool has_it = std::any_of(engines.begin(), engines.end(),
                                  [&](const auto& engine) { return engine.name == kind->name; });
  if (has_it && engines.size() > 1) {
    return invalid_argument("'{}' holds one engine: ask for --engine {} alone", options.output,
                            kind->name);
  }
  if (!has_it) {
    return invalid_argument("'{}' is to hold a {} engine: add --engine {}", options.output,
                            engine_list::find_engine(kind->name)->title, kind->name);
  }
  return {};
}

// What the options ask for, in one place.
Result<CompileOptions> to_compile_options(const CompileArguments& options) {
  const std::string extension = extension_of(options);
  const bool is_onnx = extension == ".onnx";
  if (is_onnx) SLIPWAY_RETURN_IF_ERROR(options.engine.check_for_models(options.output));
  SLIPWAY_ASSIGN_OR_RETURN(CompileOptions compile_options, options.engine.to_compile_options());
  if (is_onnx) {
    const bool for_any_tool = !options.engine.is_set() || compile_options.engines.empty();
    compile_options.output = for_any_tool ? Output::kOnnx : Output::kEngineOnnx;
    compile_options.cache.clear();
  } else if (extension == ".so") {
    compile_options.output = Output::kLibrary;
  } else if (options.format == kAoti) {
    compile_options.output = Output::kAotiPackage;
  } else if (extension == ".pt2") {
    compile_options.output = Output::kArchive;
    if (compile_options.engines.empty()) compile_options.cache.clear();
  } else if (bare_engine(extension) != nullptr) {
    compile_options.output = Output::kEngine;
  }
  SLIPWAY_ASSIGN_OR_RETURN(compile_options.bounds, parse_sizes("--bound", options.bounds));
  compile_options.tune = options.tune;
  SLIPWAY_ASSIGN_OR_RETURN(compile_options.tune_sizes,
                           parse_sizes("--tune-size", options.tune_sizes));
  compile_options.seed = options.seed;
  compile_options.alloc_graph_output = !options.no_alloc_graph_output;
  compile_options.non_cpu_memory_planning = options.non_cpu_memory_planning;
  compile_options.share_buffers = options.share_buffers;
  compile_options.external_engines = options.external_engines;
  compile_options.verify_passes = options.verify_passes;
  compile_options.print_after = {options.print_after.begin(), options.print_after.end()};
  compile_options.on_program = [](const std::string& step, const std::string& program) {
    fmt::print("# after {}\n{}", step, printable_message(program));
  };
  if (compile_options.output == Output::kPte || compile_options.output == Output::kEngine) {
    compile_options.destination = options.output;
  }
  compile_options.dump_partitions = options.dump_partitions;
  return compile_options;
}

// What became of `nodes` nodes.
Result<std::string> summary_text(const CompileArguments& options, Output output,
                                 const Artefact& artefact, size_t nodes) {
  const uint64_t size = artefact.size();
  const std::string before = count_text(nodes, "node");
  if (output == Output::kEngine) {
    return fmt::format("{} became one engine of {}", before, format_bytes(size));
  }
  if (output == Output::kArchive) {
    const auto& archive = Artefact::Impl::of(artefact);
    if (archive.engines == 0) {
      return fmt::format("archive of {}, file {}", count_text(archive.nodes, "node"),
                         format_bytes(size));
    }
    return fmt::format("{} became {}; {} of {}, file {}", before, archive.nodes,
                       count_text(archive.engines, "engine"), format_bytes(archive.engine_bytes),
                       format_bytes(size));
  }
  if (output == Output::kAotiPackage) {
    return fmt::format("{} became a package of AOTInductor, file {}", before, format_bytes(size));
  }
  if (is_onnx(output)) {
    return fmt::format("ONNX model of {}, file {}", before, format_bytes(size));
  }
  SLIPWAY_ASSIGN_OR_RETURN(inspection::PteSummary summary,
                           inspection::PteSummary::read(options.output, {}));
  std::string engines;
  if (summary.manifest && summary.manifest->tuning) {
    fmt::print("{}", inspection::tuning_text(*summary.manifest->tuning));
  }
  if (summary.engine_count() > 0) {
    engines = fmt::format("{} of {}, ", count_text(summary.engine_count(), "engine"),
                          format_bytes(summary.engine_bytes));
  }
  size_t outside = 0;
  for (const MethodInfo& method : summary.methods) {
    outside += method.outside.size();
  }
  if (outside > 0) engines += count_text(outside, "node") + " outside, ";
  // Those of an engine lie inside it.
  std::string weights;
  if (summary.constant_bytes > 0 || summary.engine_count() == 0) {
    weights = fmt::format("{} {}, ",
                          summary.engine_count() == 0 ? "weights" : "weights outside of engines",
                          format_bytes(summary.constant_bytes));
  }
  return fmt::format("{} became {}; {}{}planned memory {}, file {}", before,
                     count_text(summary.instruction_count(), "instruction"), engines, weights,
                     format_bytes(summary.planned_bytes()), format_bytes(summary.file_size));
}

// Before any work is done: that the output has a folder, and is no input.
Status check_place(const CompileArguments& options) {
  const std::filesystem::path folder = std::filesystem::path(options.output).parent_path();
  std::error_code ignored;
  const auto type = std::filesystem::status(folder, ignored).type();
  // What can't be looked at is said where it is written to.
  const bool is_known = type != std::filesystem::file_type::none;
  if (!folder.empty() && is_known && type != std::filesystem::file_type::directory) {
    return invalid_argument("can't write '{}': there is no folder '{}'", options.output,
                            folder.string());
  }
  for (const std::string& model : options.models) {
    const auto input = FileIdentity::of(split_model(model).second);
    if (input.ok()) SLIPWAY_RETURN_IF_ERROR(input->check_not_output(options.output));
  }
  return {};
}

// Those that engines have.
std::string examples_of_engines() {
  std::string text;
  for (const auto* compiler : engine_list::compilers()) {
    for (const char* example : compiler->examples) text += fmt::format("\n  {}", example);
  }
  return text;
}

// Whether the only input is a program that is compiled already.
bool is_compiled(const CompileArguments& options) {
  if (options.models.size() != 1) return false;
  const auto kind = file_kind(options.models.front());
  return kind.ok() && *kind == FileKind::kProgram;
}

// That as another file that holds one.
Status repack_program(const CompileArguments& options, Output output) {
  const std::string& model = options.models.front();
  if (options.engine.is_set() || !options.bounds.empty() || options.tune ||
      !options.tune_sizes.empty() || options.seed != CompileOptions().seed ||
      options.no_alloc_graph_output || options.share_buffers || options.non_cpu_memory_planning ||
      !options.external_engines.empty() || !options.print_after.empty() ||
      !options.dump_partitions.empty()) {
    return invalid_argument("{} is compiled already: it takes --output and --format alone", model);
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Artefact artefact, repack(model, output));
  Progress progress;
  progress.step("writing " + options.output);
  SLIPWAY_RETURN_IF_ERROR(artefact.save(
      options.output, [&](uint64_t done, uint64_t total) { progress.update(done, total); }));
  progress.finish();
  fmt::print("{}: the program of {}, file {}\n", options.output, model,
             format_bytes(artefact.size()));
  return {};
}

Status compile(const CompileArguments& options) {
  const auto started = std::chrono::steady_clock::now();
  SLIPWAY_RETURN_IF_ERROR(check_output(options));
  SLIPWAY_RETURN_IF_ERROR(check_place(options));
  SLIPWAY_ASSIGN_OR_RETURN(CompileOptions compile_options, to_compile_options(options));
  if (is_compiled(options)) return repack_program(options, compile_options.output);
  SLIPWAY_RETURN_IF_ERROR(check_bare_engine(options, compile_options.engines));
  if (!is_program(compile_options.output) && options.models.size() != 1) {
    return invalid_argument("'{}' holds one program, but {} are given", options.output,
                            options.models.size());
  }
  if (compile_options.output != Output::kOnnx) {
    fmt::print("engine: {}\n", engines_text(compile_options.engines));
    std::fflush(stdout);
  }

  Progress progress;
  StepTimes times;
  const auto begin_step = [&](const std::string& step) {
    progress.step(step);
    times.step(step);
  };
  compile_options.on_step = begin_step;
  std::vector<std::pair<std::string, Program>> programs;
  std::set<std::string> names;
  size_t nodes = 0;
  for (const std::string& model : options.models) {
    const auto [name, path] = split_model(model);
    std::error_code ignored;
    if (path != model && is_number(path) && !std::filesystem::exists(path, ignored)) {
      return invalid_argument("'{0}' is no archive: for a second bound give --bound {0}", model);
    }
    if (name.empty() || path.empty()) {
      return invalid_argument("'{}': expected FILE or METHOD=FILE", model);
    }
    if (!names.insert(name).second) {
      return invalid_argument(
          "method '{}' is given twice: name each, as in `forward=a.pt2 encode=b.pt2`", name);
    }
    begin_step("reading " + path);
    SLIPWAY_ASSIGN_OR_RETURN(Program program, Program::load(path));
    if (options.print_program) fmt::print("{}", printable_message(program.to_string()));
    nodes += ir::count_nodes(*Program::Impl::of(program).ir.graph);
    programs.emplace_back(name, std::move(program));
  }
  std::vector<std::pair<std::string, const Program*>> methods;
  methods.reserve(programs.size());
  for (const auto& [name, program] : programs) methods.emplace_back(name, &program);
  SLIPWAY_ASSIGN_OR_RETURN(Artefact artefact, slipway::compile(methods, compile_options));
  begin_step("writing " + options.output);
  SLIPWAY_RETURN_IF_ERROR(artefact.save(
      options.output, [&](uint64_t done, uint64_t total) { progress.update(done, total); }));
  progress.finish();
  if (options.time_steps) fmt::print("{}", times.table());

  SLIPWAY_ASSIGN_OR_RETURN(const std::string summary,
                           summary_text(options, compile_options.output, artefact, nodes));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  fmt::print("{}: {}; {:.2f} s\n", options.output, summary, taken.count());
  return {};
}

}  // namespace

void add_compile(const Command& tool, Action& action) {
  auto options = std::make_shared<CompileArguments>();
  const Command command = tool.add_command(
      "compile", "Compile .pt2 archives to a .pte or .so file, or one to .onnx, .engine or .pt2");
  command
      .add_option(
          "MODEL", options->models,
          "Archive of torch.export, or METHOD=ARCHIVE for each of several methods; or a compiled "
          "program (.pte, .so) for another file with the same program")
      .required();
  command
      .add_option("-o,--output", options->output,
                  "The .pte, .so, .onnx, .engine, .trt, .pt2 or .ep file to write")
      .required();
  command
      .add_option(
          "--format", options->format,
          "What to write, whatever the file's name ends in; aoti is a package of AOTInductor")
      .one_of(known_formats());
  options->engine.add_to(command);
  command
      .add_option(
          "--bound", options->bounds,
          "SIZE=LARGEST for a size that the archive leaves unbounded: s77=64, or x.0=64 for the "
          "first dimension of input x; may be repeated")
      .type_name("SIZE=LARGEST")
      .one_at_a_time();
  command.add_flag("--tune", options->tune,
                   "Try each engine of the list alone and all in each order, time them on this "
                   "machine, and keep the fastest");
  command
      .add_option("--tune-size", options->tune_sizes,
                  "SIZE=NUMBER for a size that is timed, named as --bound does (default: that of "
                  "the export); may be repeated")
      .type_name("SIZE=NUMBER")
      .one_at_a_time();
  command.add_option("--seed", options->seed,
                     "Where the random numbers begin that the program draws");
  command.add_flag("--no-alloc-graph-output", options->no_alloc_graph_output,
                   "Leave the outputs' memory to whoever runs the file, who must then bind it");
  command.add_flag(
      "--non-cpu-memory-planning", options->non_cpu_memory_planning,
      "Plan state, and what is between engines, in the memory of the GPU whose engines "
      "alone use it, for ExecuTorch's own runtimes, which need a device allocator then");
  command.add_flag(
      "--share-buffers", options->share_buffers,
      "Methods share the mutable buffers of one name, such as the cache of prefill and "
      "decode; without it each has its own");
  command
      .add_option("--external-engines", options->external_engines,
                  "Put the engines of a .pte into a second file of this name beside it (NAME.ptd), "
                  "of the kinds whose delegates find them there")
      .type_name("NAME");
  command.add_flag("--verify-passes", options->verify_passes, "Check the program after every pass");
  command.add_flag("--print-program", options->print_program,
                   "Print the program as the archive has it");
  command
      .add_option("--print-after", options->print_after,
                  fmt::format("Print the program after this step: {}; may be repeated",
                              fmt::join(step_names(), ", ")))
      .type_name("STEP")
      .one_at_a_time();
  command.add_flag("--time-steps", options->time_steps, "Print how long each step took");
  command
      .add_option("--dump-partitions", options->dump_partitions,
                  "Write what each engine's builder is given to this folder, as ONNX")
      .type_name("DIR");
  const std::string two = engine_names().front() + "," + engine_names().back();
  command.footer(std::string("\nExamples:\n") +
                 "  slipway compile model.pt2 -o model.pte\n"
                 "  slipway compile forward=model.pt2 encode=encoder.pt2 -o model.pte\n"
                 "  slipway compile model.pt2 -o model.pte --bound s77=64\n"
                 "  slipway compile model.pt2 -o model.pte --engine none\n"
                 "  slipway compile model.pt2 -o model.pte --exclude-op aten.cos\n"
                 "  slipway compile model.pt2 -o model.so\n"
                 "  slipway compile model.pte -o model.so\n"
                 "  slipway compile model.pt2 -o package.pt2 --format aoti\n"
                 "  slipway compile model.pt2 -o model.onnx\n"
                 "  slipway compile model.pt2 -o copy.pt2 --engine none\n"
                 "  slipway compile model.pt2 -o model.pte --engine " +
                 two + " --tune" + examples_of_engines());
  command.on_parsed([options, &action] { action = [options] { return compile(*options); }; });
}

}  // namespace slipway::cli
