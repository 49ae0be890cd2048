#include "slipway/module.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace slipway {
namespace {

std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/" + name;
}

std::vector<std::byte> read_bytes(const std::string& name) {
  std::ifstream stream(data_path(name), std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

Method load(const std::string& name) {
  auto module = Module::load(data_path(name));
  if (!module.ok()) {
    ADD_FAILURE() << module.error().message();
    std::abort();
  }
  return *module->method();
}

Tensor floats(std::vector<int64_t> sizes, const std::vector<float>& values) {
  Tensor tensor = *Tensor::zeros(DType::kFloat32, std::move(sizes));
  EXPECT_EQ(static_cast<size_t>(tensor.numel()), values.size());
  std::copy(values.begin(), values.end(), tensor.data_as<float>());
  return tensor;
}

std::vector<float> values_of(const Value& value) {
  const auto* tensor = std::get_if<Tensor>(&value);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return {};
  return {tensor->data_as<float>(), tensor->data_as<float>() + tensor->numel()};
}

template <class T>
std::string message_of(const Result<T>& result) {
  return result.ok() ? "" : result.error().message();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Every place where the bytes of `from` occur.
std::vector<std::byte> replaced(std::vector<std::byte> bytes, const std::string& from,
                                const std::string& to) {
  EXPECT_EQ(from.size(), to.size());
  for (size_t i = 0; i + from.size() <= bytes.size(); ++i) {
    if (std::memcmp(bytes.data() + i, from.data(), from.size()) == 0) {
      std::memcpy(bytes.data() + i, to.data(), to.size());
    }
  }
  return bytes;
}

TEST(Module, RunsWithBoundAndWithPlannedInputsAndOutputs) {
  for (const char* name : {"runtime/add.pte", "runtime/planned.pte"}) {
    const Method method = load(name);
    const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
    const Tensor y = floats({2, 3}, {10, 20, 30, 40, 50, 60});
    for (int repeat = 0; repeat < 3; ++repeat) {
      auto outputs = method.run({x, y});
      ASSERT_TRUE(outputs.ok()) << name << ": " << message_of(outputs);
      ASSERT_EQ(outputs->size(), 2u);
      EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{11, 22, 33, 44, 55, 66}));
      EXPECT_EQ(values_of((*outputs)[1]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
    }
  }
}

TEST(Module, ACopyOfTheFileOutlivesWhatHappensToIt) {
  const std::string path = testing::TempDir() + "module_test_copy.pte";
  const auto bytes = read_bytes("runtime/add.pte");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  auto module = Module::load(path, {.copy = true});
  ASSERT_TRUE(module.ok()) << message_of(module);
  std::ofstream(path, std::ios::trunc).close();  // a mapping would end the process here
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  auto outputs = module->method()->run({x, x});
  ASSERT_TRUE(outputs.ok()) << message_of(outputs);
  EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  EXPECT_FALSE(Module::load(path, {.copy = true}).ok());
  EXPECT_EQ(Module::load("/nowhere.pte", {.copy = true}).error().code(), ErrorCode::kNotFound);
  std::remove(path.c_str());
}

TEST(Module, ARunPastItsTimeIsStopped) {
  auto module =
      Module::load(data_path("runtime/add.pte"), {.time_limit = std::chrono::milliseconds(0)});
  ASSERT_TRUE(module.ok());
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto late = module->method()->run({x, x});
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code(), ErrorCode::kResourceExhausted);
    EXPECT_TRUE(contains(message_of(late), "was stopped after 0 ms")) << message_of(late);
  }
  auto unhurried =
      Module::load(data_path("runtime/add.pte"), {.time_limit = std::chrono::hours(1)});
  EXPECT_TRUE(unhurried->method()->run({x, x}).ok());
}

std::string memory_problem(const std::string& name, uint64_t limit, bool isolate) {
  LoadOptions options;
  options.memory_limit = limit;
  options.isolate = isolate;
  auto module = Module::load(data_path(name), options);
  if (!module.ok()) return module.error().message();
  const Status loaded = module->method()->prepare();
  if (loaded.ok()) return "";
  EXPECT_EQ(loaded.error().code(), ErrorCode::kResourceExhausted);
  return loaded.error().message();
}

TEST(Module, AsksForNoMoreMemoryThanIsAllowed) {
  for (const bool isolate : {false, true}) {
    // Outputs that are bound, and that are planned.
    for (const char* name : {"runtime/add.pte", "runtime/planned.pte"}) {
      EXPECT_TRUE(
          contains(memory_problem(name, 0, isolate), "raise the limit (option 'memory_limit'"))
          << name;
      EXPECT_EQ(memory_problem(name, 1 << 20, isolate), "");
    }
    // 392 bytes, with four outputs of 4 GiB: each would be within the limit.
    EXPECT_TRUE(
        contains(memory_problem("hostile/outputs_16_gib.pte", uint64_t{15} << 30, isolate),
                 "asks for 16384 MiB of memory for its tensors, and 15360 MiB are allowed"));
  }
}

TEST(Module, OutputsThatAreNotPlannedKeepTheirAddress) {
  const Method method = load("runtime/add.pte");
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  auto first = method.run({x, x});
  ASSERT_TRUE(first.ok());
  const void* address = std::get<Tensor>((*first)[0]).data();
  auto second = method.run({x, x});
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(std::get<Tensor>((*second)[0]).data(), address);
}

TEST(Module, DescribesInputsOfFilesWithoutManifest) {
  const Method method = load("runtime/literals.pte");
  EXPECT_EQ(method.name(), "forward");
  std::vector<std::string> types;
  types.reserve(method.inputs().size());
  for (const ValueInfo& info : method.inputs()) {
    types.push_back(fmt::format("{}: {}", info.name, info.type_text()));
  }
  EXPECT_EQ(types,
            (std::vector<std::string>{"input0: float32[2]", "input1: int 3", "input2: float 1.5",
                                      "input3: bool true", "input4: None", "input5: None"}));
  EXPECT_EQ(method.input_tree().leaf_count(), 6);
}

TEST(Module, LiteralsMayBeLeftOutOrGivenAsExported) {
  const Method method = load("runtime/literals.pte");
  const Tensor x = floats({2}, {1, 2});
  for (const bool given : {false, true}) {
    std::vector<Value> inputs(6);
    inputs[0] = x;
    if (given) {
      inputs[1] = int64_t{3};
      inputs[2] = 1.5;
      inputs[3] = true;
    }
    auto outputs = method.run(inputs);
    ASSERT_TRUE(outputs.ok()) << message_of(outputs);
    EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{4.5, 7.5}));
    EXPECT_EQ(std::get<int64_t>((*outputs)[1]), 3);
    EXPECT_TRUE(std::holds_alternative<std::monostate>((*outputs)[2]));
  }
  auto wrong = method.run(std::map<std::string, Value>{{"input0", x}, {"input1", int64_t{4}}});
  EXPECT_TRUE(contains(message_of(wrong), "input 1 'input1': expected int 3, got int 4"))
      << message_of(wrong);
}

