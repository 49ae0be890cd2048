// slipway run: runs a program on inputs from files or literals.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <future>
#include <memory>
#include <optional>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file_writer.h"
#include "base/progress.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/input_values.h"
#include "cli/model_file.h"
#include "cli/option_names.h"
#include "cli/output_files.h"
#include "cli/profile_text.h"
#include "cli/text.h"
#include "cli/timed_runs.h"
#include "runtime/backends.h"
#include "runtime/platform.h"

namespace slipway::cli {
namespace {

struct RunArguments {
  std::string file;
  std::vector<std::string> inputs;
  ImageOptions images;
  std::vector<std::string> bounds;
  std::optional<uint64_t> seed;
  std::string method = "forward";
  int repeat = 1;
  std::optional<double> duration;  // seconds
  size_t instances = 1;
  std::vector<std::string> sizes;
  bool json = false;
  std::string profile;
  std::string output_dir;
  std::string state_dir;
  LoadOptions load;
  std::string performance_hint;
  std::optional<double> timeout;         // seconds
  std::optional<uint64_t> memory_limit;  // MiB
  EngineOptions engine;                  // of an archive
};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  return taken.count();
}

void print_outputs(const std::vector<Value>& values, const std::vector<ValueInfo>& infos,
                   const Tree& tree) {
  const std::vector<std::string> places = leaf_places(tree);
  for (size_t i = 0; i < values.size(); ++i) {
    fmt::print("output {} '{}'{}: {}\n", i, printable(infos[i].name),
               i < places.size() ? places[i] : "", summarize(values[i]));
  }
}

void print_json(const std::vector<Value>& values, const std::vector<ValueInfo>& infos,
                const std::optional<TimedRuns>& timed,
                const std::optional<profile::Summary>& profiled) {
  nlohmann::ordered_json json;
  json["outputs"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < values.size(); ++i) {
    json["outputs"].push_back({{"name", infos[i].name}, {"type", format_value_type(values[i])}});
  }
  if (timed) json["timing"] = timing_json(*timed);
  if (profiled) json["profile"] = profile::to_json(*profiled);
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

// What is read, and must not be replaced by what is written.
std::vector<FileIdentity> files_read(const RunArguments& options) {
  std::vector<std::string> paths = {options.file};
  for (const std::string& text : options.inputs) {
    const std::string value = text.substr(text.find('=') + 1);
    paths.push_back(value);
    for (const std::string& file : image_files(value)) paths.push_back(file);
  }
  std::vector<FileIdentity> files;
  for (const std::string& path : paths) {
    if (auto file = FileIdentity::of(path); file.ok()) files.push_back(std::move(*file));
  }
  return files;
}

Status write_state(const Method& method, const RunArguments& options,
                   const std::vector<Value>& inputs) {
  SLIPWAY_ASSIGN_OR_RETURN(auto tensors, method.state());
  const std::vector<ValueInfo>& infos = method.inputs();
  for (size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].tensor() != nullptr && infos[i].tensor()->mutated) {
      tensors.emplace_back(fmt::format("input.{}", i), std::get<Tensor>(inputs[i]));
    }
  }
  return write_tensors(options.state_dir, tensors, files_read(options));
}

// A module with a thread of its own.
struct Instance {
  Module module;
  Method method;
  std::vector<Value> inputs;
  double load = 0;  // milliseconds
  std::vector<Value> outputs = {};
  std::vector<double> milliseconds = {};
};

Result<Instance> make_instance(const RunArguments& options, const LoadOptions& load) {
  auto started = std::chrono::steady_clock::now();
  SLIPWAY_ASSIGN_OR_RETURN(Module module,
                           load_module(options.file, load, options.bounds, options.engine));
  double taken = milliseconds_since(started);
  SLIPWAY_ASSIGN_OR_RETURN(const Method method, module.method(options.method));
  SLIPWAY_ASSIGN_OR_RETURN(const auto sizes, parse_sizes("--size", options.sizes));
  SLIPWAY_ASSIGN_OR_RETURN(
      auto inputs, gather_inputs(method, options.inputs, options.seed ? &*options.seed : nullptr,
                                 sizes, options.images));
  started = std::chrono::steady_clock::now();
  SLIPWAY_RETURN_IF_ERROR(method.prepare());
  taken += milliseconds_since(started);
  return Instance{std::move(module), method, std::move(inputs), taken};
}

Status run_once(Instance& instance) {
  const auto started = std::chrono::steady_clock::now();
  auto result = instance.method.run(instance.inputs);
  instance.milliseconds.push_back(milliseconds_since(started));
  if (!result.ok()) return result.error();
  instance.outputs = std::move(*result);
  return {};
}

