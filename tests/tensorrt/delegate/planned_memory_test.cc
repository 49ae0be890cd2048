// Programs that compile plans in the memory of devices (EmitOptions::device_of), in
// slipway::Module and in ExecuTorch's own runtime.
#include <dlfcn.h>

#include "executorch_module.h"
#include "tensorrt/delegate/module_test.h"

namespace slipway::tensorrt {
namespace {

using pte::floats;
using pte::Instructions;
using pte::to_floats;
using testing::HasSubstr;
using Floats = std::vector<float>;

class PlannedMemoryTest : public ModuleTest {
 protected:
  PlannedMemoryTest() { p.device_of = kDescription.cuda_device; }

  int copies() const { return driver.copies_to_device + driver.copies_to_host; }

  ir::Value* input() { return p.input("x", p.type({1, 3})); }

  // What was copied by a run, beside its input and its output.
  int copies_of_run(const Method& method) {
    const int before = copies();
    const auto outputs = method.run({floats({1, 3}, {1, 2, 3})});
    EXPECT_TRUE(outputs.ok()) << outputs.error().message();
    return copies() - before - 2;
  }
};

TEST_F(PlannedMemoryTest, StateBeginsWithItsInitialValue) {
  cache(10);
  p.output(call(input(), "1", 2, 1, "y"));
  EXPECT_EQ(p.instructions(),
            (Instructions{"jump", "et_copy::_h2d_copy", "aten::logical_not", "engine", "engine"}));
  for (const bool isolate : {false, true}) {
    const auto loaded = module({.isolate = isolate});
    const auto method = loaded->method();
    const auto state = [&] { return to_floats(method->state()->at(0).second); };
    ASSERT_EQ(method->state()->size(), 1u);
    EXPECT_EQ(state(), (Floats{1, 2, 3}));
    const std::vector<Value> inputs = {floats({1, 3}, {1, 2, 3})};
    for (const float add : {10.0F, 20.0F}) {
      ASSERT_TRUE(method->run(inputs).ok());
      EXPECT_EQ(state(), (Floats{1 + add, 2 + add, 3 + add}));
    }
    ASSERT_TRUE(method->reset_state().ok());
    EXPECT_EQ(state(), (Floats{1, 2, 3}));
    ASSERT_TRUE(method->run(inputs).ok());
    EXPECT_EQ(state(), (Floats{11, 12, 13}));
  }
}

TEST_F(PlannedMemoryTest, WhatIsWrittenToStateBeforeTheFirstRunCounts) {
  cache(10);
  const auto loaded = module();
  const auto method = loaded->method();
  Tensor given = method->state()->at(0).second;
  std::fill_n(given.data_as<float>(), 3, 5.0F);
  ASSERT_TRUE(method->run(std::vector<Value>()).ok());
  EXPECT_EQ(to_floats(method->state()->at(0).second), Floats(3, 15));
}

TEST_F(PlannedMemoryTest, StateIsBroughtThereOnceAndNeverCopied) {
  cache(10);
  p.output(call(input(), "1", 2, 1, "y"));
  const auto loaded = module();
  EXPECT_EQ(copies_of_run(*loaded->method()), 1) << "its initial value";
  for (int step = 0; step < 5; ++step) EXPECT_EQ(copies_of_run(*loaded->method()), 0);
}

TEST_F(PlannedMemoryTest, WhatIsBetweenEnginesIsNotCopied) {
  ir::Value* const between = call(input(), "1", 2, 1, "between");
  p.output(call(between, "1", 3, 0, "y"));
  const auto loaded = module();
  const auto outputs = loaded->method()->run({floats({1, 3}, {1, 2, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), (Floats{9, 15, 21}));
  EXPECT_EQ(copies_of_run(*loaded->method()), 0);
  p.device_of = nullptr;
  const auto on_host = module();
  EXPECT_EQ(copies_of_run(*on_host->method()), 2);
}

TEST_F(PlannedMemoryTest, WhatAKernelReadsStaysOnTheHost) {
  auto b = p.build();
  p.output(b.relu(cache(10)));
  ir::Value* const between = call(input(), "1", 2, 1, "between");
  p.output(b.relu(call(between, "1", 3, 0, "y")));
  p.output(b.relu(between));
  EXPECT_EQ(p.instructions(),
            (Instructions{"engine", "aten::relu", "engine", "engine", "aten::relu", "aten::relu"}));
  const auto loaded = module();
  for (const float add : {10.0F, 20.0F}) {
    const auto outputs = loaded->method()->run({floats({1, 3}, {1, 2, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{1 + add, 2 + add, 3 + add}));
    EXPECT_EQ(to_floats((*outputs)[1]), (Floats{9, 15, 21}));
    EXPECT_EQ(to_floats((*outputs)[2]), (Floats{3, 5, 7}));
  }
}

TEST_F(PlannedMemoryTest, AnEngineOnAnotherGpuIsNotGivenIt) {
  if (driver.devices < 2) GTEST_SKIP() << "it needs two GPUs";
  cache(10);
  const auto loaded = module({.device = "cuda:1"});
  const auto outputs = loaded->method()->run(std::vector<Value>());
  ASSERT_FALSE(outputs.ok());
  EXPECT_THAT(outputs.error().message(), HasSubstr("is on cuda:0, and the engine on cuda:1"));
}

// Its jump goes past what the first run does, as all jumps behind it do.
TEST_F(PlannedMemoryTest, JumpsGoWhereTheyWent) {
  ir::Value* const x = input();
  ir::Value* const predicate = p.input("p", p.type({}, DType::kBool));
  cache(10);
  const auto branch = [&](int64_t times) {
    auto graph = std::make_shared<ir::Graph>();
    ir::Value* const given = graph->add_input("x", x->type());
    graph->outputs().emplace_back(
        ir::OpBuilder(*graph, nullptr, nullptr).mul(given, ir::SymInt(times)));
    return graph;
  };
  ir::Node* const cond = p.graph().add_node(
      "higher_order.cond", {predicate, branch(2), branch(3), std::vector<ir::Value*>{x}},
      {.name = "cond"});
  p.graph().add_output(cond, x->type());
  p.output(cond->output());
  const auto loaded = module();
  for (const bool chosen : {true, false}) {
    Tensor flag = *Tensor::zeros(DType::kBool, {});
    *flag.data_as<bool>() = chosen;
    const auto outputs = loaded->method()->run({floats({1, 3}, {1, 2, 3}), flag});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats((*outputs)[0]), chosen ? (Floats{2, 4, 6}) : (Floats{3, 6, 9}));
  }
}

// Of which the first instructions are read when a method is prepared.
TEST_F(PlannedMemoryTest, NoFlipOfAFileLeadsOutside) {
  cache(10);
  p.output(call(input(), "1", 2, 1, "y"));
  const std::vector<std::byte> bytes = *p.emit_bytes();
  int prepared = 0;
  for (size_t i = 32; i < 1600; i += 3) {
    std::vector<std::byte> damaged = bytes;
    damaged[i] ^= std::byte{1};
    const auto loaded = Module::load(std::move(damaged), "m.pte");
    if (!loaded.ok()) continue;
    const auto method = loaded->method();
    if (!method.ok() || !method->prepare().ok()) continue;
    ++prepared;
    static_cast<void>(method->state());
    static_cast<void>(method->reset_state());
    static_cast<void>(method->run({floats({1, 3}, {1, 2, 3})}));
  }
  EXPECT_GT(prepared, 0) << "flips of padding";
}

// ExecuTorch's own runtime, with our allocator registered: what the flag of the first run is for.
TEST_F(PlannedMemoryTest, ExecutorchsOwnRuntimeBindsItInPlace) {
  cache_of_two_engines();
  {
    const auto loaded = module();
    ASSERT_TRUE(loaded->method()->prepare().ok()) << "registers the allocator";
  }
  const auto bytes = *p.emit_bytes();
  for (const int runs : {1, 2, 5}) {
    const int before = copies();
    const auto outputs = run_by_executorch(bytes, {}, runs);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    const float add = 1000 * static_cast<float>(runs - 1);
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{100 + add, 200 + add, 300 + add}));
    EXPECT_EQ(copies() - before, 1 + runs) << "the initial value, and each result";
  }
}

// It says so where nothing gives it memory of CUDA devices: opening our library does not, since a
// second allocator would end the process. In a process of its own, as others here register one.
TEST_F(PlannedMemoryTest, ExecutorchsOwnRuntimeNeedsAnAllocator) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  cache(10);
  const auto bytes = *p.emit_bytes();
  const auto run = [&] {
    if (!runtime::require_backend(kBackend).ok()) std::exit(2);
    const runtime::LogCapture log;
    const auto outputs = run_by_executorch(bytes, {}, 1);
    const bool is_said = log.text().find("No device allocator registered") != std::string::npos;
    if (outputs.ok() || outputs.error().message() != "ExecuTorch gives error 32") std::exit(3);
    if (!is_said) std::exit(4);
    const auto register_ours =
        reinterpret_cast<int (*)()>(::dlsym(::dlopen(kDescription.library, RTLD_NOW | RTLD_NOLOAD),
                                            "slipway_cuda_register_device_allocator"));
    for (int time = 0; time < 2; ++time) {
      if (register_ours() != 0) std::exit(5);
    }
    std::exit(run_by_executorch(bytes, {}, 2).ok() ? 0 : 6);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace slipway::tensorrt