TEST(Module, RunsByName) {
  const Method method = load("runtime/add.pte");
  const std::map<std::string, Value> inputs = {{"input1", floats({2, 3}, {1, 1, 1, 1, 1, 1})},
                                               {"input0", floats({2, 3}, {0, 1, 2, 3, 4, 5})}};
  auto outputs = method.run(inputs);
  ASSERT_TRUE(outputs.ok()) << message_of(outputs);
  EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  auto unknown = method.run(std::map<std::string, Value>{{"z", int64_t{1}}});
  EXPECT_TRUE(contains(message_of(unknown), "no input 'z'")) << message_of(unknown);
}

TEST(Module, ChecksInputsBeforeRunning) {
  const Method method = load("runtime/add_dynamic.pte");
  const auto run = [&](std::vector<Value> inputs) { return message_of(method.run(inputs)); };
  const Tensor x = floats({2, 3}, std::vector<float>(6));
  EXPECT_EQ(run({x}),
            "forward of " + data_path("runtime/add_dynamic.pte") + ": 1 inputs are given for 2");
  EXPECT_TRUE(
      contains(run({x, floats({9, 3}, std::vector<float>(27))}),
               "input 1 'input1': expected float32[? in 0..8, ? in 0..3], got float32[9, 3]"))
      << run({x, floats({9, 3}, std::vector<float>(27))});
  EXPECT_TRUE(contains(run({x, *Tensor::zeros(DType::kInt64, {2, 3})}), "got int64[2, 3]"));
  EXPECT_TRUE(contains(run({x, floats({6}, std::vector<float>(6))}), "got float32[6]"));
  EXPECT_TRUE(contains(run({std::monostate(), x}), "got None"));
  std::vector<float> storage(7);
  auto* odd = reinterpret_cast<std::byte*>(storage.data()) + 1;
  EXPECT_TRUE(
      contains(run({x, *Tensor::borrow(odd, 24, DType::kFloat32, {2, 3})}), "not a multiple of 4"));
  EXPECT_EQ(run({x, x}), "");
}

