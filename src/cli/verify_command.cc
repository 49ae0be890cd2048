// slipway verify: is a file sound, does this machine run it, are the numbers right.

#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/engine_options.h"
#include "cli/input_values.h"
#include "cli/model_file.h"
#include "cli/option_names.h"
#include "cli/text.h"
#include "engine/manifest.h"
#include "engine_list/compilers/registry.h"
#include "engine_list/registry.h"
#include "pte/reader/reader.h"
#include "runtime/plan.h"
#include "runtime/requirements.h"
#include "slipway/inspect.h"
#include "slipway/npy.h"
#include "slipway/program.h"

namespace slipway::cli {
namespace {

struct Options {
  std::string file;
  std::string reference;
  std::vector<std::string> inputs;
  std::string method = "forward";
  Tolerance tolerance;
  bool trust = false;
  OptionGroup machine;
};

// The checks and how they went, as a table.
class Report {
 public:
  void pass(const std::string& what, const std::string& detail) { add(what, "ok", detail); }
  void skip(const std::string& what, const std::string& detail) { add(what, "-", detail); }
  void fail(const std::string& what, const std::string& detail) {
    ++failures_;
    add(what, "FAILED", detail);
  }
  // True where it passed.
  bool add(const std::string& what, const Status& status, const std::string& detail) {
    if (status.ok()) {
      pass(what, detail);
    } else {
      fail(what, status.error().message());
    }
    return status.ok();
  }

  Status finish(const std::string& file) const {
    fmt::print("{}", format_table(rows_));
    if (failures_ == 0) return {};
    return make_error(ErrorCode::kInvalidFile, "{}: {} of {} checks failed", file, failures_,
                      rows_.size());
  }

 private:
  void add(const std::string& what, const char* result, const std::string& detail) {
    rows_.push_back({what, result, printable(with_flags(detail))});
  }
  std::vector<std::vector<std::string>> rows_;
  size_t failures_ = 0;
};

// The folder with the outputs: DIR/outputs, or DIR itself as `slipway run --output-dir` fills it.
std::string output_folder(const Options& options) {
  std::error_code ignored;
  const std::string folder = options.reference + "/outputs";
  return std::filesystem::is_directory(folder, ignored) ? folder : options.reference;
}

// What --input gives, or DIR/inputs. Literals need no file.
Result<std::vector<Value>> reference_inputs(const Options& options, const Method& method) {
  if (!options.inputs.empty()) {
    return gather_inputs(method, options.inputs, nullptr);
  }
  const std::vector<ValueInfo>& infos = method.inputs();
  const std::string folder = options.reference + "/inputs";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    return invalid_argument(
        "there is no folder {}: give the inputs with --input, as `slipway run` takes them", folder);
  }
  std::vector<Value> values;
  for (size_t i = 0; i < infos.size(); ++i) {
    const TensorInfo* info = infos[i].tensor();
    if (info == nullptr) {
      values.emplace_back();
      continue;
    }
    SLIPWAY_ASSIGN_OR_RETURN(Tensor tensor, read_npy(fmt::format("{}/{}.npy", folder, i)));
    SLIPWAY_ASSIGN_OR_RETURN(Value value, stored_as(std::move(tensor), info->dtype));
    values.push_back(std::move(value));
  }
  return values;
}

void compare_outputs(const Options& options, const std::vector<Value>& outputs, Report& report) {
  size_t compared = 0;
  const std::string folder = output_folder(options);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(&outputs[i]);
    const std::string path = fmt::format("{}/{}.npy", folder, i);
    const std::string what = fmt::format("output {}", i);
    std::error_code ignored;
    if (tensor == nullptr || !std::filesystem::exists(path, ignored)) {
      report.skip(what, tensor == nullptr ? "a literal" : "no " + path);
      continue;
    }
    ++compared;
    auto expected = read_npy(path);
    if (!expected.ok()) {
      report.fail(what, expected.error().message());
      continue;
    }
    const Comparison comparison = compare(*tensor, *expected, options.tolerance);
    if (comparison.equal) {
      report.pass(what, fmt::format("largest difference {:.3g}", comparison.worst));
    } else {
      report.fail(what, fmt::format("{} (largest difference {:.3g})", comparison.problem,
                                    comparison.worst));
    }
  }
  if (compared == 0) report.fail("reference", "nothing to compare in " + folder);
}

void run_reference(const Options& options, Report& report) {
  auto module = load_module(options.file, {.trust = options.trust});
  if (!module.ok()) return report.fail("load", module.error().message());
  auto method = module->method(options.method);
  if (!method.ok()) return report.fail("reference", method.error().message());
  auto inputs = reference_inputs(options, *method);
  if (!inputs.ok()) return report.fail("reference", inputs.error().message());
  auto outputs = method->run(*inputs);
  if (!outputs.ok()) return report.fail("run", outputs.error().message());
  compare_outputs(options, *outputs, report);
}

void add_engine(const engine_build::CompilerDescription& compiler,
                std::span<const std::byte> engine, const std::string& what,
                const std::string& built_with, const Options& options, Report& report) {
  auto checked =
      compiler.check_machine(engine, built_with, options.machine.values(compiler.options));
  if (checked.ok()) {
    report.pass(what, *checked);
  } else {
    report.fail(what, checked.error().message());
  }
}