// The first run of each instance stands apart.
Result<TimedRuns> time_runs(const RunArguments& options, std::vector<Instance>& instances) {
  Progress progress;
  progress.step("running " + options.file);
  for (Instance& instance : instances) SLIPWAY_RETURN_IF_ERROR(run_once(instance));
  const auto started = std::chrono::steady_clock::now();
  // Whether there is another run, and how far this is.
  const auto goes_on = [&](const Instance& instance, bool is_shown) {
    const size_t done = instance.milliseconds.size();
    const auto runs = static_cast<size_t>(options.repeat);
    const double milliseconds = milliseconds_since(started);
    const double share = options.duration ? milliseconds / (*options.duration * 1000)
                                          : static_cast<double>(done) / static_cast<double>(runs);
    constexpr uint64_t kWhole = 1000;
    if (is_shown) {
      progress.update(static_cast<uint64_t>(std::min(share, 1.0) * kWhole), kWhole);
    }
    return options.duration ? share < 1 || done < 2 : done < std::max<size_t>(runs, 2);
  };
  std::atomic<bool> has_failed = false;
  const auto work = [&](Instance& instance, bool is_shown) -> Status {
    while (!has_failed && goes_on(instance, is_shown)) {
      const Status status = run_once(instance);
      if (status.ok()) continue;
      has_failed = true;
      return status.error();
    }
    return {};
  };
  std::vector<std::future<Status>> others;
  for (size_t i = 1; i < instances.size(); ++i) {
    others.push_back(std::async(std::launch::async, work, std::ref(instances[i]), false));
  }
  Status status = work(instances.front(), true);
  for (auto& other : others) {
    const Status done = other.get();
    if (status.ok()) status = done;
  }
  if (!status.ok()) return status.error();
  progress.finish();
  TimedRuns timed;
  timed.seconds = milliseconds_since(started) / 1000;
  timed.load = instances.front().load;
  timed.first = instances.front().milliseconds.front();
  timed.instances = instances.size();
  timed.engine = runtime::engine_settings();
  for (const Instance& instance : instances) {
    timed.others.insert(timed.others.end(), instance.milliseconds.begin() + 1,
                        instance.milliseconds.end());
  }
  return timed;
}

Status run(const RunArguments& options) {
  if (!options.output_dir.empty() && options.output_dir == options.state_dir) {
    return invalid_argument(
        "--output-dir and --state-dir are both '{}': give each its own, because a buffer may have "
        "the name of an output's file",
        options.output_dir);
  }
  for (const std::string& folder : {options.output_dir, options.state_dir}) {
    if (!folder.empty()) SLIPWAY_RETURN_IF_ERROR(check_folder(folder));
  }
  if (options.repeat > 1 && options.duration) {
    return invalid_argument("--repeat and --duration both say how long to run: give one");
  }
  if (!options.profile.empty()) {
    SLIPWAY_RETURN_IF_ERROR(check_profile_name(options.profile));
    if (options.instances > 1) {
      return invalid_argument("--profile is of one instance: leave out --instances");
    }
  }
  if (options.load.engine_threads && !options.load.isolate) {
    SLIPWAY_RETURN_IF_ERROR(runtime::set_thread_count(*options.load.engine_threads));
  }
  LoadOptions load = options.load;
  if (options.timeout) {
    load.time_limit = std::chrono::milliseconds(std::llround(*options.timeout * 1000));
  }
  if (options.memory_limit) load.memory_limit = *options.memory_limit << 20;
  load.on_warning = print_warning;
  profile::Profiler profiler;
  if (!options.profile.empty()) {
    load.on_profile = [&profiler](const RunProfile& run) { profiler.add(run); };
  }
  std::vector<Instance> instances;
  for (size_t i = 0; i < options.instances; ++i) {
    SLIPWAY_ASSIGN_OR_RETURN(Instance instance, make_instance(options, load));
    instances.push_back(std::move(instance));
  }
  Instance& own = instances.front();
  std::optional<TimedRuns> timed;
  if (options.repeat > 1 || options.duration || options.instances > 1) {
    SLIPWAY_ASSIGN_OR_RETURN(timed, time_runs(options, instances));
  } else {
    SLIPWAY_RETURN_IF_ERROR(run_once(own));
  }

  std::optional<profile::Summary> profiled;
  if (!options.profile.empty()) {
    profiled = profiler.summary();
    SLIPWAY_RETURN_IF_ERROR(write_profile(options.profile, profiler, files_read(options)));
  }
  const Method& method = own.method;
  if (options.json) {
    print_json(own.outputs, method.outputs(), timed, profiled);
  } else {
    print_outputs(own.outputs, method.outputs(), method.output_tree());
  }
  if (!options.output_dir.empty()) {
    SLIPWAY_RETURN_IF_ERROR(write_outputs(options.output_dir, own.outputs, method.outputs(),
                                          method.output_tree(), files_read(options)));
  }
  if (!options.state_dir.empty()) SLIPWAY_RETURN_IF_ERROR(write_state(method, options, own.inputs));
  if (timed && !options.json) fmt::print("{}", timing_text(*timed));
  if (profiled && !options.json) fmt::print("{}", profile_text(*profiled));
  return {};
}

}  // namespace