TEST(Module, AnOutputMayBeTheNextInput) {
  for (const char* name : {"runtime/add.pte", "runtime/planned.pte"}) {
    const Method method = load(name);
    const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
    auto outputs = method.run({x, x});
    ASSERT_TRUE(outputs.ok()) << message_of(outputs);
    outputs = method.run(*outputs);
    ASSERT_TRUE(outputs.ok()) << message_of(outputs);
    EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{4, 8, 12, 16, 20, 24})) << name;
    EXPECT_EQ(values_of((*outputs)[1]), (std::vector<float>{4, 8, 12, 16, 20, 24})) << name;
  }
}

TEST(Module, EchoedOutputsMayBeTheNextInput) {
  const Method method = load("runtime/echo.pte");
  std::vector<Value> values = {floats({2}, {1, 2})};
  for (int repeat = 0; repeat < 3; ++repeat) {
    auto outputs = method.run({values[0]});
    ASSERT_TRUE(outputs.ok()) << message_of(outputs);
    EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{1, 2}));
    EXPECT_EQ(values_of((*outputs)[1]), (std::vector<float>{2, 3}));
    values = *outputs;
  }
}

TEST(Module, AModuleThatWasMovedFromGivesErrors) {
  Module module = *Module::load(data_path("runtime/add.pte"));
  const Module taken = std::move(module);
  EXPECT_EQ(taken.method_names().size(), 1u);
  // NOLINTBEGIN(bugprone-use-after-move)
  EXPECT_TRUE(module.method_names().empty());
  EXPECT_TRUE(contains(message_of(module.method()), "was moved from"));
  EXPECT_TRUE(contains(message_of(module.method("forward")), "was moved from"));
  // NOLINTEND(bugprone-use-after-move)
}

TEST(Module, AMethodOutlivesItsModuleAndIsSharedByItsCopies) {
  std::optional<Module> module = *Module::load(data_path("runtime/counter.pte"));
  Method method = *module->method();
  const Method copy = *module->method("forward");
  const Module moved = std::move(*module);
  module.reset();
  const Tensor one = floats({2}, {1, 2});
  ASSERT_TRUE(method.run({one}).ok());
  EXPECT_EQ(values_of((*copy.state())[0].second), (std::vector<float>{6, 7}));
  const Method taken = std::move(method);
  EXPECT_EQ(method.name(), "forward");  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(values_of((*taken.run({one}))[0]), (std::vector<float>{21, 27}));
}

