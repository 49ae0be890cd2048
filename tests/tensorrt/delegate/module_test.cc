// Files with engines of TensorRT, as slipway::Module runs them.
#include "tensorrt/delegate/module_test.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "slipway/cuda.h"

namespace slipway::tensorrt {
namespace {

using pte::floats;
using pte::to_floats;
using testing::HasSubstr;
using Floats = std::vector<float>;

TEST_F(ModuleTest, AFileRunsWithDynamicShapes) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const auto method = loaded->method();
  for (const int64_t rows : {2, 8, 1}) {
    const auto count = static_cast<size_t>(rows) * 3;
    const auto outputs = method->run({floats({rows, 3}, Floats(count, 3))});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(pte::sizes_of((*outputs)[0]), (std::vector<int64_t>{rows, 3}));
    EXPECT_EQ(to_floats((*outputs)[0]), Floats(count, 7));
  }
}

TEST_F(ModuleTest, TwoEnginesWorkWithKernelsBetween) {
  auto b = p.build();
  ir::Value* const first = call(p.input("x", p.type({1, 3})), "1", 2, 1, "first");
  p.output(call(b.relu(first), "1", 1, 100, "second"));
  const int before = tensorrt.runs;
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const auto outputs = loaded->method()->run({floats({1, 3}, {-5, 0, 2})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), (Floats{100, 101, 105}));
  EXPECT_EQ(tensorrt.runs, before + 2);
}

TEST_F(ModuleTest, AProfileHasTheLayers) {
  p.output(call(p.input("x", p.type({1, 3})), "1", 2, 1, "y"));
  std::vector<RunProfile> runs;
  const auto loaded = module({.on_profile = [&](const RunProfile& run) { runs.push_back(run); }});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(loaded->method()->run({floats({1, 3}, {1, 2, 3})}).ok());
  ASSERT_EQ(runs.size(), 2u);
  ASSERT_EQ(runs[1].calls.size(), 1u);
  const std::vector<ProfiledLayer>& layers = runs[1].calls[0].layers;
  ASSERT_EQ(layers.size(), 1u) << "those of this run";
  EXPECT_EQ(layers[0].name, "affine " + p.engines[0].record.outputs[0].name);
  EXPECT_GT(layers[0].duration.count(), 0);
}

TEST_F(ModuleTest, ACacheThatTheEngineUpdatesIsTheProgramsState) {
  cache(10);
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const auto method = loaded->method();
  for (int step = 1; step <= 3; ++step) {
    const auto outputs = method->run(std::vector<Value>());
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    const auto add = static_cast<float>(step * 10);
    EXPECT_EQ(to_floats(method->state()->at(0).second), (Floats{1 + add, 2 + add, 3 + add}));
  }
}

TEST_F(ModuleTest, SharedStateIsCopiedOnlyForMethodsThatUseItElsewhere) {
  const auto finish = [&] {
    p.output(ir::SymInt(0));
    p.make_trees();
    return std::exchange(p, {});
  };
  const auto on_device = [&](double add) {
    cache(add);
    return finish();
  };
  const auto on_host = [&](int64_t add) {
    ir::Value* const cache = p.buffer("cache", p.count({1, 3}, {3, 1}, 1));
    p.mutation("cache", p.build().add(cache, ir::SymInt(add)));
    return finish();
  };
  pte::ProgramToEmit ten = on_device(10);
  pte::ProgramToEmit hundred = on_device(100);
  pte::ProgramToEmit kernel = on_host(1000);
  const auto pieces =
      pte::emit({ten.method("ten"), hundred.method("hundred"), kernel.method("kernel")},
                {.tool_version = "test", .share_buffers = true});
  ASSERT_TRUE(pieces.ok()) << pieces.error().message();
  const auto module =
      Module::load(*write_to_memory(*pieces), "m.pte", {.time_limit = std::chrono::minutes(10)});
  ASSERT_TRUE(module.ok()) << module.error().message();
  const auto run = [&](const char* name) { pte::run(*module->method(name), {}); };
  const auto copies = [&] { return driver.copies_to_device + driver.copies_to_host; };
  const auto cache_of = [&](const char* name) { return pte::state_of(*module->method(name)); };

  run("ten");
  const int before = copies();
  run("hundred");
  run("ten");
  EXPECT_EQ(copies(), before);
  EXPECT_EQ(cache_of("hundred"), (Floats{121, 122, 123}));
  run("ten");
  // Which is prepared only now.
  run("kernel");
  EXPECT_EQ(cache_of("ten"), (Floats{1131, 1132, 1133}));
  run("hundred");
  run("kernel");
  EXPECT_EQ(cache_of("kernel"), (Floats{2231, 2232, 2233}));
  run("ten");
  ASSERT_TRUE(module->method("kernel")->reset_state().ok());
  run("hundred");
  EXPECT_EQ(cache_of("ten"), (Floats{101, 102, 103}));

  // What was stopped half-way is prepared anew, with initial values for all.
  tensorrt.refuses_run = true;
  EXPECT_FALSE(module->method("ten")->run(std::vector<Value>()).ok());
  tensorrt.refuses_run = false;
  run("ten");
  EXPECT_EQ(cache_of("kernel"), (Floats{11, 12, 13}));
}

TEST_F(ModuleTest, ABudgetThatNoEngineCanHaveIsAWarning) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  std::string warnings;
  LoadOptions options{.weight_streaming_budget = 1000};
  options.on_warning = [&](const std::string& warning) { warnings += warning; };
  const auto loaded = module(options);
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE(loaded->method()->prepare().ok());
  EXPECT_THAT(warnings, HasSubstr("the engine has no weights that can be streamed: it was built "
                                  "without the option 'weight_streaming'"));
}

