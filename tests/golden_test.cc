// PyTorch's own results: every archive of tests/data/golden, in both IRs, compiled for each engine
// and run, by Module and by ExecuTorch's own C++ API.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cuda/builder/images.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "engine/manifest.h"
#include "executorch_module.h"
#include "ir/program.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-5;

std::string folder() { return std::string(SLIPWAY_TEST_DATA) + "/golden/"; }

const json& manifest() {
  static const json contents = json::parse(std::ifstream(folder() + "manifest.json"));
  return contents;
}

struct Archive {
  std::string model;
  std::string file;
  std::string engine = "none";
};

std::vector<Archive> archives() {
  std::vector<Archive> result;
  for (const auto& [name, model] : manifest()["models"].items()) {
    if (model["cases"].empty()) continue;
    for (const auto& [ir, file] : model["files"].items()) {
      for (const char* engine : {"openvino", "none", "cuda", "xnnpack"}) {
        result.push_back({name, file, engine});
      }
    }
  }
  return result;
}

// Complex numbers, branches and loops that are operators, and sizes that data decides
// (docs/cuda.md).
bool has_parts_outside_cuda(const std::string& model) {
  constexpr std::array kModels = {"complex_div_real", "complex_scale",  "cond", "map",
                                  "nonzero_item",     "recurrent_loop", "scan", "while_loop"};
  return std::find(kModels.begin(), kModels.end(), model) != kModels.end();
}

Value load_value(const json& spec) {
  if (spec.contains("file")) {
    auto tensor = read_npy(folder() + spec["file"].get<std::string>());
    EXPECT_TRUE(tensor.ok()) << tensor.error().message();
    return tensor.ok() ? Value(*tensor) : Value();
  }
  const json& value = spec["value"];
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  return std::monostate();
}

template <class T>
void expect_near(const Tensor& found, const Tensor& expected) {
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const auto a = static_cast<double>(found.data_as<T>()[i]);
    const auto b = static_cast<double>(expected.data_as<T>()[i]);
    if (std::isnan(a) && std::isnan(b)) continue;
    ASSERT_NEAR(a, b, kTolerance + kTolerance * std::abs(b)) << "at element " << i;
  }
}

// Sums of float32 in another order may be rounded to the next number.
void expect_near_halves(const Tensor& found, const Tensor& expected) {
  const auto order = [](uint16_t bits) {
    return (bits & 0x8000) != 0 ? -(bits & 0x7fff) : static_cast<int>(bits);
  };
  for (int64_t i = 0; i < expected.numel(); ++i) {
    const int distance =
        order(found.data_as<uint16_t>()[i]) - order(expected.data_as<uint16_t>()[i]);
    ASSERT_LE(std::abs(distance), 1) << "at element " << i;
  }
}

void expect_same(const Value& found, const Value& expected) {
  const auto* tensor = std::get_if<Tensor>(&expected);
  if (!tensor) {
    EXPECT_EQ(format_value_type(found), format_value_type(expected));
    return;
  }
  ASSERT_TRUE(std::holds_alternative<Tensor>(found)) << format_value_type(found);
  const auto& other = std::get<Tensor>(found);
  ASSERT_EQ(format_value_type(found), format_value_type(expected));
  if (tensor->dtype() == DType::kFloat32) return expect_near<float>(other, *tensor);
  if (tensor->dtype() == DType::kFloat64) return expect_near<double>(other, *tensor);
  if (tensor->dtype() == DType::kFloat16) return expect_near_halves(other, *tensor);
  EXPECT_EQ(std::memcmp(other.data(), tensor->data(), tensor->nbytes()), 0);
}

void expect_all_same(const std::vector<Value>& found, const json& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE("output " + std::to_string(i));
    expect_same(found[i], load_value(expected[i]));
  }
}

// ExecuTorch's API takes only the value in the file for an integer that the caller chooses.
bool has_chosen_integers(const Method& method) {
  const auto& inputs = method.inputs();
  return std::any_of(inputs.begin(), inputs.end(), [](const ValueInfo& input) {
    return std::holds_alternative<IntegerInfo>(input.type);
  });
}