void add_run(const Command& tool, Action& action) {
  auto options = std::make_shared<RunArguments>();
  const Command command =
      tool.add_command("run", "Run a program: a .pte, or a .pt2 compiled in memory");
  command.add_option("FILE", options->file, "The program").required();
  command
      .add_option("--input", options->inputs,
                  "KEY=VALUE: a position, name or path among the flattened inputs; a .npy file, an "
                  "image (cat.jpg, cat.png; a.jpg,b.jpg for a batch), or a literal (3, 1.5, true, "
                  "none, \"text\")")
      .one_at_a_time();
  options->images.add_to(command);
  command.add_option(
      "--random-inputs", options->seed,
      "Fill the inputs that are not given with numbers from this seed; dynamic sizes "
      "are the smallest from 1 on, or as --size says");
  add_sizes(command, options->sizes);
  command
      .add_option(
          "--bound", options->bounds,
          "SIZE=LARGEST for a size that an archive leaves unbounded: s77=64, or x.0=64 for the "
          "first dimension of input x; may be repeated")
      .type_name("SIZE=LARGEST")
      .one_at_a_time();
  options->engine.add_to(command, {"profile"});
  command.add_option("--method", options->method, "The method to run").show_default();
  command
      .add_option("--repeat", options->repeat,
                  "Run this often and print how long loading, the first run and the others took")
      .between(1, 10'000'000);
  command
      .add_option("--duration", options->duration,
                  "Run for so many seconds instead, and print the same")
      .between(0.0, 1e6);
  command
      .add_option("--instances", options->instances,
                  "Load it so often, each in a thread of its own, and say how many runs a second "
                  "they make together")
      .between(1, 1024);
  command.add_flag("--json", options->json, "Print outputs and times as JSON");
  command
      .add_option(
          "--profile", options->profile,
          "Print how long each instruction took, and layers of engines that tell, and write "
          "it to a file: .json, as Chrome's trace viewer and Perfetto show it, .etdp for "
          "ExecuTorch's Inspector, or - for none; of more runs with --repeat")
      .type_name("FILE");
  command.add_option("--output-dir", options->output_dir,
                     "Write 0.npy, 1.npy, ... and outputs.json into this folder");
  command.add_option("--state-dir", options->state_dir,
                     "Write mutated buffers and inputs into this folder after the last run");
  command
      .add_option("--threads", options->load.engine_threads,
                  "How many threads engines use, and how many kernels use")
      .between(1, 1024);
  command
      .add_option("--performance-hint", options->performance_hint,
                  "What engines arrange their threads for: latency or throughput")
      .one_of({"latency", "throughput"});
  command
      .add_option("--device", options->load.device,
                  "The device of engines that run on several, whatever the file says: cuda:1")
      .type_name("DEVICE");
  add_data_file(command, options->load.data_file);
  command.add_flag("--copy", options->load.copy,
                   "Read the file into memory, so that changes of it meanwhile do no harm");
  command
      .add_option("--timeout", options->timeout,
                  "Stop a run after so many seconds, before its next instruction")
      .between(0.0, 1e9);
  command
      .add_option("--memory-limit", options->memory_limit,
                  "How many MiB a method may ask for, for its tensors: half of the machine's, "
                  "unless given")
      .between(uint64_t{0}, uint64_t{1} << 40);
  command.add_flag("--isolate", options->load.isolate,
                   "Run in a process of its own: a crash there is an error here, and --timeout "
                   "ends what does not stop by itself, 2 seconds later");
  command.add_flag("--require-same-environment", options->load.require_same_environment,
                   "Fail where another version of an engine's library or another device is here "
                   "than the one that it was built for, instead of a warning");
  command.add_flag("--trust", options->load.trust, "Run operators that Slipway can't check");
  command.add_flag("--verify-checksums", options->load.verify_checksums,
                   "Compare the whole file with its checksums first");
  command.footer(
      "\nExamples:\n"
      "  slipway run model.pte --input x=x.npy\n"
      "  slipway run model.pte --input 0=x.npy --input 1=3 --output-dir out --state-dir state\n"
      "  slipway run model.pte --input x=cat.jpg --resize 256 --crop 224 --mean 0.485,0.456,0.406 "
      "--std 0.229,0.224,0.225\n"
      "  slipway run model.pte --device cuda:1 --weight-streaming-budget 2GB\n"
      "  slipway run model.pt2 --bound s77=64 --random-inputs 1 --repeat 100\n"
      "  slipway run model.pte --random-inputs 1 --repeat 20 --profile profile.json\n"
      "  slipway run model.pte --random-inputs 1 --size x.0=8 --duration 10 --instances 2 --json");
  command.on_parsed([options, &action] {
    if (!options->performance_hint.empty()) {
      options->load.performance_hint = options->performance_hint == "latency"
                                           ? PerformanceHint::kLatency
                                           : PerformanceHint::kThroughput;
    }
    action = [options] { return run(*options); };
  });
}

}  // namespace slipway::cli