TEST_F(ModuleTest, TheLoadersBudgetIsBeforeTheFiles) {
  more_ = "streamable 4096\nautomatic 1000\n";
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto budget = [&](const LoadOptions& options) {
    const auto loaded = module(options);
    EXPECT_TRUE(loaded.ok());
    const Status prepared = loaded->method()->prepare();
    EXPECT_TRUE(prepared.ok()) << prepared.error().message();
    return tensorrt.budget.load();
  };
  EXPECT_EQ(budget({}), 1000);
  p.engines[0].record.compile_specs["weight_streaming_budget"] = "2000";
  EXPECT_EQ(budget({}), 2000);
  EXPECT_EQ(budget({.weight_streaming_budget = 3000}), 3000);
  EXPECT_EQ(budget({.weight_streaming_budget = 0}), 0);
  EXPECT_EQ(budget({.weight_streaming_budget = UINT64_MAX}), 4096);
}

// Two engines, of which the second can stream three times as much.
class BudgetModuleTest : public ModuleTest {
 protected:
  void SetUp() override {
    ModuleTest::SetUp();
    more_ = "streamable 1000\nautomatic 1000\n";
    ir::Value* const first = call(p.input("x", p.type({1, 3})), "1", 2, 1, "first");
    more_ = "streamable 3000\nautomatic 3000\ncontext 100\n";
    p.output(call(first, "1", 1, 100, "second"));
  }
  // As it is after loading, and of a module that runs.
  uint64_t in_force(const LoadOptions& options = {}) {
    const auto loaded = module(options);
    EXPECT_TRUE(loaded.ok());
    const auto budget = loaded->method()->weight_streaming_budget();
    EXPECT_TRUE(budget.ok()) << budget.error().message();
    EXPECT_TRUE(runs(*loaded->method()));
    second_ = tensorrt.budget;
    return budget.ok() ? *budget : UINT64_MAX;
  }
  static bool runs(const Method& method) {
    const auto outputs = method.run({floats({1, 3}, {1, 2, 3})});
    return outputs.ok() && to_floats((*outputs)[0]) == Floats{103, 105, 107};
  }
  int64_t second_ = 0;  // of the second engine
};

