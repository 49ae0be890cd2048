// The public API through a shared library that exports nothing else: this program is linked with
// that library alone.
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <slipway/slipway.h>

namespace slipway {
namespace {

const std::string kFolder = std::string(SLIPWAY_TEST_DATA) + "/golden/";

Artefact compiled(const std::vector<EngineChoice>& engines) {
  const auto program = Program::load(kFolder + "mlp.pt2");
  EXPECT_TRUE(program.ok()) << program.error().message();
  CompileOptions options;
  options.engines = engines;
  auto artefact = compile(program.value(), options);
  EXPECT_TRUE(artefact.ok()) << artefact.error().message();
  return std::move(artefact).value();
}

// An engine's delegate is in a library of its own, which registers with ExecuTorch's when it is
// opened: one registry serves both.
TEST(SharedLibrary, CompilesAndRuns) {
  const auto input = read_npy(kFolder + "mlp.0.in0.npy");
  const auto expected = read_npy(kFolder + "mlp.0.out0.npy");
  ASSERT_TRUE(input.ok() && expected.ok());
  for (const std::string& engine : {std::string("none"), engine_names().front()}) {
    SCOPED_TRACE(engine);
    const auto engines = parse_engines(engine);
    ASSERT_TRUE(engines.ok()) << engines.error().message();
    auto bytes = compiled(*engines).to_memory();
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    const auto module = Module::load(std::move(*bytes), "mlp");
    ASSERT_TRUE(module.ok()) << module.error().message();
    const auto method = module->method();
    ASSERT_TRUE(method.ok()) << method.error().message();
    const auto outputs = method->run({*input});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    ASSERT_EQ(outputs->size(), 1u);
    const auto& output = std::get<Tensor>(outputs->front());
    ASSERT_EQ(format_type(output.dtype(), output.sizes()),
              format_type(expected->dtype(), expected->sizes()));
    for (int64_t i = 0; i < expected->numel(); ++i) {
      EXPECT_NEAR(output.data_as<float>()[i], expected->data_as<float>()[i], 1e-5) << i;
    }
  }
}

TEST(SharedLibrary, Inspects) {
  const std::string path = testing::TempDir() + "exports_test.pte";
  const Status saved = compiled({{engine_names().front()}}).save(path);
  ASSERT_TRUE(saved.ok()) << saved.error().message();
  const auto file = inspect(path);
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_EQ(file->methods().size(), 1u);
  EXPECT_EQ(file->methods().front().engines.size(), 1u);
  EXPECT_NE(file->to_text().find("forward"), std::string::npos);
  const auto checks = verify(path);
  ASSERT_TRUE(checks.ok()) << checks.error().message();
  for (const Check& check : *checks) {
    EXPECT_NE(check.outcome, Check::Outcome::kFailed) << check.name << ": " << check.detail;
  }
  std::remove(path.c_str());
}

TEST(SharedLibrary, GivesErrors) {
  const auto module = Module::load("/nowhere.pte");
  ASSERT_FALSE(module.ok());
  EXPECT_STREQ(error_code_name(module.error().code()), "not found");
}

}  // namespace
}  // namespace slipway