TEST(Module, RunsEverySizeWithinTheBounds) {
  const Method method = load("runtime/add_dynamic.pte");
  for (const int64_t rows : {8, 1, 5, 0, 8}) {
    const Tensor x = floats({rows, 3}, std::vector<float>(static_cast<size_t>(3 * rows), 1.5f));
    auto outputs = method.run({x, x});
    ASSERT_TRUE(outputs.ok()) << message_of(outputs);
    const Tensor& sum = std::get<Tensor>((*outputs)[0]);
    EXPECT_EQ(sum.sizes(), (std::vector<int64_t>{rows, 3}));
    EXPECT_EQ(values_of(sum), std::vector<float>(static_cast<size_t>(3 * rows), 3.0f));
  }
}

TEST(Module, AFailingRunGivesTheReasonAndLeavesTheModuleUsable) {
  const Method method = load("runtime/rows.pte");
  Tensor indices = *Tensor::zeros(DType::kInt64, {2});
  const Tensor table = floats({3, 2}, {1, 2, 3, 4, -5, 6});
  indices.data_as<int64_t>()[1] = 7;
  auto failed = method.run({indices, table});
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(contains(message_of(failed), "rows.pte failed at instruction 0, aten::embedding.out"))
      << message_of(failed);
  indices.data_as<int64_t>()[1] = 2;
  auto outputs = method.run({indices, table});
  ASSERT_TRUE(outputs.ok()) << message_of(outputs);
  EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{1, 2, -5, 6}));
}

TEST(Module, OutputsThatAreInputsOutliveThem) {
  const Method method = load("runtime/echo.pte");
  auto outputs = method.run({floats({2}, {1, 2})});
  ASSERT_TRUE(outputs.ok()) << message_of(outputs);
  EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{1, 2}));
  EXPECT_EQ(values_of((*outputs)[1]), (std::vector<float>{2, 3}));
  EXPECT_EQ(values_of((*outputs)[2]), (std::vector<float>{1, 2}));
}

TEST(Module, KeepsSetsAndResetsState) {
  const Method method = load("runtime/counter.pte");
  auto initial = method.state();
  ASSERT_TRUE(initial.ok()) << message_of(initial);
  ASSERT_EQ(initial->size(), 1u);
  EXPECT_EQ((*initial)[0].first, "count");
  EXPECT_EQ(values_of((*initial)[0].second), (std::vector<float>{5, 5}));

  const Tensor one = floats({2}, {1, 2});
  ASSERT_TRUE(method.run({one}).ok());
  auto outputs = method.run({one});
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{21, 27}));
  EXPECT_EQ(values_of((*method.state())[0].second), (std::vector<float>{7, 9}));

  auto state = method.state();
  (*state)[0].second.data_as<float>()[0] = 100;
  EXPECT_EQ(values_of((*method.run({one}))[0]), (std::vector<float>{303, 33}));

  ASSERT_TRUE(method.reset_state().ok());
  EXPECT_EQ(values_of((*method.state())[0].second), (std::vector<float>{5, 5}));
  EXPECT_EQ(values_of((*method.run({one}))[0]), (std::vector<float>{18, 21}));
}

TEST(Module, OpensTheLibraryOfABackendWhenAFileNamesIt) {
  const Method method = load("pte/xnnpack.pte");
  auto outputs = method.run({floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})});
  ASSERT_TRUE(outputs.ok()) << message_of(outputs);
  EXPECT_EQ(std::get<Tensor>((*outputs)[0]).sizes(), (std::vector<int64_t>{2, 2}));
}

TEST(Module, NamesTheBackendThatIsMissing) {
  const auto bytes = read_bytes("pte/xnnpack.pte");
  auto unknown = Module::load(replaced(bytes, "XnnpackBackend", "MysteryBackend"), "m.pte");
  ASSERT_TRUE(unknown.ok()) << message_of(unknown);
  auto prepared = unknown->method()->prepare();
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(contains(prepared.error().message(), "forward of m.pte: backend 'MysteryBackend'"))
      << prepared.error().message();
}