// The compiler of the engine, if it can tell whether this machine runs it.
const engine_build::CompilerDescription* checker_of(const std::string& engine) {
  const auto* compiler = engine_list::find_compiler(engine);
  return compiler == nullptr || compiler->check_machine == nullptr ? nullptr : compiler;
}

// Each engine of the file, and those for other targets: one that this machine runs is enough.
void verify_engines(const pte::File& file, const Options& options, Report& report) {
  if (!file.manifest()) return;
  for (const engine::ManifestMethod& method : file.manifest()->methods) {
    for (size_t i = 0; i < method.engines.size(); ++i) {
      const engine::ManifestEngine& engine = method.engines[i];
      const auto* compiler = checker_of(engine.record.engine);
      if (compiler == nullptr) continue;
      std::vector<const engine::ManifestEngine*> candidates = {&engine};
      for (const engine::ManifestEngine& variant : engine.variants) candidates.push_back(&variant);
      for (const engine::ManifestEngine* candidate : candidates) {
        const std::string& target = candidate->record.target;
        const std::string what = fmt::format("engine {} of {}{}{}", i, method.name,
                                             target.empty() ? "" : ", ", printable(target));
        const auto bytes = file.segment(candidate->segment);
        if (!bytes.ok() || bytes->size() < candidate->header_size) {
          report.fail(what, "its segment is not in the file");
          continue;
        }
        add_engine(*compiler, bytes->subspan(candidate->header_size), what,
                   candidate->record.library_version, options, report);
      }
    }
  }
}

void verify_bare_engine(const Options& options, Report& report) {
  auto mapped = MappedFile::open(options.file);
  if (!mapped.ok()) return report.fail("open", mapped.error().message());
  const engine::Description* kind = engine_list::find_bare_engine((*mapped)->bytes());
  const auto* compiler = kind == nullptr ? nullptr : checker_of(kind->name);
  if (compiler == nullptr) return report.skip("plan", "nothing here can tell whether it runs");
  add_engine(*compiler, (*mapped)->bytes(), "plan", "", options, report);
  report.skip("body", "a bare plan has no checksum");
}

bool verify_program(const Options& options, Report& report) {
  auto mapped = MappedFile::open(options.file);
  if (!mapped.ok()) return report.add("open", mapped.error(), "");
  const auto bytes = (*mapped)->bytes();
  auto file = pte::File::read({bytes, *mapped}, options.file, {.trust = options.trust});
  if (!file.ok()) return report.add("structure", file.error(), "");
  report.pass("structure", "every offset, index and argument is in its place");
  const Status checksums = file->verify_checksums();
  if (!checksums.ok() && checksums.error().code() == ErrorCode::kNotFound) {
    report.skip("checksums", "none: the file has no manifest");
  } else {
    report.add("checksums", checksums, "the program and every segment match");
  }
  for (const std::string& method : runtime::method_names(*file)) {
    report.add("machine, " + method, runtime::check_requirements(*file, method),
               "every operator and backend is here");
  }
  verify_engines(*file, options, report);
  return true;
}

bool verify_archive(const Options& options, Report& report) {
  auto program = Program::load(options.file);
  if (!program.ok()) return report.add("archive", program.error(), "");
  report.pass("archive", "checksums of all entries match, and the program is well-formed");
  return true;
}

Status verify(const Options& options) {
  if (options.reference.empty() && !options.inputs.empty()) {
    return invalid_argument("--input is for --reference: name the folder with the outputs");
  }
  SLIPWAY_ASSIGN_OR_RETURN(FileKind kind, file_kind(options.file));
  Report report;
  if (kind == FileKind::kEngine) {
    verify_bare_engine(options, report);
    return report.finish(options.file);
  }
  const bool sound = kind == FileKind::kProgram ? verify_program(options, report)
                                                : verify_archive(options, report);
  if (sound && !options.reference.empty()) run_reference(options, report);
  return report.finish(options.file);
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("verify", "Check a file: structure, checksums, this machine, numbers");
  command->add_option("FILE", options->file, "A .pte, .pt2 or .engine file")->required();
  command->add_option(
      "--reference", options->reference,
      "Run and compare with the outputs in this folder: <position>.npy, as `slipway "
      "run --output-dir` writes them, or outputs/<position>.npy");
  command
      ->add_option("--input", options->inputs,
                   "KEY=VALUE for --reference, as `slipway run` takes it (default: "
                   "inputs/<position>.npy in the folder)")
      ->allow_extra_args(false);
  command->add_option("--method", options->method, "The method to compare")->capture_default_str();
  command
      ->add_option("--atol", options->tolerance.absolute,
                   "Absolute tolerance; of float16 and bfloat16 at least 2^-9 and 2^-6")
      ->capture_default_str();
  command->add_option("--rtol", options->tolerance.relative, "Relative tolerance, likewise")
      ->capture_default_str();
  options->machine.add_for_machines(*command);
  command->add_flag("--trust", options->trust, "Accept operators that Slipway can't check");
  command->footer(
      "\nExamples:\n"
      "  slipway verify model.pte\n"
      "  slipway verify model.pte --reference tests/model --atol 1e-4\n"
      "  slipway run kernels.pte --input x=x.npy --output-dir out\n"
      "  slipway verify model.pte --reference out --input x=x.npy");
  command->callback([options, &action] { action = [options] { return verify(*options); }; });
}

}  // namespace slipway::cli