TEST_F(BudgetModuleTest, ATotalIsSplitByWhatCanBeStreamed) {
  EXPECT_EQ(in_force({.weight_streaming_total = 2000}), 2000u);
  EXPECT_EQ(second_, 1500);
  EXPECT_EQ(in_force({.weight_streaming_total = UINT64_MAX}), 4000u);
  EXPECT_EQ(in_force({.weight_streaming_total = 0}), 0u);
  EXPECT_EQ(in_force({.weight_streaming_budget = 2000}), 3000u);
  // The file's: its shares are a guess from the constants of each part, and here is more known.
  for (engine::Engine& engine : p.engines) {
    engine.record.compile_specs["weight_streaming_budget"] = "1000";
    engine.record.compile_specs["weight_streaming_total"] = "2000";
  }
  EXPECT_EQ(in_force(), 2000u);
  EXPECT_EQ(second_, 1500);
  EXPECT_EQ(in_force({.weight_streaming_total = 400}), 400u);
  EXPECT_EQ(in_force({.weight_streaming_budget = 10}), 20u);
  const auto both =
      module({.weight_streaming_budget = 1, .weight_streaming_total = 1})->method()->prepare();
  ASSERT_FALSE(both.ok());
  EXPECT_THAT(both.error().message(), HasSubstr("are both there: give one"));
}

TEST_F(BudgetModuleTest, AutomaticOnesLeaveRoomForEachOther) {
  EXPECT_EQ(in_force(), 4000u);
  // TensorRT would choose all for each, and the second would find nothing left. Each engine has 256
  // bytes besides, and 100 are a context's.
  driver.memory = 2 * 256 + 100 + 2000;
  const auto loaded = module();
  const auto budget = loaded->method()->weight_streaming_budget();
  ASSERT_TRUE(budget.ok()) << budget.error().message();
  EXPECT_EQ(*budget, 2000u);
  EXPECT_EQ(tensorrt.budget, 1500);
}

TEST_F(BudgetModuleTest, ChangesBetweenRuns) {
  const auto loaded = module({.weight_streaming_total = 1000});
  const auto method = loaded->method();
  EXPECT_EQ(*method->set_weight_streaming_total(2000), 2000u) << "not prepared before";
  EXPECT_EQ(tensorrt.budget, 1500);
  EXPECT_TRUE(runs(*method));
  EXPECT_EQ(*method->set_weight_streaming_budget(1200), 2200u);
  EXPECT_TRUE(runs(*method));
  tensorrt.largest_budget = 2000;
  const auto more = method->set_weight_streaming_total(4000);
  ASSERT_FALSE(more.ok());
  EXPECT_THAT(more.error().message(),
              HasSubstr("the weight-streaming budget of 3000 bytes can't be had"));
  EXPECT_EQ(*method->weight_streaming_budget(), 2200u);
  EXPECT_TRUE(runs(*method));
}

TEST_F(BudgetModuleTest, IsOfOneMethodAlone) {
  const auto first = module({.weight_streaming_total = 1000});
  const auto second = module({.weight_streaming_total = 2000});
  EXPECT_EQ(*first->method()->weight_streaming_budget(), 1000u);
  EXPECT_EQ(*second->method()->set_weight_streaming_total(0), 0u);
  EXPECT_EQ(*first->method()->weight_streaming_budget(), 1000u);
}

TEST_F(BudgetModuleTest, ChangesInAProcessOfItsOwn) {
  const auto loaded = module({.isolate = true, .weight_streaming_total = 1000});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const auto method = loaded->method();
  EXPECT_EQ(*method->weight_streaming_budget(), 1000u);
  EXPECT_EQ(*method->set_weight_streaming_budget(500), 1000u);
  EXPECT_EQ(*method->set_weight_streaming_total(2000), 2000u);
  EXPECT_TRUE(runs(*method));
}

TEST_F(ModuleTest, WithoutWeightsToStreamThereIsNoBudget) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  const auto budget = loaded->method()->set_weight_streaming_total(1);
  ASSERT_FALSE(budget.ok());
  EXPECT_EQ(budget.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(budget.error().message(), HasSubstr("compile with the option 'weight_streaming'"));
}