void expect_executorchs_results(std::span<const std::byte> file, const std::string& model) {
  for (const json& test : manifest()["models"][model]["cases"]) {
    std::vector<Value> inputs;
    for (const json& input : test["inputs"]) inputs.push_back(load_value(input));
    const auto outputs = run_by_executorch(file, inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    expect_all_same(*outputs, test["outputs"]);
  }
}

void expect_pytorchs_results(const Method& method, const std::string& model) {
  for (const json& test : manifest()["models"][model]["cases"]) {
    const Status reset = method.reset_state();
    ASSERT_TRUE(reset.ok()) << reset.error().message();
    std::vector<Value> inputs;
    for (const json& input : test["inputs"]) inputs.push_back(load_value(input));
    const auto outputs = method.run(inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    expect_all_same(*outputs, test["outputs"]);

    const auto state = method.state();
    ASSERT_TRUE(state.ok()) << state.error().message();
    std::map<std::string, Tensor> by_name(state->begin(), state->end());
    const json after = test.value("after", json::object());
    EXPECT_EQ(by_name.size(), after.size());
    for (const auto& [name, expected] : after.items()) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(by_name.contains(name));
      expect_same(by_name.at(name), load_value(expected));
    }
  }
}

class GoldenTest : public testing::TestWithParam<Archive> {};

TEST_P(GoldenTest, GivesWhatPyTorchGave) {
  // Its kernels run on the host's processor.
  if (GetParam().engine == "cuda") {
    cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
    cuda::set_source_as_image(true);
  }
  auto program = Program::load(folder() + GetParam().file);
  ASSERT_TRUE(program.ok()) << program.error().message();
  CompileOptions options;
  options.engines = *parse_engines(GetParam().engine);
  options.verify_passes = true;
  options.require_full = GetParam().engine == "cuda" && !has_parts_outside_cuda(GetParam().model);
  auto artefact = compile(*program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  auto bytes = artefact->to_memory();
  ASSERT_TRUE(bytes.ok()) << bytes.error().message();
  auto module = Module::load(*bytes, GetParam().file, {.verify_checksums = true});
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Method method = *module->method();
  expect_pytorchs_results(method, GetParam().model);
  if (has_chosen_integers(method)) return;
  SCOPED_TRACE("by ExecuTorch's C++ API");
  expect_executorchs_results(*bytes, GetParam().model);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest, testing::ValuesIn(archives()), [](const auto& info) {
  std::string name = info.param.file + "_" + info.param.engine;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
});

// Of floats, as a share of the largest one.
double largest_difference(const Value& found, const json& expected) {
  const Tensor wanted = std::get<Tensor>(load_value(expected));
  const Tensor& given = std::get<Tensor>(found);
  const std::span ours(given.data_as<float>(), static_cast<size_t>(given.numel()));
  const std::span theirs(wanted.data_as<float>(), static_cast<size_t>(wanted.numel()));
  EXPECT_EQ(ours.size(), theirs.size());
  double largest = 0;
  double difference = 0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(theirs[i])));
    difference = std::max(difference, std::abs(static_cast<double>(ours[i]) - theirs[i]));
  }
  return difference / largest;
}

// Results are off by the type's steps then, but not by more.
TEST(PrecisionTest, CudaTakesHalfTypesInFloat32sPlace) {
  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  cuda::set_source_as_image(true);
  for (const std::string model : {"mlp", "conv_dyn", "llama_prefill"}) {
    SCOPED_TRACE(model);
    const auto program = Program::load(folder() + model + ".pt2");
    ASSERT_TRUE(program.ok()) << program.error().message();
    for (const auto& [precision, tolerance] :
         std::map<std::string, double>{{"model", 1e-5}, {"fp16", 2e-3}, {"bf16", 1.6e-2}}) {
      CompileOptions options;
      options.engines = {{"cuda", {{"precision", precision}}}};
      options.require_full = true;
      auto artefact = compile(*program, options);
      ASSERT_TRUE(artefact.ok()) << artefact.error().message();
      auto module = Module::load(*artefact->to_memory(), model);
      ASSERT_TRUE(module.ok()) << module.error().message();
      for (const json& test : manifest()["models"][model]["cases"]) {
        std::vector<Value> inputs;
        for (const json& input : test["inputs"]) inputs.push_back(load_value(input));
        const auto outputs = module->method()->run(inputs);
        ASSERT_TRUE(outputs.ok()) << outputs.error().message();
        const double difference = largest_difference(outputs->at(0), test["outputs"][0]);
        EXPECT_LT(difference, tolerance) << precision;
        EXPECT_GT(difference, precision == "model" ? -1 : tolerance / 100) << precision;
      }
    }
  }
}

