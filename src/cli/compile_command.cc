// slipway compile: archives of torch.export to a .pte file, or to ONNX.

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/progress.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/model_file.h"
#include "cli/pte_summary.h"
#include "cli/text.h"
#include "ir/program.h"
#include "slipway/compile.h"

namespace slipway::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string output;
  EngineOptions engine;
  std::vector<std::string> bounds;
  bool no_alloc_graph_output = false;
  bool verify_passes = false;
  bool print_program = false;
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

bool is_bare_engine(const std::string& output) {
  const std::string extension = std::filesystem::path(output).extension();
  return extension == ".engine" || extension == ".trt";
}

Status check_output(const std::string& output) {
  const std::string extension = std::filesystem::path(output).extension();
  if (extension == ".pte" || extension == ".onnx" || is_bare_engine(output)) return {};
  return invalid_argument("can't write '{}': end it in .pte, .onnx, .engine or .trt", output);
}

Status check_bare_engine(const Options& options, EngineKind engine) {
  if (!is_bare_engine(options.output)) return {};
  if (engine != EngineKind::kTensorRt) {
    return invalid_argument("'{}' is to hold a TensorRT engine: add --engine tensorrt",
                            options.output);
  }
  if (options.models.size() == 1) return {};
  return invalid_argument("'{}': a bare engine holds one program, but {} are given", options.output,
                          options.models.size());
}

size_t count_nodes(const ir::Graph& graph) {
  size_t count = 0;
  for (const auto& node : graph.nodes()) {
    ++count;
    for (const ir::Argument& argument : node->args()) {
      if (const auto* inner = std::get_if<std::shared_ptr<ir::Graph>>(&argument)) {
        count += count_nodes(**inner);
      }
    }
  }
  return count;
}

Status compile_to_onnx(const Options& options) {
  const auto started = std::chrono::steady_clock::now();
  if (options.models.size() != 1) {
    return invalid_argument("'{}': an .onnx file holds one program, but {} are given",
                            options.output, options.models.size());
  }
  if (!options.bounds.empty() || options.verify_passes || options.no_alloc_graph_output) {
    return invalid_argument(
        "'{}': --bound, --verify-passes and --no-alloc-graph-output are for .pte files; an .onnx "
        "file holds the whole program, with its sizes symbolic",
        options.output);
  }
  for (const std::string& option : options.engine.given()) {
    if (option == "--engine" || option == "--precision" || option == "--keep-fp32") continue;
    return invalid_argument(
        "'{}': {} has no effect on an .onnx file, which holds the whole program as --engine, "
        "--precision and --keep-fp32 make it",
        options.output, option);
  }
  CompileOptions compile_options;
  compile_options.engine = EngineKind::kNone;
  if (options.engine.is_set()) {
    SLIPWAY_ASSIGN_OR_RETURN(compile_options, options.engine.to_compile_options());
  }
  SLIPWAY_ASSIGN_OR_RETURN(const Program program,
                           Program::load(split_model(options.models.front()).second));
  if (options.print_program) fmt::print("{}", printable_message(program.to_string()));
  SLIPWAY_RETURN_IF_ERROR(save_onnx(program, options.output, compile_options));
  std::error_code ignored;
  const auto size = std::filesystem::file_size(options.output, ignored);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  fmt::print("{}: ONNX model of {}, file {}; {:.2f} s\n", options.output,
             count_text(count_nodes(*program.ir().graph), "node"), format_bytes(size),
             taken.count());
  return {};
}

// Before any work is done.
Status check_not_inputs(const Options& options) {
  for (const std::string& model : options.models) {
    const auto input = FileIdentity::of(split_model(model).second);
    if (input.ok()) SLIPWAY_RETURN_IF_ERROR(input->check_not_output(options.output));
  }
  return {};
}

