// A small Llama whose methods share its cache: tests/data/decoder, with the tokens that PyTorch
// generated.
#include <algorithm>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cuda/builder/images.h"
#include "cuda/driver/stand_in_driver_test.h"
#include "executorch_module.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

using Tokens = std::vector<int64_t>;
// Gives the outputs of a method.
using Run =
    std::function<Result<std::vector<Value>>(const std::string&, const std::vector<Value>&)>;

std::string decoder_folder() { return std::string(SLIPWAY_TEST_DATA) + "/decoder/"; }

Tensor integers_of(std::vector<int64_t> sizes, const Tokens& values) {
  Tensor tensor = *Tensor::zeros(DType::kInt64, std::move(sizes));
  std::copy(values.begin(), values.end(), tensor.data_as<int64_t>());
  return tensor;
}

int64_t next_token(const Run& run, const std::string& method, const Tokens& tokens,
                   int64_t position) {
  const auto count = static_cast<int64_t>(tokens.size());
  Tokens positions;
  for (int64_t i = 0; i < count; ++i) positions.push_back(position + i);
  const auto outputs =
      run(method, {integers_of({1, count}, tokens), integers_of({count}, positions)});
  EXPECT_TRUE(outputs.ok()) << outputs.error().message();
  if (!outputs.ok()) return -1;
  const auto& logits = std::get<Tensor>(outputs->at(0));
  const auto* first = logits.data_as<float>();
  return std::max_element(first, first + logits.numel()) - first;
}

Tokens generated(const Run& run, const Tokens& prompt, size_t count) {
  Tokens tokens = {next_token(run, "prefill", prompt, 0)};
  auto position = static_cast<int64_t>(prompt.size());
  while (tokens.size() < count) {
    tokens.push_back(next_token(run, "decode", {tokens.back()}, position++));
  }
  return tokens;
}

void expect_pytorchs_tokens(const Run& run) {
  for (const auto& test : nlohmann::json::parse(std::ifstream(decoder_folder() + "decoder.json"))) {
    const auto expected = test["tokens"].get<Tokens>();
    EXPECT_EQ(generated(run, test["prompt"].get<Tokens>(), expected.size()), expected);
  }
}

class DecoderTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    for (auto [name, program] : {std::pair("prefill", &prefill_), std::pair("decode", &decode_)}) {
      auto loaded = Program::load(decoder_folder() + name + ".pt2");
      ASSERT_TRUE(loaded.ok()) << loaded.error().message();
      *program = *loaded;
    }
  }
  std::vector<std::byte> compile_both(CompileOptions options) const {
    options.verify_passes = true;
    options.share_buffers = true;
    const auto artefact = compile({{"prefill", &*prefill_}, {"decode", &*decode_}}, options);
    EXPECT_TRUE(artefact.ok()) << artefact.error().message();
    return artefact.ok() ? *artefact->to_memory() : std::vector<std::byte>();
  }

  std::optional<Program> prefill_;
  std::optional<Program> decode_;
};

TEST_P(DecoderTest, GeneratesWhatPyTorchDoes) {
  if (GetParam() == std::string("cuda")) {
    cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
    cuda::set_source_as_image(true);
  }
  const auto bytes = compile_both({.engines = *parse_engines(GetParam())});
  const auto module = Module::load(bytes, "decoder");
  ASSERT_TRUE(module.ok()) << module.error().message();
  expect_pytorchs_tokens([&](const std::string& method, const std::vector<Value>& inputs) {
    return module->method(method)->run(inputs);
  });
  SCOPED_TRACE("by ExecuTorch's C++ API");
  ExecutorchModule executorch(bytes, {"prefill", "decode"});
  expect_pytorchs_tokens([&](const std::string& method, const std::vector<Value>& inputs) {
    return executorch.run(method, inputs);
  });
}

INSTANTIATE_TEST_SUITE_P(All, DecoderTest, testing::Values("none", "openvino", "xnnpack", "cuda"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace slipway
