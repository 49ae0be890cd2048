// Damaged engines: an error, whatever the damage, and never a crash or a wrong answer.
#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "compiled_test.h"
#include "mutated_program.h"
#include "stand_in/delegate/interpreter.h"
#include "stand_in/format/blob.h"

namespace slipway::stand_in {
namespace {

using Bytes = std::vector<std::byte>;

// Of a program.
struct Engine {
  size_t header_size = 0;
  Bytes blob;

  Bytes bytes() const {
    return {blob.begin() + static_cast<std::ptrdiff_t>(header_size), blob.end()};
  }
};

Engine compiled_engine() {
  Engine engine;
  CompileOptions options = with_engines({{"stand_in"}});
  options.require_full = true;
  const auto bytes = compile_golden("mlp", options);
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  const pte::File file = read_file(*bytes);
  const auto& described = file.manifest()->methods.at(0).engines.at(0);
  const auto segment = file.segment(described.segment);
  EXPECT_TRUE(segment.ok());
  engine.header_size = described.header_size;
  engine.blob.assign(segment->begin(), segment->end());
  return engine;
}

// As the delegate does.
Result<std::vector<Tensor>> run_blob(std::span<const std::byte> blob) {
  const auto engine = engine_of(blob);
  if (!engine.ok()) return engine.error();
  const auto interpreter = Interpreter::of(*engine);
  if (!interpreter.ok()) return interpreter.error();
  return interpreter->run({*Tensor::zeros(DType::kFloat32, {2, 8})});
}

TEST(DamagedStandIn, ABlobThatIsCutAnywhereIsRefused) {
  const Bytes blob = compiled_engine().blob;
  ASSERT_TRUE(run_blob(blob).ok());
  for (size_t size = 0; size < blob.size(); ++size) {
    const Bytes cut(blob.begin(), blob.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_FALSE(run_blob(cut).ok()) << size;
  }
}

TEST(DamagedStandIn, ABlobWithAnyOtherByteIsRefused) {
  Bytes blob = compiled_engine().blob;
  for (std::byte& byte : blob) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      const std::byte before = byte;
      byte ^= static_cast<std::byte>(flip);
      ASSERT_FALSE(run_blob(blob).ok()) << &byte - blob.data();
      byte = before;
    }
  }
}

// Under a right checksum: an error, or what the other bytes say.
TEST(DamagedStandIn, WhatIsBehindARightChecksumNeverCrashes) {
  constexpr size_t kChecksum = 16;
  const Bytes original = compiled_engine().bytes();
  const auto body = [](Bytes& bytes) {
    return std::span(bytes).subspan(kChecksum + kXxh3HexDigits);
  };
  size_t refused = 0;
  Bytes bytes = original;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i >= kChecksum && i < kChecksum + kXxh3HexDigits) continue;
    for (const char other : {'\0', '"', '0', '9', '-', '[', '}', '\xff'}) {
      bytes = original;
      bytes[i] = static_cast<std::byte>(other);
      const std::string checksum = xxh3_hex(body(bytes));
      std::memcpy(bytes.data() + kChecksum, checksum.data(), checksum.size());
      const auto interpreter = Interpreter::of(bytes);
      if (!interpreter.ok() || !interpreter->run({*Tensor::zeros(DType::kFloat32, {2, 8})}).ok()) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0U);
}

// In a file whose own checksums are right: the delegate's error reaches whoever loads.
TEST(DamagedStandIn, AFileWithADamagedEngineIsAnError) {
  const mutants::ProgramFile file(mutants::compiled("mlp.pt2", "stand_in"));
  mutants::Random random(1);
  for (int i = 0; i < 200; ++i) {
    const std::string mutant = file.with_mutated_engine(random);
    if (mutant == file.file()) continue;
    const auto bytes = std::as_bytes(std::span(mutant));
    auto module = Module::load({bytes.begin(), bytes.end()}, "damaged", {.verify_checksums = true});
    ASSERT_TRUE(module.ok()) << module.error().message();
    const Status loaded = module->method()->prepare();
    ASSERT_FALSE(loaded.ok()) << i;
    EXPECT_THAT(loaded.error().message(), testing::HasSubstr("stand-in: ")) << i;
  }
}

