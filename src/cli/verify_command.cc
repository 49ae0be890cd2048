// slipway verify: is a file sound, does this machine run it, are the numbers right.

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/try.h"
#include "cli/commands.h"
#include "cli/compare.h"
#include "cli/engine_options.h"
#include "cli/input_values.h"
#include "cli/model_file.h"
#include "cli/option_names.h"
#include "cli/text.h"
#include "engine/json.h"
#include "inspect/value_json.h"
#include "slipway/compile.h"
#include "slipway/inspect.h"
#include "slipway/module.h"
#include "slipway/npy.h"

namespace slipway::cli {
namespace {

struct VerifyArguments {
  std::string file;
  std::string reference;
  std::vector<std::string> inputs;
  ImageOptions images;
  std::string method = "forward";
  Tolerance tolerance;
  bool trust = false;
  std::string data_file;
  OptionGroup machine;
};

const char* outcome_text(Check::Outcome outcome) {
  switch (outcome) {
    case Check::Outcome::kPassed:
      return "ok";
    case Check::Outcome::kSkipped:
      return "-";
    case Check::Outcome::kWarning:
      return "warning";
    case Check::Outcome::kFailed:
      return "FAILED";
  }
  return "?";
}

// The checks and how they went, as a table.
class Report {
 public:
  void pass(const std::string& name, const std::string& detail) {
    add({name, Check::Outcome::kPassed, detail});
  }
  void skip(const std::string& name, const std::string& detail) {
    add({name, Check::Outcome::kSkipped, detail});
  }
  void fail(const std::string& name, const std::string& detail) {
    add({name, Check::Outcome::kFailed, detail});
  }
  void add(const Check& check) {
    if (check.outcome == Check::Outcome::kFailed) ++failures_;
    rows_.push_back(
        {printable(check.name), outcome_text(check.outcome), printable(with_flags(check.detail))});
  }

