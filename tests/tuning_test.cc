// slipway::tune() on a stand-in for a GPU, where each block of a kernel takes a millisecond: what
// it finds stays in the file, whose results are PyTorch's.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/test_folder.h"
#include "compile/engine_choices.h"
#include "cuda/builder/images.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "cuda/format/blob.h"
#include "cuda/format/choices.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

using testing::HasSubstr;

std::string golden(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/golden/" + name;
}

std::string read_bytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

class TuningTest : public testing::Test {
 protected:
  void SetUp() override {
    cuda::set_source_as_image(true);
    cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  }
  void TearDown() override {
    cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS).processors = 4;
    cuda::set_source_as_image(false);
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  // A model of one convolution of halves.
  std::string compiled(const char* candidates, const std::string& engine = "cuda") {
    const auto program = Program::load(golden("conv_half.pt2"));
    EXPECT_TRUE(program.ok()) << program.error().message();
    CompileOptions options = {.engines = {{engine, {{"cuda_candidates", candidates}}}},
                              .require_full = true};
    if (engine != "cuda") options = {.engines = {}};
    const auto artefact = compile(*program, options);
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
    EXPECT_TRUE(artefact->save(path("model.pte")).ok());
    return path("model.pte");
  }
  void expect_pytorchs_results(const std::string& file) {
    warnings.clear();
    LoadOptions options;
    options.verify_checksums = true;
    options.on_warning = [&](const std::string& text) { warnings.push_back(text); };
    const auto module = Module::load(file, options);
    ASSERT_TRUE(module.ok()) << module.error().message();
    const auto input = read_npy(golden("conv_half.0.in0.npy"));
    const auto expected = read_npy(golden("conv_half.0.out0.npy"));
    const auto outputs = module->method()->run({*input});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    const auto& found = std::get<Tensor>(outputs->at(0));
    ASSERT_EQ(found.sizes(), expected->sizes());
    // Halves: sums in another order may be rounded to the next number.
    for (int64_t i = 0; i < expected->numel(); ++i) {
      ASSERT_NEAR(found.data_as<uint16_t>()[i], expected->data_as<uint16_t>()[i], 1) << i;
    }
  }

  // As the engine of the file says, whose digests are right.
  static std::string tuned_on(const std::string& path) {
    const auto mapped = *MappedFile::open(path);
    const auto file = pte::File::read({mapped->bytes(), mapped}, path);
    EXPECT_TRUE(file.ok() && file->verify_checksums().ok());
    const engine::ManifestEngine& made = file->manifest()->methods.at(0).engines.at(0);
    EXPECT_EQ(sha256_hex(*file->segment(made.segment)), made.record.sha256);
    return cuda::chosen_device(cuda::read_blob(*file->segment(made.segment))->engine);
  }

  TestFolder folder_;
  std::vector<std::string> warnings;
};

TEST_F(TuningTest, WhatIsFastestStaysInTheFile) {
  const std::string file = compiled("4");
  expect_pytorchs_results(file);
  std::vector<std::pair<size_t, size_t>> steps;
  TuneOptions options;
  options.on_progress = [&](size_t done, size_t total) { steps.emplace_back(done, total); };
  const auto tuned = tune(file, path("tuned.pte"), options);
  ASSERT_TRUE(tuned.ok()) << tuned.error().message();
  ASSERT_EQ(tuned->size(), 1U);
  const TunedEngine& engine = tuned->at(0);
  EXPECT_EQ(engine.method, "forward");
  EXPECT_EQ(engine.engine, 0U);
  EXPECT_EQ(engine.device, "stand-in 0 (4 multiprocessors), CUDA 13.2");
  ASSERT_FALSE(engine.choices.empty());
  EXPECT_EQ(steps.back(), std::pair(engine.choices.size(), engine.choices.size()));
  // The compiler takes small tiles, since a GPU has many processors: the stand-in has but time.
  EXPECT_LT(engine.after, engine.before);
  EXPECT_NE(engine.choices[0].alternative, 0U);
  EXPECT_EQ(engine.choices[0].alternatives, 4U);
  EXPECT_THAT(engine.choices[0].plan, HasSubstr("tiles of "));

  expect_pytorchs_results(path("tuned.pte"));
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(tuned_on(path("tuned.pte")), engine.device);
  EXPECT_EQ(tuned_on(file), "");
  // In place, and with nothing more to gain.
  const std::string before = read_bytes(path("tuned.pte"));
  EXPECT_EQ(before.size(), std::filesystem::file_size(file));
  const auto again = tune(path("tuned.pte"), path("tuned.pte"));
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(again->at(0).before, engine.after);
  EXPECT_EQ(read_bytes(path("tuned.pte")), before);

  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS).processors = 100;
  expect_pytorchs_results(path("tuned.pte"));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], HasSubstr("it was tuned on stand-in 0 (4 multiprocessors)"));
}

