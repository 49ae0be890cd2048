// slipway tune: measures the ways to compute that a file has on this machine, and keeps the
// fastest.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/progress.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/input_values.h"
#include "cli/model_file.h"
#include "cli/option_names.h"
#include "cli/text.h"
#include "slipway/tune.h"

namespace slipway::cli {
namespace {

struct TuneArguments {
  std::string file;
  std::string output;
  std::vector<std::string> methods;
  std::vector<std::string> inputs;
  std::vector<std::string> sizes;
  uint64_t seed = 0;
  std::string device;
};

void print_engine(const TunedEngine& engine) {
  fmt::print("engine {} of {} on {}: {:.4f} ms a call, {:.4f} before\n", engine.engine,
             printable(engine.method), printable(engine.device), engine.after, engine.before);
  std::vector<std::vector<std::string>> rows = {
      {"node", "launches", "plan", "of", "before, ms", "after, ms"}};
  for (const TunedChoice& choice : engine.choices) {
    rows.push_back({printable(choice.origin), std::to_string(choice.launches),
                    fmt::format("{}: {}", choice.alternative, printable(choice.plan)),
                    std::to_string(choice.alternatives), fmt::format("{:.4f}", choice.before),
                    fmt::format("{:.4f}", choice.after)});
  }
  fmt::print("{}", format_table(rows, "  "));
}

Status tune_engines(const TuneArguments& options) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto sizes, parse_sizes("--size", options.sizes));
  Progress progress;
  progress.step("tuning " + options.file);
  TuneOptions tuning;
  tuning.methods = options.methods;
  tuning.inputs = [&](const Method& method) {
    return gather_inputs(method, options.inputs, &options.seed, sizes);
  };
  tuning.device = options.device;
  tuning.on_warning = print_warning;
  tuning.on_progress = [&](size_t done, size_t total) { progress.update(done, total); };
  const std::string& output = options.output.empty() ? options.file : options.output;
  SLIPWAY_ASSIGN_OR_RETURN(const auto tuned, tune(options.file, output, tuning));
  progress.finish();
  for (const TunedEngine& engine : tuned) print_engine(engine);
  fmt::print("{}: {} tuned\n", printable(output), count_text(tuned.size(), "engine"));
  return {};
}

}  // namespace

void add_tune(const Command& tool, Action& action) {
  auto options = std::make_shared<TuneArguments>();
  const Command command = tool.add_command(
      "tune", "Choose the fastest of the ways to compute that a file has, on this machine's GPU");
  command.add_option("FILE", options->file, "The .pte file, compiled with --cuda-candidates")
      .required();
  command.add_option("-o,--output", options->output,
                     "The file to write, which may be the same (default)");
  command
      .add_option("--method", options->methods, "A method to run, may be repeated (default: all)")
      .one_at_a_time();
  command
      .add_option("--input", options->inputs,
                  "KEY=VALUE as for `slipway run`; inputs that are not given are random")
      .one_at_a_time();
  add_sizes(command, options->sizes);
  command.add_option("--random-inputs", options->seed, "The seed of random inputs").show_default();
  command.add_option("--device", options->device, "The GPU, where there are several: cuda:1")
      .type_name("DEVICE");
  command.footer(
      "\nExamples:\n"
      "  slipway compile model.pt2 -o model.pte --engine cuda --cuda-candidates 4\n"
      "  slipway tune model.pte\n"
      "  slipway tune model.pte -o tuned.pte --size x.0=8");
  command.on_parsed([options, &action] { action = [options] { return tune_engines(*options); }; });
}

}  // namespace slipway::cli