Status compile(const Options& options) {
  const auto started = std::chrono::steady_clock::now();
  SLIPWAY_RETURN_IF_ERROR(check_output(options.output));
  SLIPWAY_RETURN_IF_ERROR(check_not_inputs(options));
  if (std::filesystem::path(options.output).extension() == ".onnx") return compile_to_onnx(options);
  SLIPWAY_ASSIGN_OR_RETURN(CompileOptions compile_options, options.engine.to_compile_options());
  SLIPWAY_ASSIGN_OR_RETURN(compile_options.bounds, parse_bounds(options.bounds));
  compile_options.alloc_graph_output = !options.no_alloc_graph_output;
  compile_options.verify_passes = options.verify_passes;
  SLIPWAY_RETURN_IF_ERROR(check_bare_engine(options, compile_options.engine));
  fmt::print("engine: {}\n", engine_name(compile_options.engine));
  std::fflush(stdout);

  Progress progress;
  compile_options.on_step = [&](const std::string& step) { progress.step(step); };
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
    progress.step("reading " + path);
    SLIPWAY_ASSIGN_OR_RETURN(Program program, Program::load(path));
    if (options.print_program) fmt::print("{}", printable_message(program.to_string()));
    nodes += count_nodes(*program.ir().graph);
    programs.emplace_back(name, std::move(program));
  }
  std::vector<std::pair<std::string, const Program*>> methods;
  methods.reserve(programs.size());
  for (const auto& [name, program] : programs) methods.emplace_back(name, &program);
  const bool is_bare = is_bare_engine(options.output);
  SLIPWAY_ASSIGN_OR_RETURN(Artefact artefact,
                           is_bare ? compile_to_engine(*methods.front().second, compile_options)
                                   : slipway::compile(methods, compile_options));
  progress.step("writing " + options.output);
  SLIPWAY_RETURN_IF_ERROR(artefact.save(
      options.output, [&](uint64_t done, uint64_t total) { progress.update(done, total); }));
  progress.finish();

  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  if (is_bare) {
    fmt::print("{}: {} became one engine of {}; {:.2f} s\n", options.output,
               count_text(nodes, "node"), format_bytes(artefact.size()), taken.count());
    return {};
  }
  SLIPWAY_ASSIGN_OR_RETURN(PteSummary summary, PteSummary::read(options.output, /*trust=*/false));
  std::string engines;
  if (summary.engine_count() > 0) {
    engines = fmt::format("{} of {}, ", count_text(summary.engine_count(), "engine"),
                          format_bytes(summary.engine_bytes));
  }
  size_t outside = 0;
  for (const PteSummary::Method& method : summary.methods) outside += method.outside.size();
  if (outside > 0) engines += count_text(outside, "node") + " outside, ";
  // Those of an engine lie inside it.
  std::string weights;
  if (summary.constant_bytes > 0 || summary.engine_count() == 0) {
    weights = fmt::format("{} {}, ",
                          summary.engine_count() == 0 ? "weights" : "weights outside of engines",
                          format_bytes(summary.constant_bytes));
  }
  fmt::print("{}: {} became {}; {}{}planned memory {}, file {}; {:.2f} s\n", options.output,
             count_text(nodes, "node"), count_text(summary.instruction_count(), "instruction"),
             engines, weights, format_bytes(summary.planned_bytes()),
             format_bytes(summary.file_size), taken.count());
  return {};
}

}  // namespace

void add_compile(CLI::App& app, Action& action, const std::string&) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "compile", "Compile .pt2 archives to a .pte file, or one to .onnx or .engine");
  command
      ->add_option("MODEL", options->models,
                   "Archive of torch.export, or METHOD=ARCHIVE for each of several methods")
      ->required();
  command
      ->add_option("-o,--output", options->output, "The .pte, .onnx, .engine or .trt file to write")
      ->required();
  options->engine.add_to(*command);
  command
      ->add_option(
          "--bound", options->bounds,
          "SIZE=LARGEST for a size that the archive leaves unbounded: s77=64, or x.0=64 for the "
          "first dimension of input x; may be repeated")
      ->type_name("SIZE=LARGEST")
      ->allow_extra_args(false);
  command->add_flag("--no-alloc-graph-output", options->no_alloc_graph_output,
                    "Leave the outputs' memory to whoever runs the file, who must then bind it");
  command->add_flag("--verify-passes", options->verify_passes,
                    "Check the program after every pass");
  command->add_flag("--print-program", options->print_program,
                    "Print the program as the archive has it");
  command->footer(
      "\nExamples:\n"
      "  slipway compile model.pt2 -o model.pte\n"
      "  slipway compile forward=model.pt2 encode=encoder.pt2 -o model.pte\n"
      "  slipway compile model.pt2 -o model.pte --bound s77=64\n"
      "  slipway compile model.pt2 -o model.pte --engine none\n"
      "  slipway compile model.pt2 -o model.pte --exclude-op aten.cos\n"
      "  slipway compile model.pt2 -o model.onnx\n"
      "  slipway compile model.pt2 -o model.onnx --engine tensorrt --precision fp16\n"
      "  slipway compile model.pt2 -o model.engine --engine tensorrt --target sm_86");
  command->callback([options, &action] { action = [options] { return compile(*options); }; });
}

}  // namespace slipway::cli