TEST_F(ModuleTest, TheLoadersDeviceIsBeforeTheFiles) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto prepare = [&](const std::string& device, bool isolate = false) {
    const auto loaded = module({.isolate = isolate, .device = device});
    EXPECT_TRUE(loaded.ok());
    const Status prepared = loaded->method()->prepare();
    return prepared.ok() ? std::string() : prepared.error().message();
  };
  EXPECT_EQ(prepare("cuda:" + std::to_string(driver.devices - 1)), "");
  EXPECT_THAT(prepare("cuda:9"), HasSubstr("there is no cuda:9: this machine has cuda:0"));
  EXPECT_THAT(prepare("cuda:9", true), HasSubstr("there is no cuda:9"));
  EXPECT_THAT(prepare("gpu"),
              HasSubstr("the load option target_device is 'gpu', and must be such as "
                        "'cuda:0'"));
}

TEST_F(ModuleTest, OptionsThatNoEngineTakesAreAWarning) {
  auto b = p.build();
  p.output(b.relu(p.input("x", p.type({1, 3}))));
  std::vector<std::string> warnings;
  LoadOptions options = {.device = "cuda:0", .weight_streaming_total = 1};
  options.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  ASSERT_TRUE(module(options)->method()->prepare().ok());
  EXPECT_THAT(warnings,
              testing::ElementsAre("m.pte: option 'device' has no effect on forward, which has no "
                                   "engine that takes it",
                                   HasSubstr("option 'weight_streaming_total' has no effect")));
}

TEST_F(ModuleTest, AnEngineRunsAsACudaGraphWhereTheLoaderSaysSo) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto graphs = [&](const LoadOptions& options) {
    const auto loaded = module(options);
    EXPECT_TRUE(loaded.ok());
    const int before = driver.graphs;
    for (int i = 0; i < 3; ++i) {
      const auto outputs = loaded->method()->run({floats({1, 3}, Floats(3, 4))});
      EXPECT_TRUE(outputs.ok()) << outputs.error().message();
      EXPECT_EQ(to_floats((*outputs)[0]), Floats(3, 9));
    }
    return driver.graphs - before;
  };
  EXPECT_EQ(graphs({.cuda_graphs = true}), 1);
  EXPECT_EQ(graphs({}), 0);
  p.engines[0].record.compile_specs["use_cuda_graphs"] = "1";
  EXPECT_EQ(graphs({.cuda_graphs = false}), 0);
  EXPECT_EQ(graphs({.isolate = true, .cuda_graphs = true}), 0) << "not in this process";
}

TEST_F(ModuleTest, ARunInAThreadOfItsOwnHasItsCallersChoices) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  const std::vector<Value> inputs = {floats({1, 3}, {1, 2, 3})};
  {
    const cuda::ProfileGuard guard(-1);
    auto run = method->run_async(inputs);
    ASSERT_TRUE(run.ok()) << run.error().message();
    const auto outputs = run->wait();
    ASSERT_FALSE(outputs.ok());
    EXPECT_THAT(outputs.error().message(), HasSubstr("profile -1"));
  }
  auto run = method->run_async(inputs);
  ASSERT_TRUE(run.ok()) << run.error().message();
  const auto outputs = run->wait();
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), (Floats{3, 5, 7}));
}