Model model_of(const std::string& op, std::vector<Tensor> constants,
               std::map<std::string, std::vector<int64_t>> attributes = {}) {
  Model model;
  model.constants = std::move(constants);
  Step step = {op, {}, std::move(attributes)};
  for (size_t i = 0; i < model.constants.size(); ++i) step.inputs.push_back(i);
  model.steps.push_back(std::move(step));
  model.outputs = {model.constants.size()};
  return model;
}

Tensor integers(const std::vector<int64_t>& values) {
  Tensor tensor = *Tensor::zeros(DType::kInt64, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data_as<int64_t>());
  return tensor;
}

// Graphs that a builder never writes.
TEST(DamagedStandIn, StepsThatFitNothingAreRefused) {
  const Tensor x = *Tensor::zeros(DType::kFloat32, {2, 3});
  const Tensor row = *Tensor::zeros(DType::kFloat32, {3});
  const Tensor scalar = *Tensor::zeros(DType::kFloat32, {});
  const int64_t most = INT64_MAX;
  const Model models[] = {
      model_of("Warp", {x}),
      model_of("Exp", {x, x}),
      model_of("Exp", {integers({1})}),
      model_of("Add", {x, integers({1})}),
      model_of("Add", {x, *Tensor::zeros(DType::kFloat32, {2})}),
      model_of("Add", {integers({most}), integers({1})}),
      model_of("Sub", {integers({-most}), integers({2})}),
      model_of("Mul", {integers({most}), integers({2})}),
      model_of("Div", {integers({1}), integers({0})}),
      model_of("MatMul", {x, x}),
      model_of("MatMul", {x, scalar}),
      model_of("Gemm", {x, row}),
      model_of("Gemm", {x}),
      model_of("Transpose", {x}),
      model_of("Transpose", {x}, {{"perm", {0, 0}}}),
      model_of("Transpose", {x}, {{"perm", {0, 2}}}),
      model_of("Transpose", {x}, {{"perm", {-1, 0}}}),
      model_of("Reshape", {x, integers({-1, -1})}),
      model_of("Reshape", {x, integers({-1, 0})}, {{"allowzero", {1}}}),
      model_of("Reshape", {x, integers({1, 1, 0})}),
      model_of("Reshape", {x, integers({4})}),
      model_of("Reshape", {x, integers({most, most})}),
      model_of("Reshape", {x, row}),
      model_of("Unsqueeze", {x, integers({3})}),
      model_of("Unsqueeze", {x, integers({0, 0})}),
      model_of("Squeeze", {x, integers({0})}),
      model_of("Squeeze", {x, integers({2})}),
      model_of("Expand", {x, integers({4, 3})}),
      model_of("Expand", {row, integers({most, 3})}),
      model_of("Expand", {scalar, integers({1 << 20, 1 << 20})}),
      model_of("Expand", {row, integers({-1, 3})}),
      model_of("Concat", {}),
      model_of("Concat", {x, row}, {{"axis", {0}}}),
      model_of("Concat", {x, x}, {{"axis", {2}}}),
      model_of("Concat", {scalar, scalar}),
      model_of("Shape", {}),
  };
  for (const Model& model : models) {
    const auto interpreter = Interpreter::of(write_engine(model));
    const auto ran = interpreter.ok() ? interpreter->run({}) : interpreter.error();
    EXPECT_FALSE(ran.ok()) << model.steps[0].op << ", model " << &model - models;
  }
  Model later = model_of("Exp", {x});
  later.steps[0].inputs = {1};
  EXPECT_FALSE(Interpreter::of(write_engine(later)).ok()) << "its own result";
  Model nothing = model_of("Exp", {x});
  nothing.outputs = {2};
  EXPECT_FALSE(Interpreter::of(write_engine(nothing)).ok()) << "an output that is not there";
}

}  // namespace
}  // namespace slipway::stand_in