// Four weights of 160 x 160, of which only the table that is read by rows with scales of columns is
// written out in float32.
TEST(QuantizedTest, WeightsOfEightBitsStaySo) {
  constexpr uint64_t kWeight = 160 * 160;
  auto program = Program::load(folder() + "quantized_weights.pt2");
  ASSERT_TRUE(program.ok()) << program.error().message();
  CompileOptions options;
  options.engines = {{"openvino"}};
  options.require_full = true;
  const auto artefact = compile(*program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  EXPECT_GT(artefact->size(), 7 * kWeight);
  EXPECT_LT(artefact->size(), 9 * kWeight);
}

// Convolutions, products and what is between them are one engine.
TEST(QuantizedTest, ModelsAreOneEngine) {
  for (const std::string quantizer : {"xnnpack", "x86"}) {
    auto program = Program::load(folder() + "quantized_" + quantizer + ".pt2");
    ASSERT_TRUE(program.ok()) << program.error().message();
    CompileOptions options;
    options.engines = {{"openvino"}};
    options.require_full = true;
    const auto artefact = compile(*program, options);
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
  }
}

// The first numbers of both outputs, as torch 2.14 computes them from the same archives.
TEST(CompatibilityTest, ArchivesOfOtherVersionsOfTorchRun) {
  const std::map<std::string, std::pair<float, float>> expected = {
      {"v2.7.1_mlp.pt2", {0.6499911F, 1.9631269F}},
      {"v2.8.0_mlp.pt2", {1.3281846F, 2.1818540F}},
      {"v2.15.0_mlp.pt2", {0.7370253F, 1.7611297F}},
  };
  const Value input = load_value({{"file", "mlp.0.in0.npy"}});
  for (const auto& [name, numbers] : expected) {
    SCOPED_TRACE(name);
    auto program = Program::load(folder() + "compat/" + name);
    ASSERT_TRUE(program.ok()) << program.error().message();
    CompileOptions options;
    options.engines.clear();
    auto artefact = compile(*program, options);
    ASSERT_TRUE(artefact.ok()) << artefact.error().message();
    auto bytes = artefact->to_memory();
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    auto module = Module::load(std::move(*bytes), name);
    ASSERT_TRUE(module.ok()) << module.error().message();
    auto outputs = module->method()->run({input});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    ASSERT_EQ(outputs->size(), 2u);
    EXPECT_NEAR(std::get<Tensor>((*outputs)[0]).data_as<float>()[0], numbers.first, 1e-5);
    EXPECT_NEAR(std::get<Tensor>((*outputs)[1]).data_as<float>()[0], numbers.second, 1e-5);
  }
}

// Its engine has a subgraph that OpenVINO 2025.4.1 joined, whose results 2026 writes otherwise.
TEST(CompatibilityTest, FilesOfOpenvino2025Run) {
  const std::string file = "compat/openvino_2025.4.1_cond.pte";
  auto module = Module::load(folder() + file, {.verify_checksums = true});
  ASSERT_TRUE(module.ok()) << module.error().message();
  expect_pytorchs_results(*module->method(), "cond");
}

TEST(CompatibilityTest, FilesOfAnotherVersionSaySo) {
  const std::string file = folder() + "compat/openvino_2025.4.1_cond.pte";
  for (const bool isolate : {false, true}) {
    std::string warnings;
    LoadOptions options;
    options.isolate = isolate;
    options.on_warning = [&](const std::string& warning) { warnings += warning; };
    auto module = Module::load(file, options);
    ASSERT_TRUE(module.ok()) << module.error().message();
    const Status loaded = module->method()->prepare();
    EXPECT_TRUE(loaded.ok()) << loaded.error().message();
    EXPECT_NE(warnings.find("engine 0 of forward was built with openvino 2025.4.1"),
              std::string::npos)
        << warnings;
    EXPECT_NE(warnings.find("and here is 2026.4.1"), std::string::npos) << warnings;

    options.require_same_environment = true;
    module = Module::load(file, options);
    ASSERT_TRUE(module.ok()) << module.error().message();
    const Status strict = module->method()->prepare();
    ASSERT_FALSE(strict.ok());
    EXPECT_EQ(strict.error().code(), ErrorCode::kUnavailable);
  }
}

// The file as if its engines had been built for another processor.
std::string for_another_processor(std::span<const std::byte> bytes) {
  std::string file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const size_t begin = file.find("{\"format\":");
  const size_t size = file.find("\"}", file.rfind("\"xxh3\":\"")) + 2 - begin;
  auto manifest = engine::read_manifest(std::string_view(file).substr(begin, size));
  EXPECT_TRUE(manifest.ok()) << manifest.error().message();
  for (engine::ManifestEngine& engine : manifest->methods.at(0).engines) {
    EXPECT_FALSE(engine.record.capabilities.empty());
    engine.record.capabilities.assign(engine.record.capabilities.size(), 'z');
  }
  return file.replace(begin, size, engine::write_manifest(*manifest));
}

TEST(CompatibilityTest, FilesForAnotherProcessorSaySo) {
  const auto program = Program::load(folder() + "mlp.pt2");
  ASSERT_TRUE(program.ok()) << program.error().message();
  const auto artefact = compile(*program);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  const auto original = artefact->to_memory();
  ASSERT_TRUE(original.ok());
  const std::string changed = for_another_processor(*original);
  const auto bytes = std::as_bytes(std::span(changed));
  const auto load = [&](std::span<const std::byte> file, const LoadOptions& options) -> Status {
    auto module = Module::load({file.begin(), file.end()}, "mlp", options);
    return module.ok() ? module->method()->prepare() : module.error();
  };
  for (const bool isolate : {false, true}) {
    std::string warnings;
    LoadOptions options;
    options.isolate = isolate;
    options.on_warning = [&](const std::string& warning) { warnings += warning; };
    EXPECT_TRUE(load(bytes, options).ok());
    EXPECT_NE(warnings.find("built with openvino for CPU with zzz"), std::string::npos) << warnings;
    EXPECT_NE(warnings.find("z, and here is CPU with "), std::string::npos) << warnings;
    options.require_same_environment = true;
    EXPECT_EQ(load(bytes, options).error().code(), ErrorCode::kUnavailable);
    EXPECT_TRUE(load(*original, options).ok());
  }
}

}  // namespace
}  // namespace slipway