TEST_F(ModuleTest, TheFilesEngineForThisGpuIsTaken) {
  use_version(kRtx);
  const auto plan = [](int capability, int a) {
    return stand_in_plan("input x float32 1 3\noutput y x " + std::to_string(a) + " 0\n",
                         capability);
  };
  const auto fill = [&](engine::Engine& engine, int capability, int a) {
    engine.record.target = "sm_" + std::to_string(capability);
    engine.bytes = own_bytes(plan(capability, a));
    engine.record.size = engine.bytes.bytes.size();
    engine.record.sha256 = sha256_hex(engine.bytes.bytes);
    engine.record.inputs[0].name = "x";
    engine.record.outputs[0].name = "y";
    engine.header = *kDescription.header(engine.record);
  };
  p.output(call(p.input("x", p.type({1, 3})), "1", 2, 1, "y"));
  engine::Engine& engine = p.engines[0];
  fill(engine, 75, 1);
  engine::Engine variant = engine;
  fill(variant, driver.capability, 3);
  engine.variants = {variant};
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const auto outputs = loaded->method()->run({floats({1, 3}, {1, 2, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), (Floats{3, 6, 9}));
}

TEST_F(ModuleTest, AModuleMayBeIsolated) {
  more_ = "streamable 4096\n";
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module({.isolate = true, .weight_streaming_budget = 3000});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const int before = tensorrt.runs;
  const auto outputs = loaded->method()->run({floats({1, 3}, {1, 2, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), (Floats{3, 5, 7}));
  EXPECT_EQ(tensorrt.runs, before) << "not in this process";
}

TEST_F(ModuleTest, WhatIsMissingIsSaidWhenTheMethodIsPrepared) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << "the file is read without an engine's library";
  ::setenv("SLIPWAY_CUDA_DRIVER", "libslipway_no_driver.so", 1);
  const Status prepared = loaded->method()->prepare();
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(prepared.error().message(), HasSubstr("NVIDIA's driver is not here"));
  cuda::use_stand_in_driver(SLIPWAY_TEST_DRIVERS);
  EXPECT_TRUE(loaded->method()->prepare().ok());
}

TEST_F(ModuleTest, AnotherVersionIsAWarning) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  use_version(kRtx);
  std::string warnings;
  LoadOptions options;
  options.on_warning = [&](const std::string& warning) { warnings += warning; };
  const auto loaded = module(options);
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE(loaded->method()->prepare().ok());
  EXPECT_THAT(warnings, HasSubstr("engine 0 of forward was built with tensorrt TensorRT 11.1.0, "
                                  "and here is TensorRT-RTX 1.7.1"));
}

TEST_F(ModuleTest, ADamagedEngineIsRefused) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  auto bytes = *p.emit_bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bytes[text.find("stand-in plan for")] ^= std::byte{1};
  const auto damaged = Module::load(std::move(bytes), "damaged.pte");
  ASSERT_TRUE(damaged.ok());
  const int before = tensorrt.deserialized;
  const Status prepared = damaged->method()->prepare();
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code(), ErrorCode::kInvalidFile);
  EXPECT_EQ(tensorrt.deserialized, before);
}

// Its SHA-256 is computed beside TensorRT's work then.
TEST_F(ModuleTest, APlanWithoutItsDigestIsRefusedUnderARightChecksum) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  engine::Engine& engine = p.engines[0];
  const auto loaded = module();
  ASSERT_TRUE(loaded->method()->prepare().ok());
  // Another plan of that size, which claims to be the one that is loaded already.
  std::string other(reinterpret_cast<const char*>(engine.bytes.bytes.data()),
                    engine.bytes.bytes.size());
  other[other.find(" 2.0")] = '\t';
  engine.bytes = own_bytes(other);
  const auto prepare = [&] {
    const Status prepared = module()->method()->prepare();
    return prepared.ok() ? std::string() : prepared.error().message();
  };
  EXPECT_THAT(prepare(), HasSubstr("its plan is damaged: it does not have the SHA-256"));
  engine.record.sha256 = std::string(64, '0');
  engine.header = *kDescription.header(engine.record);
  EXPECT_THAT(prepare(), HasSubstr("its plan is damaged: it does not have the SHA-256"));
  EXPECT_EQ(tensorrt.live_engines, 1) << "the one that is right";
}

TEST_F(ModuleTest, ALackOfMemoryIsOne) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  driver.memory = 100;
  const Status prepared = loaded->method()->prepare();
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_THAT(prepared.error().message(), HasSubstr("free=100, total=100"));
}

}  // namespace
}  // namespace slipway::tensorrt
