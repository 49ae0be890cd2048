// Exported programs with engines of Torch-TensorRT in them, compiled and run.
#include "pte/emitter/emitted_program_test.h"
#include "slipway/compile.h"
#include "slipway/npy.h"
#include "slipway/program.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using pte::floats;
using pte::to_floats;
using Floats = std::vector<float>;

const std::string kFolder = std::string(SLIPWAY_TEST_DATA) + "/engines/";

class ArchiveTest : public DelegateTest {
 protected:
  static Result<Module> compiled(const std::string& name) {
    const auto program = Program::load(kFolder + name + ".pt2");
    if (!program.ok()) return program.error();
    const auto artefact = compile(*program, CompileOptions());
    if (!artefact.ok()) return artefact.error();
    auto bytes = artefact->to_memory();
    if (!bytes.ok()) return bytes.error();
    return Module::load(*std::move(bytes), name + ".pte");
  }
};

TEST_F(ArchiveTest, AnEngineAmongOperatorsGivesWhatPyTorchGives) {
  const auto module = compiled("partial");
  ASSERT_TRUE(module.ok()) << module.error().message();
  std::vector<Value> inputs;
  for (const char* name : {"partial.in0.npy", "partial.in1.npy"}) {
    inputs.emplace_back(*read_npy(kFolder + name));
  }
  const int before = tensorrt.runs;
  const auto outputs = module->method()->run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(tensorrt.runs, before + 1);
  ASSERT_EQ(outputs->size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const auto expected = read_npy(kFolder + "partial.out" + std::to_string(i) + ".npy");
    ASSERT_TRUE(expected.ok());
    EXPECT_EQ(pte::sizes_of((*outputs)[i]),
              (std::vector<int64_t>(expected->sizes().begin(), expected->sizes().end())));
    EXPECT_EQ(to_floats((*outputs)[i]), to_floats(Value(*expected)));
  }
}

TEST_F(ArchiveTest, ABufferThatAnEngineUpdatesIsTheProgramsState) {
  const auto module = compiled("cache");
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto method = module->method();
  for (int step = 1; step <= 3; ++step) {
    const auto outputs = method->run({floats({3}, {1, 2, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats(outputs->at(0)), (Floats{2, 4, 6}));
    const auto add = static_cast<float>(step * 10);
    EXPECT_EQ(to_floats(method->state()->at(0).second),
              (Floats{add, 1 + add, 2 + add, 3 + add, 4 + add, 5 + add}));
  }
}

// What it is given may be the program's own, and is not in the engine.
TEST_F(ArchiveTest, AProgramWithEnginesIsNoBareEngine) {
  const auto program = Program::load(kFolder + "cache.pt2");
  ASSERT_TRUE(program.ok());
  CompileOptions options;
  options.output = Output::kEngine;
  const auto artefact = compile(*program, options);
  ASSERT_FALSE(artefact.ok());
  EXPECT_NE(artefact.error().message().find("it came with 1 engine(s) that are built already"),
            std::string::npos)
      << artefact.error().message();
}

}  // namespace
}  // namespace slipway::tensorrt