TEST_F(TuningTest, EveryAlternativeOfAConvolutionGivesPyTorchsResults) {
  const std::string path_of_file = compiled("6");
  const std::string bytes = read_bytes(path_of_file);
  const auto content = std::as_bytes(std::span(bytes));
  const auto file = pte::File::read({content, nullptr}, "choices");
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto engines = choosing_engines(*file);
  ASSERT_TRUE(engines.ok() && engines->size() == 1);
  for (uint8_t i = 0; i < 6; ++i) {
    const auto pieces = with_choices(*file, {{engines->at(0).segment, {{i}, "", {}}}});
    ASSERT_TRUE(pieces.ok()) << pieces.error().message();
    ASSERT_TRUE(write_file(path("chosen.pte"), *pieces).ok());
    expect_pytorchs_results(path("chosen.pte"));
  }
  EXPECT_FALSE(with_choices(*file, {{engines->at(0).segment, {{6}, "", {}}}}).ok());
}

// Which takes no time there.
TEST_F(TuningTest, ProductsByALibraryGiveTheSame) {
  cuda::use_stand_in_cublaslt(SLIPWAY_TEST_DRIVERS);
  const auto program = Program::load(golden("transformer_layer.pt2"));
  ASSERT_TRUE(program.ok()) << program.error().message();
  const CompileOptions options = {
      .engines = {{"cuda", {{"cuda_libraries", "cublaslt"}, {"precision", "fp16"}}}}};
  const auto artefact = compile(*program, options);
  ASSERT_TRUE(artefact.ok()) << artefact.error().message();
  ASSERT_TRUE(artefact->save(path("model.pte")).ok());
  ASSERT_TRUE(tune(path("model.pte"), path("tuned.pte")).ok());
  const auto input = read_npy(golden("transformer_layer.0.in0.npy"));
  const auto expected = read_npy(golden("transformer_layer.0.out0.npy"));
  auto& driver = cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  for (const char* name : {"model.pte", "tuned.pte"}) {
    const auto module = Module::load(path(name));
    ASSERT_TRUE(module.ok()) << module.error().message();
    const int before = driver.library_products;
    const auto outputs = module->method()->run({*input});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(driver.library_products > before, name[0] == 't');
    const auto& found = std::get<Tensor>(outputs->at(0));
    ASSERT_EQ(found.sizes(), expected->sizes());
    for (int64_t i = 0; i < expected->numel(); ++i) {  // of halves
      ASSERT_NEAR(found.data_as<float>()[i], expected->data_as<float>()[i], 5e-3) << i;
    }
  }
  ::unsetenv("SLIPWAY_CUBLASLT");
}

// What is loaded while another is tuned, in this thread or not, knows nobody to tell once that is
// over.
TEST_F(TuningTest, OthersRunAsBefore) {
  const std::string file = compiled("2");
  const auto input = read_npy(golden("conv_half.0.in0.npy"));
  std::vector<Module> others;
  const auto load = [&] {
    others.push_back(*Module::load(file));
    EXPECT_TRUE(others.back().method()->prepare().ok());
  };
  TuneOptions options;
  options.inputs = [&](const Method&) -> Result<std::vector<Value>> {
    load();
    std::thread(load).join();
    return std::vector<Value>{*input};
  };
  size_t told = 0;
  options.on_progress = [&](size_t, size_t) { ++told; };
  ASSERT_TRUE(tune(file, path("tuned.pte"), options).ok());
  EXPECT_GT(std::exchange(told, 0), 0U);
  for (Module& other : others) EXPECT_TRUE(other.method()->run({*input}).ok());
  EXPECT_EQ(told, 0U);
}

TEST_F(TuningTest, WhatCantBeTunedSaysWhy) {
  const auto error = [&](const std::string& file, const TuneOptions& options = {}) {
    const auto tuned = tune(file, path("out.pte"), options);
    EXPECT_FALSE(std::filesystem::exists(path("out.pte")));
    return tuned.ok() ? "" : tuned.error().message();
  };
  EXPECT_THAT(error(compiled("1")),
              HasSubstr("no engine with choices among ways to compute; compile the model with "
                        "engine 'cuda' and option 'cuda_candidates' of 2 or more"));
  EXPECT_THAT(error(compiled("1", "none")), HasSubstr("no engine with choices"));
  const std::string file = compiled("2");
  EXPECT_THAT(error(file, {.methods = {"backward"}}), HasSubstr("has no method 'backward'"));
  EXPECT_THAT(error(file, {.device = "cuda:7"}), HasSubstr("there is no cuda:7"));
  EXPECT_THAT(error(golden("conv_half.pt2")), HasSubstr("conv_half.pt2"));
  ::setenv("SLIPWAY_CUDA_DRIVER", path("nothing.so").c_str(), 1);
  EXPECT_THAT(error(file), HasSubstr("nothing.so"));
  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  std::string damaged = read_bytes(file);
  damaged[damaged.size() / 2] ^= 1;
  std::ofstream(path("damaged.pte"), std::ios::binary) << damaged;
  EXPECT_THAT(error(path("damaged.pte")), HasSubstr("checksum"));
  bool is_tried = false;
  const TuneOptions noting = {.inputs = [&](const Method&) -> Result<std::vector<Value>> {
    is_tried = true;
    return std::vector<Value>();
  }};
  const auto nowhere = tune(file, path("nowhere/out.pte"), noting);
  ASSERT_FALSE(nowhere.ok());
  EXPECT_THAT(nowhere.error().message(), HasSubstr("nowhere"));
  EXPECT_FALSE(is_tried);
}

}  // namespace
}  // namespace slipway