TEST(Module, NamesEveryOperatorWithoutAKernel) {
  auto bytes = replaced(read_bytes("runtime/add.pte"), "aten::add", "aten::odd");
  auto refused = Module::load(bytes, "m.pte");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(contains(refused.error().message(), "aten::odd")) << refused.error().message();

  auto trusted = Module::load(bytes, "m.pte", {.trust = true});
  ASSERT_TRUE(trusted.ok()) << message_of(trusted);
  auto prepared = trusted->method()->prepare();
  ASSERT_FALSE(prepared.ok());
  EXPECT_EQ(prepared.error().code(), ErrorCode::kUnavailable);
  EXPECT_TRUE(contains(prepared.error().message(), "aten::odd.out")) << prepared.error().message();
}

TEST(Module, RunsWhatExecuTorchsExporterWrites) {
  struct Case {
    const char* name;
    std::vector<Value> inputs;
  };
  Tensor index = *Tensor::zeros(DType::kInt64, {2});
  index.data_as<int64_t>()[0] = 1;
  const Case cases[] = {
      {"pte/mlp.pte", {floats({2, 4}, std::vector<float>(8, 1))}},
      {"pte/dynamic.pte", {floats({3, 4}, std::vector<float>(12, 1))}},
      {"pte/cond.pte", {floats({2, 3}, std::vector<float>(6, 1))}},
      {"pte/map.pte", {floats({3, 2}, std::vector<float>(6, 1)), floats({2}, {1, 2})}},
      {"pte/mutable.pte", {floats({3}, {1, 2, 3})}},
      {"pte/lists.pte", {floats({4, 5}, std::vector<float>(20, 1)), index}},
      {"pte/item.pte", {floats({2, 2}, {1, 2, 3, 4}), index}},
  };
  for (const Case& item : cases) {
    const Method method = load(item.name);
    auto outputs = method.run(item.inputs);
    EXPECT_TRUE(outputs.ok()) << item.name << ": " << message_of(outputs);
  }
  const Method cond = load("pte/cond.pte");
  EXPECT_EQ(values_of((*cond.run({floats({2, 3}, {1, 1, 1, 1, 1, 1})}))[0]),
            std::vector<float>(6, 2));
  EXPECT_EQ(values_of((*cond.run({floats({2, 3}, {-1, -1, -1, -1, -1, -1})}))[0]),
            std::vector<float>(6, -2));
  EXPECT_EQ(values_of((*cond.run({floats({2, 3}, {1, 1, 1, 1, 1, 1})}))[0]),
            std::vector<float>(6, 2));
}

TEST(Module, SeveralModulesOfOneFileRunInSeveralThreads) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&wrong, t] {
      const Method method = load("runtime/counter.pte");
      const Tensor step = floats({2}, {static_cast<float>(t), 1});
      for (int i = 1; i <= 200; ++i) {
        auto outputs = method.run({step});
        const float count = 5 + static_cast<float>(t) * static_cast<float>(i);
        if (!outputs.ok() || values_of((*outputs)[0])[0] != 3 * count) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Module, RefusesMethodsThatAreNotThere) {
  const auto module = Module::load(data_path("runtime/add.pte"));
  EXPECT_EQ(module->method("encode").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(contains(message_of(module->method("encode")), "no method 'encode'; it has forward"));
}

// A file of one method that has another name.
TEST(Module, GivesTheOnlyMethodWithoutItsName) {
  const auto module =
      Module::load(replaced(read_bytes("runtime/add.pte"), "forward", "encodes"), "m.pte");
  ASSERT_TRUE(module.ok()) << message_of(module);
  EXPECT_EQ(module->method()->name(), "encodes");
}

TEST(Module, RefusesFilesThatAreNoPrograms) {
  EXPECT_EQ(Module::load("/nowhere/x.pte").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Module::load(std::vector<std::byte>(3), "x").error().code(), ErrorCode::kInvalidFile);
}

}  // namespace
}  // namespace slipway
