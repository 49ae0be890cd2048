// For tests: golden programs, compiled for a list of engines.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pte/reader/reader.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway::stand_in {

inline std::string golden(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/golden/" + name;
}

inline Result<std::vector<std::byte>> compile_golden(const std::string& model,
                                                     const CompileOptions& options) {
  auto program = Program::load(golden(model + ".pt2"));
  if (!program.ok()) return program.error();
  auto artefact = compile(*program, options);
  if (!artefact.ok()) return artefact.error();
  return artefact->to_memory();
}

inline CompileOptions with_engines(std::vector<EngineChoice> engines) {
  CompileOptions options;
  options.engines = std::move(engines);
  return options;
}

inline pte::File read_file(std::span<const std::byte> bytes) {
  auto file = pte::File::read({bytes, nullptr}, "compiled");
  EXPECT_TRUE(file.ok()) << file.error().message();
  return *std::move(file);
}

// The operators of each engine, and under "" those of kernels.
inline std::map<std::string, std::vector<std::string>> operators_of(
    std::span<const std::byte> bytes) {
  std::map<std::string, std::vector<std::string>> result;
  const pte::File file = read_file(bytes);
  const engine::ManifestMethod& method = file.manifest()->methods.at(0);
  for (const auto& engine : method.engines) {
    for (const std::string& node : engine.nodes) {
      const size_t start = node.find('(') + 1;
      result[engine.record.engine].push_back(node.substr(start, node.size() - start - 1));
    }
  }
  for (const auto& outside : method.outside) result[""].push_back(outside.op);
  return result;
}

inline bool has(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// The model's first golden result is PyTorch's.
inline void expect_golden_results(const std::string& model, std::vector<std::byte> bytes,
                                  int cases = 1) {
  auto module = Module::load(std::move(bytes), model, {.verify_checksums = true});
  ASSERT_TRUE(module.ok()) << module.error().message();
  for (int i = 0; i < cases; ++i) {
    const std::string stem = golden(model + "." + std::to_string(i));
    const auto input = read_npy(stem + ".in0.npy");
    const auto expected = read_npy(stem + ".out0.npy");
    ASSERT_TRUE(input.ok() && expected.ok());
    const auto outputs = module->method()->run({*input});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    const auto& found = std::get<Tensor>(outputs->at(0));
    ASSERT_EQ(found.sizes(), expected->sizes());
    for (int64_t k = 0; k < expected->numel(); ++k) {
      const float wanted = expected->data_as<float>()[k];
      ASSERT_NEAR(found.data_as<float>()[k], wanted, 1e-5 + 1e-5 * std::abs(wanted)) << k;
    }
  }
}

}  // namespace slipway::stand_in