  Status finish(const std::string& file) const {
    fmt::print("{}", format_table(rows_));
    if (failures_ == 0) return {};
    return make_error(ErrorCode::kInvalidFile, "{}: {} of {} checks failed", file, failures_,
                      rows_.size());
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  size_t failures_ = 0;
};

// The folder with the outputs: DIR/outputs, or DIR itself as `slipway run --output-dir` fills it.
std::string output_folder(const VerifyArguments& options) {
  std::error_code ignored;
  const std::string folder = options.reference + "/outputs";
  return std::filesystem::is_directory(folder, ignored) ? folder : options.reference;
}

// What --input gives, or DIR/inputs. Literals need no file.
Result<std::vector<Value>> reference_inputs(const VerifyArguments& options, const Method& method) {
  if (!options.inputs.empty()) {
    return gather_inputs(method, options.inputs, nullptr, {}, options.images);
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
    if (std::holds_alternative<IntegerInfo>(infos[i].type)) {
      return invalid_argument(
          "input {} '{}' is an integer, which has no file in {}: give all "
          "inputs with --input",
          i, infos[i].name, folder);
    }
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

bool is_same(const engine::OrderedJson& found, const JsonValue& expected,
             const Tolerance& tolerance) {
  switch (expected.kind()) {
    case JsonValue::Kind::kNull:
      return found.is_null();
    case JsonValue::Kind::kBool:
      return found == expected.to_bool();
    case JsonValue::Kind::kString:
      return found == expected.to_string_view();
    case JsonValue::Kind::kInt:
      if (found.is_number_integer()) return found == expected.to_int();
      [[fallthrough]];
    case JsonValue::Kind::kFloat:
      return found.is_number_float() &&
             std::abs(found.get<double>() - expected.to_double()) <=
                 tolerance.absolute + tolerance.relative * std::abs(expected.to_double());
    default:
      return false;
  }
}

// A number or a flag as the array that numpy.save makes of it; none for other values.
std::optional<Tensor> array_of(const Value& value) {
  const auto make = [](DType dtype, auto number) -> std::optional<Tensor> {
    auto tensor = Tensor::zeros(dtype, {});
    if (!tensor.ok()) return std::nullopt;
    std::memcpy(tensor->data(), &number, sizeof(number));
    return std::move(*tensor);
  };
  if (const auto* tensor = std::get_if<Tensor>(&value)) return *tensor;
  if (const auto* number = std::get_if<int64_t>(&value)) return make(DType::kInt64, *number);
  if (const auto* number = std::get_if<double>(&value)) return make(DType::kFloat64, *number);
  if (const auto* flag = std::get_if<bool>(&value)) return make(DType::kBool, *flag);
  return std::nullopt;
}

bool has_file(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// Outputs that are no tensors and have no file against outputs.json, as `slipway run --output-dir`
// writes it.
void compare_literals(const VerifyArguments& options, const std::string& folder,
                      const std::vector<Value>& outputs, Report& report) {
  const std::string path = folder + "/outputs.json";
  std::unique_ptr<JsonDocument> document;
  if (has_file(path)) {
    const auto file = MappedFile::open(path);
    if (!file.ok()) return report.fail("outputs.json", file.error().message());
    auto parsed = JsonDocument::parse(OwnedSpan{(*file)->bytes(), *file}, path);
    if (!parsed.ok()) return report.fail("outputs.json", parsed.error().message());
    document = std::move(*parsed);
  }
  std::vector<JsonValue> all;
  if (document) {
    for (const JsonValue& output : document->root()["outputs"].items()) all.push_back(output);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (std::holds_alternative<Tensor>(outputs[i])) continue;
    if (array_of(outputs[i]) && has_file(fmt::format("{}/{}.npy", folder, i))) continue;
    const std::string what = fmt::format("output {}", i);
    const engine::OrderedJson found = inspection::literal_json(outputs[i]);
    if (!document) {
      report.skip(what, fmt::format("{}, not compared: no {}", engine::dump_json(found), path));
      continue;
    }
    const JsonValue expected = i < all.size() ? all[i]["value"] : JsonValue();
    if (!document->status().ok() || expected.is_absent()) {
      report.fail(what, fmt::format("{} does not have it", path));
    } else if (is_same(found, expected, options.tolerance)) {
      report.pass(what, engine::dump_json(found));
    } else {
      report.fail(what, fmt::format("is {}, not as in {}", engine::dump_json(found), path));
    }
  }
}

void compare_outputs(const VerifyArguments& options, const std::vector<Value>& outputs,
                     Report& report) {
  size_t compared = 0;
  const std::string folder = output_folder(options);
  compare_literals(options, folder, outputs, report);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto tensor = array_of(outputs[i]);
    const std::string path = fmt::format("{}/{}.npy", folder, i);
    const std::string what = fmt::format("output {}", i);
    if (!tensor || !has_file(path)) {
      if (std::holds_alternative<Tensor>(outputs[i])) report.skip(what, "no " + path);
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
      // Tensors of other types or sizes have none.
      report.fail(what, comparison.worst == 0 ? comparison.problem
                                              : fmt::format("{} (largest difference {:.3g})",
                                                            comparison.problem, comparison.worst));
    }
  }
  if (compared == 0) report.fail("reference", "nothing to compare in " + folder);
}

void run_reference(const VerifyArguments& options, Report& report) {
  auto module = load_module(options.file, {.trust = options.trust, .data_file = options.data_file});
  if (!module.ok()) return report.fail("load", module.error().message());
  auto method = module->method(options.method);
  if (!method.ok()) return report.fail("reference", method.error().message());
  auto inputs = reference_inputs(options, *method);
  if (!inputs.ok()) return report.fail("reference", inputs.error().message());
  auto outputs = method->run(*inputs);
  if (!outputs.ok()) return report.fail("run", outputs.error().message());
  compare_outputs(options, *outputs, report);
}

Status verify_file(const VerifyArguments& options) {
  if (options.reference.empty() && !options.inputs.empty()) {
    return invalid_argument("--input is for --reference: name the folder with the outputs");
  }
  if (options.inputs.empty() && !options.images.given().empty()) {
    return invalid_argument("{} is of images that --input names", options.images.given());
  }
  std::error_code ignored;
  if (!options.reference.empty() && !std::filesystem::is_directory(options.reference, ignored)) {
    return invalid_argument("--reference: there is no folder {}", options.reference);
  }
  for (const double tolerance : {options.tolerance.absolute, options.tolerance.relative}) {
    if (!(tolerance >= 0)) {
      return invalid_argument("--atol and --rtol take numbers from 0, not {}", tolerance);
    }
  }
  VerifyOptions verify_options = {.trust = options.trust, .data_file = options.data_file};
  for (const std::string& engine : engine_names()) {
    verify_options.engines.push_back({engine, options.machine.values(engine_options(engine))});
  }
  SLIPWAY_ASSIGN_OR_RETURN(const auto checks, verify(options.file, verify_options));
  Report report;
  for (const Check& check : checks) report.add(check);
  const bool is_sound = checks.front().outcome == Check::Outcome::kPassed;
  if (is_sound && !options.reference.empty()) run_reference(options, report);
  return report.finish(options.file);
}

}  // namespace

void add_verify(const Command& tool, Action& action) {
  auto options = std::make_shared<VerifyArguments>();
  const Command command =
      tool.add_command("verify", "Check a file: structure, checksums, this machine, numbers");
  command.add_option("FILE", options->file, "A .pte, .pt2 or .engine file").required();
  command.add_option("--reference", options->reference,
                     "Run and compare with the outputs in this folder: <position>.npy, as `slipway "
                     "run --output-dir` writes them, or outputs/<position>.npy");
  command
      .add_option("--input", options->inputs,
                  "KEY=VALUE for --reference, as `slipway run` takes it (default: "
                  "inputs/<position>.npy in the folder)")
      .one_at_a_time();
  options->images.add_to(command);
  command.add_option("--method", options->method, "The method to compare").show_default();
  command
      .add_option("--atol", options->tolerance.absolute,
                  "Absolute tolerance; of float16 and bfloat16 at least 2^-9 and 2^-6")
      .show_default();
  command.add_option("--rtol", options->tolerance.relative, "Relative tolerance, likewise")
      .show_default();
  options->machine.add_for_machines(command);
  add_data_file(command, options->data_file);
  command.add_flag("--trust", options->trust, "Accept operators that Slipway can't check");
  command.footer(
      "\nExamples:\n"
      "  slipway verify model.pte\n"
      "  slipway verify model.pte --reference tests/model --atol 1e-4\n"
      "  slipway run kernels.pte --input x=x.npy --output-dir out\n"
      "  slipway verify model.pte --reference out --input x=x.npy");
  command.on_parsed([options, &action] { action = [options] { return verify_file(*options); }; });
}

}  // namespace slipway::cli
