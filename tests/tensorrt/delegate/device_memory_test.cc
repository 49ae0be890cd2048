// Tensors and state of slipway::Module in the memory of devices.
#include <chrono>
#include <cstdlib>
#include <memory>

#include <executorch/runtime/core/device_allocator.h>

#include "pte/reader/program_test.h"
#include "runtime/sum_backend_test.h"
#include "tensorrt/delegate/module_test.h"

namespace slipway::tensorrt {
namespace {

using pte::floats;
using pte::to_floats;
using testing::HasSubstr;
using Floats = std::vector<float>;

Tensor on_device(DeviceFloats& memory, std::vector<int64_t> sizes, int device = 0) {
  const size_t nbytes = *contiguous_nbytes(DType::kFloat32, sizes);
  return *Tensor::borrow(memory.data(), nbytes, DType::kFloat32, std::move(sizes),
                         {Device::Type::kCuda, device});
}

std::string error_of(const Result<std::vector<Value>>& result) {
  return result.ok() ? "" : result.error().message();
}
std::string error_of(const Status& status) { return status.ok() ? "" : status.error().message(); }

class DeviceMemoryTest : public ModuleTest {
 protected:
  int copies() const { return driver.copies_to_device + driver.copies_to_host; }
};

TEST_F(DeviceMemoryTest, InputsAndOutputsAreUsedWhereTheyLie) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  DeviceFloats in(Floats(24, 3));
  DeviceFloats out(Floats(24, 0));
  const Tensor memory = on_device(out, {8, 3});
  const Status set = method->set_output(0, memory);
  ASSERT_TRUE(set.ok()) << set.error().message();
  for (const int64_t rows : {2, 8, 1}) {
    const int before = copies();
    const auto outputs = method->run({on_device(in, {rows, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(copies(), before);
    const auto& y = std::get<Tensor>((*outputs)[0]);
    EXPECT_EQ(y.data(), memory.data());
    EXPECT_EQ(y.device(), memory.device());
    EXPECT_EQ(y.sizes(), (std::vector<int64_t>{rows, 3}));
    EXPECT_TRUE(y.bytes().empty());
  }
  EXPECT_EQ(out.floats(), Floats(24, 7));
  EXPECT_EQ(tensorrt.first_address, reinterpret_cast<uint64_t>(in.data()));

  // Back to the module's memory.
  ASSERT_TRUE(method->set_output(0, std::nullopt).ok());
  const auto outputs = method->run({on_device(in, {2, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), Floats(6, 7));
}

TEST_F(DeviceMemoryTest, AMethodThatIsPreparedAnewHasItsMemory) {
  cache(10);
  p.output(call(p.input("x", p.type({1, 3})), "1", 2, 1, "y"));
  const auto loaded = module({.time_limit = std::chrono::minutes(10)});
  const auto method = loaded->method();
  DeviceFloats out(Floats(3, 0));
  ASSERT_TRUE(method->set_output(0, on_device(out, {1, 3})).ok());
  const std::vector<Value> inputs = {floats({1, 3}, {1, 2, 3})};
  ASSERT_TRUE(method->run(inputs).ok());
  tensorrt.refuses_run = true;
  EXPECT_FALSE(method->run(inputs).ok());
  tensorrt.refuses_run = false;
  const auto outputs = method->run({floats({1, 3}, {4, 5, 6})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(out.floats(), (Floats{9, 11, 13}));
  EXPECT_EQ(to_floats(method->state()->at(0).second), (Floats{11, 12, 13}));
}

TEST_F(DeviceMemoryTest, AnOutputIsAnInputOfTheNextModule) {
  p.output(call(p.input("x", p.type({1, 3})), "1", 2, 1, "y"));
  const auto first = module();
  const auto second = module();
  DeviceFloats between(Floats(3, 0));
  ASSERT_TRUE(first->method()->set_output(0, on_device(between, {1, 3})).ok());
  const auto outputs = first->method()->run({floats({1, 3}, {1, 2, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  const int before = copies();
  const auto results = second->method()->run(*outputs);
  ASSERT_TRUE(results.ok()) << results.error().message();
  EXPECT_EQ(to_floats((*results)[0]), (Floats{7, 11, 15}));
  EXPECT_EQ(copies(), before + 1) << "the result";
}

TEST_F(DeviceMemoryTest, WhatAKernelWouldReadIsRefused) {
  auto b = p.build();
  ir::Value* const x = p.input("x", p.type({1, 3}));
  ir::Value* const y = call(x, "1", 2, 1, "y");
  p.output(b.relu(y));
  p.output(b.relu(x));
  p.output(call(p.input("z", p.type({1, 3})), "1", 3, 0, "w"));
  const auto loaded = module();
  const auto method = loaded->method();
  DeviceFloats memory({-1, 2, 3});
  DeviceFloats more({4, 5, 6});
  const Tensor host = floats({1, 3}, {-1, 2, 3});
  EXPECT_THAT(error_of(method->run({on_device(memory, {1, 3}), host})),
              HasSubstr("input 0 'x' is in the memory of cuda:0, and aten::relu.out at "
                        "instruction"));
  EXPECT_THAT(error_of(method->set_output(0, on_device(more, {1, 3}))),
              HasSubstr("can't be in the memory of cuda:0: aten::relu.out at instruction"));
  ASSERT_TRUE(method->set_output(2, on_device(more, {1, 3})).ok());
  const auto outputs = method->run({host, on_device(memory, {1, 3})});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(to_floats((*outputs)[0]), (Floats{0, 5, 7}));
  EXPECT_EQ(more.floats(), (Floats{-3, 6, 9}));
}

TEST_F(DeviceMemoryTest, WhatMayBeThereIsTold) {
  auto b = p.build();
  ir::Value* const x = p.input("x", p.type({1, 3}));
  ir::Value* const y = call(x, "1", 2, 1, "y");
  p.output(b.relu(x));
  p.output(y);
  p.output(call(p.input("z", p.type({1, 3})), "1", 3, 0, "w"));
  p.output(p.input("unused", p.type({1, 3})));
  const Device gpu = {Device::Type::kCuda, 1};
  for (const bool isolate : {false, true}) {
    const auto loaded = module({.isolate = isolate, .device = "cuda:1"});
    const auto method = loaded->method();
    const auto there = isolate ? Device() : gpu;
    EXPECT_EQ(*method->input_device(0), Device()) << "a kernel reads it";
    EXPECT_EQ(*method->input_device(1), there);
    EXPECT_EQ(*method->input_device(2), Device());
    EXPECT_EQ(*method->output_device(0), Device());
    EXPECT_EQ(*method->output_device(1), there);
    EXPECT_EQ(*method->output_device(2), there);
    EXPECT_EQ(*method->output_device(3), Device()) << "it is an input";
    EXPECT_THAT(method->input_device(3).error().message(), HasSubstr("3 inputs, and none 3"));
    EXPECT_THAT(method->output_device(4).error().message(), HasSubstr("4 outputs, and none 4"));
  }
}

TEST_F(DeviceMemoryTest, AnEngineOfTheProcessorIsNotGivenIt) {
  runtime::SumBackend::get();
  ir::Value* const x = p.input("x", p.type({1, 3}));
  p.output(p.call_sum({x}, {p.type({1, 3})}, "sum")->output());
  p.output(call(x, "1", 2, 1, "y"));
  const auto loaded = module();
  DeviceFloats memory({1, 2, 3});
  EXPECT_THAT(error_of(loaded->method()->run({on_device(memory, {1, 3})})),
              HasSubstr("and an engine of SumBackend at instruction 0 uses it in the host's"));
  EXPECT_THAT(error_of(loaded->method()->set_output(0, on_device(memory, {1, 3}))),
              HasSubstr("an engine of SumBackend"));
}

TEST_F(DeviceMemoryTest, MemoryThatDoesNotFitIsRefused) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  DeviceFloats memory(Floats(24, 1));
  EXPECT_THAT(error_of(method->set_output(0, on_device(memory, {7, 3}))),
              HasSubstr("output 0 'y' needs memory of float32 with 96 bytes, and float32[7, 3] on "
                        "cuda:0 is given"));
  EXPECT_THAT(error_of(method->set_output(1, std::nullopt)),
              HasSubstr("forward has 1 outputs, and none 1"));
  ASSERT_TRUE(method->set_output(0, on_device(memory, {8, 3})).ok());
  EXPECT_THAT(error_of(method->run({on_device(memory, {1, 3})})),
              HasSubstr("input 0 'x' is in the memory that an output is written to"));
  if (driver.devices < 2) return;
  DeviceFloats elsewhere(Floats(24, 1), 1);
  EXPECT_THAT(error_of(method->run({on_device(elsewhere, {1, 3}, 1)})),
              HasSubstr("input 0 is on cuda:1, and the engine on cuda:0"));
}

TEST_F(DeviceMemoryTest, AnOutputIsNotPutIntoTheModulesMemory) {
  p.output(call(p.input("x", p.type({1, 3})), "1", 2, 1, "y"));
  p.output(call(p.input("z", p.type({1, 3})), "1", 3, 0, "w"));
  const auto loaded = module();
  const auto method = loaded->method();
  const Tensor host = floats({1, 3}, {1, 2, 3});
  const auto outputs = method->run({host, host});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_THAT(error_of(method->set_output(0, std::get<Tensor>((*outputs)[1]))),
              HasSubstr("can't be in memory that the module has for other things"));
  Tensor own = floats({1, 3}, {0, 0, 0});
  ASSERT_TRUE(method->set_output(0, own).ok());
  EXPECT_THAT(error_of(method->set_output(1, own)),
              HasSubstr("can't be in the memory of output 0"));
  ASSERT_TRUE(method->run({host, host}).ok());
  EXPECT_EQ(to_floats(own), (Floats{3, 5, 7}));
}

TEST_F(DeviceMemoryTest, AnIsolatedModuleHasOtherMemory) {
  p.output(call(dynamic_input(), "1..8", 2, 1, "y"));
  const auto loaded = module({.isolate = true});
  DeviceFloats memory(Floats(24, 1));
  EXPECT_THAT(error_of(loaded->method()->run({on_device(memory, {1, 3})})),
              HasSubstr("load it without option 'isolate'"));
  EXPECT_THAT(error_of(loaded->method()->set_output(0, on_device(memory, {8, 3}))),
              HasSubstr("load it without option 'isolate'"));
}

// Once a run has brought it there.
TEST_F(DeviceMemoryTest, StateThatEnginesAloneUseStaysOnTheDevice) {
  cache(10);
  p.output(call(p.input("x", p.type({1, 3})), "1", 2, 0, "y"));
  const auto loaded = module();
  const auto method = loaded->method();
  DeviceFloats in({1, 2, 3});
  DeviceFloats out({0, 0, 0});
  ASSERT_TRUE(method->set_output(0, on_device(out, {1, 3})).ok());
  const std::vector<Value> inputs = {on_device(in, {1, 3})};
  const auto run = [&] {
    const int before = copies();
    const auto outputs = method->run(inputs);
    EXPECT_TRUE(outputs.ok()) << outputs.error().message();
    return copies() - before;
  };
  const auto state = [&] { return to_floats(method->state()->at(0).second); };
  EXPECT_EQ(run(), 1) << "its initial value";
  for (int step = 0; step < 10; ++step) EXPECT_EQ(run(), 0);
  EXPECT_EQ(state(), (Floats{111, 112, 113}));
  EXPECT_EQ(state(), (Floats{111, 112, 113}));
  EXPECT_EQ(run(), 1) << "somebody may have written to it";
  EXPECT_EQ(run(), 0);

  Tensor given = method->state()->at(0).second;
  std::fill_n(given.data_as<float>(), 3, 5.0F);
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(state(), Floats(3, 25));

  EXPECT_EQ(run(), 1);
  const int before = driver.copies_to_host;
  ASSERT_TRUE(method->reset_state().ok());
  EXPECT_EQ(driver.copies_to_host, before);
  EXPECT_EQ(state(), (Floats{1, 2, 3}));
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(state(), (Floats{11, 12, 13}));
}

TEST_F(DeviceMemoryTest, StateThatCannotBeReadIsResetAllTheSame) {
  cache(10);
  const auto loaded = module();
  const auto method = loaded->method();
  ASSERT_TRUE(method->run(std::vector<Value>()).ok());
  driver.work_error = 719;  // CUDA_ERROR_LAUNCH_FAILED
  const auto state = method->state();
  driver.work_error = 0;
  ASSERT_FALSE(state.ok());
  EXPECT_THAT(state.error().message(), HasSubstr("the state does not come from its device"));
  EXPECT_EQ(to_floats(method->state()->at(0).second), (Floats{11, 12, 13})) << "it is still there";
  driver.work_error = 719;  // CUDA_ERROR_LAUNCH_FAILED
  EXPECT_FALSE(method->run(std::vector<Value>()).ok());
  driver.work_error = 0;
  ASSERT_TRUE(method->reset_state().ok());
  ASSERT_TRUE(method->run(std::vector<Value>()).ok());
  EXPECT_EQ(to_floats(method->state()->at(0).second), (Floats{11, 12, 13}));
}

TEST_F(DeviceMemoryTest, TwoEnginesShareTheirState) {
  cache_of_two_engines();
  const auto loaded = module();
  const auto method = loaded->method();
  for (int step = 0; step < 3; ++step) {
    const int before = driver.copies_to_device;
    const auto outputs = method->run(std::vector<Value>());
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    const auto add = static_cast<float>(step) * 1000;
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{100 + add, 200 + add, 300 + add}));
    EXPECT_EQ(driver.copies_to_device, before + (step == 0 ? 1 : 0));
  }
}

TEST_F(DeviceMemoryTest, StateThatAKernelReadsStaysOnTheHost) {
  auto b = p.build();
  ir::Value* const updated = cache(10);
  p.output(b.relu(updated));
  const auto loaded = module();
  const auto method = loaded->method();
  for (const float add : {10.0F, 20.0F}) {
    const auto outputs = method->run(std::vector<Value>());
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{1 + add, 2 + add, 3 + add}));
    EXPECT_EQ(to_floats(method->state()->at(0).second), (Floats{1 + add, 2 + add, 3 + add}));
  }
}

TEST_F(DeviceMemoryTest, WithoutRoomStateStaysOnTheHost) {
  cache(10);
  std::string warnings;
  LoadOptions options;
  options.on_warning = [&](const std::string& warning) { warnings += warning; };
  {
    const auto with_room = module();
    ASSERT_TRUE(with_room->method()->prepare().ok());
    driver.memory = driver.used - 1;  // one byte less than the state's and the engine's
  }
  const auto loaded = module(options);
  const Status prepared = loaded->method()->prepare();
  ASSERT_TRUE(prepared.ok()) << prepared.error().message();
  EXPECT_THAT(warnings, HasSubstr("forward of m.pte: cache stays on the host, and is copied at "
                                  "every run: CUDA memory: no memory of 12 bytes"));
  driver.memory = size_t{1} << 30;
  ASSERT_TRUE(loaded->method()->run(std::vector<Value>()).ok());
  EXPECT_EQ(to_floats(loaded->method()->state()->at(0).second), (Floats{11, 12, 13}));
}

TEST_F(DeviceMemoryTest, StateIsOnTheDeviceOfItsEngines) {
  if (driver.devices < 2) GTEST_SKIP() << "it needs two GPUs";
  cache(10);
  const auto loaded = module({.device = "cuda:1"});
  for (int step = 1; step <= 2; ++step) {
    const auto outputs = loaded->method()->run(std::vector<Value>());
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  }
  EXPECT_EQ(to_floats(loaded->method()->state()->at(0).second), (Floats{21, 22, 23}));
}

TEST_F(DeviceMemoryTest, StateOfAnIsolatedModuleIsSeenHere) {
  cache(10);
  const auto loaded = module({.isolate = true});
  const auto method = loaded->method();
  for (const float add : {10.0F, 20.0F, 30.0F}) {
    const auto outputs = method->run(std::vector<Value>());
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats(method->state()->at(0).second), (Floats{1 + add, 2 + add, 3 + add}));
  }
}

// As ExecuTorch's exporter writes programs with engines of Torch-TensorRT: their tensors are
// planned on the device, with copies between the two memories.
class PlannedThereTest : public DelegateTest {
 protected:
  static Metadata metadata() {
    Metadata metadata;
    metadata.io_bindings = {{"x", "float32", {3}, true},
                            {"cache", "float32", {3}, true},
                            {"written", "float32", {3}, false},
                            {"y", "float32", {3}, false}};
    metadata.aliased_io = {{"written", "cache", "kv_cache_update"}};
    return metadata;
  }
  // y = 2x + 1, and a cache that is 10 more after each run.
  static Result<Module> module(bool ends_on_device = false, const LoadOptions& options = {}) {
    pte::TestProgram p;
    p.memories = {0, 64, 1024};
    p.device_memories = {{2, 0}};
    pte::TestTensor here;
    here.sizes = {3};
    here.name = "";
    pte::TestTensor there = here;
    there.memory_id = 2;
    there.device = 1;
    const auto planned = [&](uint64_t at, const char* name) {
      there.planned_at = at;
      there.name = name;
      return p.tensor(there);
    };
    const int32_t x = p.tensor(here);
    const int32_t x_there = planned(0, "");
    const int32_t cache = planned(256, "cache");
    const int32_t y_there = planned(512, "");
    p.delegate(kBackend, executorch_flatbuffer::DataLocation::SEGMENT,
               p.segment(blob_of(metadata(), stand_in_plan("input x float32 3\n"
                                                           "input cache float32 3\n"
                                                           "output written cache 1 10\n"
                                                           "output y x 2 1\n"))));
    p.constants(0, {0});  // none: ExecuTorch wants the list
    p.kernel("et_copy::_h2d_copy", "out", {x, x_there, x_there});
    p.call_delegate(0, {x_there, cache, y_there});
    p.inputs = {x};
    p.outputs = {y_there};
    if (!ends_on_device) {
      const int32_t y = p.tensor(here);
      p.kernel("et_copy::_d2h_copy", "out", {y_there, y, y});
      p.outputs = {y};
    }
    return Module::load(p.build(), "foreign.pte", options);
  }
};

TEST_F(PlannedThereTest, AProgramRunsWithItsCopies) {
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  const auto method = loaded->method();
  for (const float step : {10.0F, 20.0F, 30.0F}) {
    const auto outputs = method->run({floats({3}, {step, 2, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{2 * step + 1, 5, 7}));
    EXPECT_EQ(to_floats(method->state()->at(0).second), Floats(3, step));
  }
  Tensor cache = method->state()->at(0).second;
  std::fill_n(cache.data_as<float>(), 3, 5.0F);
  ASSERT_TRUE(method->run({floats({3}, {1, 2, 3})}).ok());
  EXPECT_EQ(to_floats(method->state()->at(0).second), Floats(3, 15));
  ASSERT_TRUE(method->reset_state().ok());
  EXPECT_EQ(to_floats(method->state()->at(0).second), Floats(3, 0));

  DeviceFloats there({1, 2, 3});
  EXPECT_THAT(error_of(method->run({on_device(there, {3})})),
              HasSubstr("et_copy::_h2d_copy.out at instruction 0 uses it in the host's"));
}

TEST_F(PlannedThereTest, OutputsThatArePlannedThereAreCopied) {
  for (const bool isolate : {false, true}) {
    const auto loaded = module(true, {.isolate = isolate});
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    const auto outputs = loaded->method()->run({floats({3}, {1, 2, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(format_value_type((*outputs)[0]), "float32[3]");
    EXPECT_EQ(to_floats((*outputs)[0]), (Floats{3, 5, 7}));
  }
}

// y = 2x + 1, given twice.
class GivenTwiceTest : public DelegateTest {
 protected:
  static Result<Module> module(const pte::TestTensor& output, int calls) {
    Metadata metadata;
    metadata.io_bindings = {{"x", "float32", {3}, true}, {"y", "float32", {3}, false}};
    pte::TestProgram p;
    const int32_t x = p.tensor(tensor(false));
    int32_t y = 0;
    const std::string plan = stand_in_plan("input x float32 3\noutput y x 2 1\n");
    p.delegate(kBackend, executorch_flatbuffer::DataLocation::SEGMENT,
               p.segment(blob_of(metadata, plan)));
    p.constants(0, {0});
    for (int i = 0; i < calls; ++i) {
      y = p.tensor(output);
      p.call_delegate(0, {x, y});
    }
    p.inputs = {x};
    p.outputs = {y, y};
    return Module::load(p.build(), "foreign.pte");
  }
  static pte::TestTensor tensor(bool is_planned) {
    pte::TestTensor tensor;
    tensor.sizes = {3};
    tensor.name = "";
    if (is_planned) tensor.planned_at = 0;
    return tensor;
  }
};

TEST_F(GivenTwiceTest, BothAreInOneMemory) {
  for (const bool is_planned : {false, true}) {
    const auto loaded = module(tensor(is_planned), 1);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    const auto method = loaded->method();
    DeviceFloats memory({0, 0, 0});
    EXPECT_EQ(error_of(method->set_output(0, on_device(memory, {3}))), "");
    EXPECT_THAT(error_of(method->set_output(1, on_device(memory, {3}))),
                HasSubstr("an earlier output"));
    const auto outputs = method->run({floats({3}, {1, 2, 3})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    for (const Value& output : *outputs) {
      EXPECT_EQ(format_value_type(output), "float32[3] on cuda:0");
      EXPECT_EQ(std::get<Tensor>(output).data(), memory.data());
    }
    EXPECT_EQ(memory.floats(), (Floats{3, 5, 7}));
  }
}

// Another tensor may be a view of it.
TEST_F(GivenTwiceTest, NotWhereOtherTensorsAre) {
  const auto loaded = module(tensor(true), 2);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  DeviceFloats memory({0, 0, 0});
  EXPECT_THAT(error_of(loaded->method()->set_output(0, on_device(memory, {3}))),
              HasSubstr("shares its memory with other tensors of the program"));
}

// One that another library registers with ExecuTorch, which can't be undone: in a process of its
// own.
class OtherAllocator final : public et::DeviceAllocator {
 public:
  static OtherAllocator& get() {
    // Never destroyed: the driver that what it holds is of ends before it would be.
    static auto* const allocator = new OtherAllocator;
    return *allocator;
  }
  std::vector<std::unique_ptr<DeviceFloats>> given;

  et::Result<void*> allocate(size_t nbytes, et::etensor::DeviceIndex, size_t) override {
    given.push_back(std::make_unique<DeviceFloats>(Floats(nbytes / 4, 0)));
    return given.back()->data();
  }
  void deallocate(void* data, et::etensor::DeviceIndex) override {
    std::erase_if(given, [&](const auto& memory) { return memory->data() == data; });
  }
  et::Error copy_host_to_device(void* to, const void* from, size_t nbytes,
                                et::etensor::DeviceIndex) override {
    const auto device = *cuda::Device::open(0);
    const auto current = device->make_current();
    const auto stream = *cuda::Stream::create(device);
    cuda::PinnedBuffer pinned(device);
    if (!pinned.reserve(nbytes).ok()) return et::Error::Internal;
    std::memcpy(pinned.data(), from, nbytes);
    device->driver().call().copy_to_device(reinterpret_cast<cuda::Address>(to), pinned.data(),
                                           nbytes, stream.handle());
    return stream.wait().ok() ? et::Error::Ok : et::Error::Internal;
  }
  et::Error copy_device_to_host(void* to, const void* from, size_t nbytes,
                                et::etensor::DeviceIndex) override {
    const auto device = *cuda::Device::open(0);
    const auto current = device->make_current();
    const auto stream = *cuda::Stream::create(device);
    cuda::PinnedBuffer pinned(device);
    if (!pinned.reserve(nbytes).ok()) return et::Error::Internal;
    device->driver().call().copy_to_host(pinned.data(), reinterpret_cast<cuda::Address>(from),
                                         nbytes, stream.handle());
    if (!stream.wait().ok()) return et::Error::Internal;
    std::memcpy(to, pinned.data(), nbytes);
    return et::Error::Ok;
  }
  et::etensor::DeviceType device_type() const override { return et::etensor::DeviceType::CUDA; }
};

TEST_F(PlannedThereTest, AnAllocatorThatIsThereIsUsed) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto run = [] {
    et::register_device_allocator(&OtherAllocator::get());
    const auto loaded = module();
    if (!loaded.ok() || !loaded->method()->prepare().ok()) std::exit(1);
    if (OtherAllocator::get().given.size() != 1) std::exit(2);
    const auto outputs = loaded->method()->run({floats({3}, {1, 2, 3})});
    if (!outputs.ok()) std::exit(3);
    std::exit(to_floats((*outputs)[0]) == Floats{3, 5, 7} ? 0 : 4);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

TEST_F(PlannedThereTest, ADeviceWithoutRoomIsAnError) {
  const auto loaded = module();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  driver.memory = 1000;
  const Status prepared = loaded->method()->prepare();
  EXPECT_THAT(error_of(prepared),
              HasSubstr("planned memory of forward of foreign.pte: CUDA memory: "
                        "no memory of 1024 bytes for cuda:0"));
}

}  // namespace
}  // namespace slipway::tensorrt
