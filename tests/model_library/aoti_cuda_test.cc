// Models with engines of a GPU as packages of AOTInductor and as shared libraries that PyTorch's
// loaders run on a CUDA device: by stand-ins for PyTorch and for NVIDIA's driver.
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/test_folder.h"
#include "cuda/builder/images.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

using nlohmann::json;

std::string data(const std::string& name) { return std::string(SLIPWAY_TEST_DATA) + "/" + name; }

class AotiCudaTest : public testing::Test {
 protected:
  void SetUp() override { cuda::set_source_as_image(true); }
  void TearDown() override { cuda::set_source_as_image(false); }

  Artefact compiled(const std::string& archive, CompileOptions options) {
    options.cache = "";
    options.check = EngineCheck::kOff;
    auto program = Program::load(data(archive));
    EXPECT_TRUE(program.ok()) << program.error().message();
    auto artefact = compile(*program, options);
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
    return *std::move(artefact);
  }

  // A model for the program, which `cases` says more of.
  void add(const std::string& archive, const std::string& cases, const std::string& engines,
           const std::set<std::string>& outside = {}) {
    const std::string path = folder_ / std::to_string(models_++);
    CompileOptions options;
    options.output = Output::kLibrary;
    options.engines = *parse_engines(engines);
    options.exclude_ops = outside;
    const Status saved = compiled(archive, std::move(options)).save(path + ".so");
    ASSERT_TRUE(saved.ok()) << saved.error().message();
    std::ofstream(path + ".cases") << cases;
    arguments_ += " '" + path + ".so' '" + path + ".cases'";
  }

  std::string file_of(const json& value) {
    if (value.contains("file")) return data("golden/") + value["file"].get<std::string>();
    const json& literal = value["value"];
    if (literal.is_null()) return "none";
    const bool is_flag = literal.is_boolean();
    const DType dtype = is_flag                       ? DType::kBool
                        : literal.is_number_integer() ? DType::kInt64
                                                      : DType::kFloat64;
    Tensor tensor = *Tensor::zeros(dtype, {});
    if (is_flag) *tensor.data_as<bool>() = literal.get<bool>();
    if (dtype == DType::kInt64) *tensor.data_as<int64_t>() = literal.get<int64_t>();
    if (dtype == DType::kFloat64) *tensor.data_as<double>() = literal.get<double>();
    const std::string path = folder_ / ("literal" + std::to_string(literals_++) + ".npy");
    EXPECT_TRUE(write_npy(path, tensor).ok());
    return path;
  }

  void add_golden(const std::string& name, bool in_place, const std::string& engines = "cuda",
                  const std::set<std::string>& outside = {}) {
    SCOPED_TRACE(name);
    static const json models = json::parse(std::ifstream(data("golden/manifest.json")))["models"];
    std::string cases = in_place ? "in_place\n" : "";
    for (const json& one : models[name]["cases"]) {
      for (const json& input : one["inputs"]) {
        if (input.contains("file")) cases += file_of(input) + ' ';
      }
      cases += "--";
      for (const json& output : one["outputs"]) cases += " " + file_of(output);
      cases += '\n';
    }
    add("golden/" + models[name]["files"]["training"].get<std::string>(), cases, engines, outside);
  }

  void run_all() {
    const std::string command = "SLIPWAY_C_LIBRARY='" SLIPWAY_C_LIBRARY "' '" SLIPWAY_AOTI_CUDA
                                "' '" SLIPWAY_TEST_DRIVERS "'" +
                                arguments_;
    EXPECT_EQ(std::system(command.c_str()), 0);
  }

 private:
  const TestFolder folder_;
  int models_ = 0;
  int literals_ = 0;
  std::string arguments_;
};

TEST_F(AotiCudaTest, TensorsAreUsedAndMadeOnTheDevice) {
  add_golden("mlp", true);
  add_golden("conv_dyn", true);
  add_golden("transformer_layer", true);
  run_all();
}

TEST_F(AotiCudaTest, WhatIsOnTheHostIsCopied) {
  add_golden("mlp", false, "none");
  add_golden("mlp", false, "cuda", {"aten.linear"});
  add_golden("conv_dyn", false, "cuda,openvino", {"cuda:aten.conv2d"});
  add_golden("mutated_buffer", false);
  add_golden("mask_assign_buffer", false);
  add_golden("dict_io", false);
  add_golden("cond", false);
  add_golden("nonzero_item", false);
  add_golden("while_loop", false);
  add_golden("log_softmax0", false);
  for (const char* engine : {"none", "cuda"}) add("pt2/mutations.pt2", "mutations\n", engine);
  run_all();
}

TEST_F(AotiCudaTest, APackageIsForTheDeviceOfItsEngines) {
  const std::pair<const char*, const char*> expected[] = {
      {"cuda", "cuda"}, {"openvino,cuda", "cpu"}, {"cuda,openvino", "cuda"}, {"none", "cpu"}};
  for (const auto& [engines, device] : expected) {
    SCOPED_TRACE(engines);
    CompileOptions options;
    options.output = Output::kAotiPackage;
    options.engines = *parse_engines(engines);
    const auto bytes = compiled("golden/mlp.pt2", options).to_memory();
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    const std::string key = std::string(R"({"AOTI_DEVICE_KEY": ")") + device + '"';
    EXPECT_NE(text.find(key), std::string_view::npos);

    // And the same of a program that is compiled already.
    const TestFolder folder;
    options.output = Output::kPte;
    ASSERT_TRUE(compiled("golden/mlp.pt2", options).save(folder / "mlp.pte").ok());
    const auto package = repack(folder / "mlp.pte", Output::kAotiPackage);
    ASSERT_TRUE(package.ok()) << package.error().message();
    const auto again = package->to_memory();
    ASSERT_TRUE(again.ok()) << again.error().message();
    EXPECT_NE(std::string(reinterpret_cast<const char*>(again->data()), again->size()).find(key),
              std::string::npos);
  }
}

}  // namespace
}  // namespace slipway
