// Where runs spend their time, and runs that are stopped.

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/endless_program_test.h"
#include "runtime/sum_backend_test.h"
#include "slipway/log.h"
#include "slipway/module.h"

namespace slipway {
namespace {

std::string path_of(const std::string& name) { return std::string(SLIPWAY_TEST_DATA) + "/" + name; }

Tensor zeros(std::vector<int64_t> sizes) {
  return *Tensor::zeros(DType::kFloat32, std::move(sizes));
}

class Profiled {
 public:
  explicit Profiled(const std::string& name) {
    auto module = Module::load(
        path_of(name), {.on_profile = [this](const RunProfile& run) { runs.push_back(run); }});
    if (!module.ok()) ADD_FAILURE() << module.error().message();
    method = *module->method();
  }
  std::vector<RunProfile> runs;
  std::optional<Method> method;
};

TEST(RunProfile, HasEachCallAndItsPlace) {
  Profiled add("runtime/add.pte");
  const std::vector<Value> inputs = {zeros({2, 3}), zeros({2, 3})};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(add.method->run(inputs).ok());
  ASSERT_EQ(add.runs.size(), 2u);
  const RunProfile& run = add.runs[1];
  EXPECT_EQ(run.method, "forward");
  EXPECT_EQ((*run.instructions)[0].name, "aten::add.out");
  ASSERT_EQ(run.calls.size(), run.instructions->size());
  std::chrono::nanoseconds end{0};
  for (size_t i = 0; i < run.calls.size(); ++i) {
    EXPECT_EQ(run.calls[i].instruction, i);
    EXPECT_GE(run.calls[i].start, end) << "they follow each other";
    EXPECT_GT(run.calls[i].duration.count(), 0);
    EXPECT_TRUE(run.calls[i].layers.empty());
    end = run.calls[i].start + run.calls[i].duration;
  }
  EXPECT_GE(run.duration, end);
  EXPECT_FALSE(add.method->run({zeros({7})}).ok());
  EXPECT_EQ(add.runs.size(), 2u) << "a run that fails has none";
}

TEST(RunProfile, TellsEnginesAndLoops) {
  runtime::SumBackend::get();
  Profiled engine("runtime/engine.pte");
  ASSERT_TRUE(engine.method->run({zeros({3, 2})}).ok());
  std::vector<std::string> names;
  for (const ProfiledCall& call : engine.runs.at(0).calls) {
    names.push_back((*engine.runs[0].instructions)[call.instruction].name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"aten::relu.out", "engine 0 of SumBackend"}));

  Profiled map("pte/map.pte");
  std::vector<Value> inputs;
  for (const auto& sizes : map.method->example_sizes()) inputs.emplace_back(zeros(sizes));
  ASSERT_TRUE(map.method->run(inputs).ok());
  const RunProfile& run = map.runs.at(0);
  EXPECT_LT(run.calls.back().instruction, run.instructions->size());
}

// Engines may tell means of all runs.
TEST(RunProfile, LayersAreTogetherNoLongerThanTheirCall) {
  constexpr uint64_t kHour = 3'600'000'000'000;
  auto& backend = runtime::SumBackend::get();
  Profiled engine("runtime/engine.pte");
  const auto layers_of = [&](std::vector<std::pair<std::string, uint64_t>> told) {
    backend.layers = std::move(told);
    EXPECT_TRUE(engine.method->run({zeros({3, 2})}).ok());
    backend.layers.clear();
    return engine.runs.back().calls.at(1);
  };
  const ProfiledCall call = layers_of({{"conv", 3 * kHour}, {"none", 0}, {"relu", kHour}});
  ASSERT_EQ(call.layers.size(), 3u);
  const auto sum = call.layers[0].duration + call.layers[2].duration;
  EXPECT_LE(sum, call.duration);
  EXPECT_GE(sum + std::chrono::nanoseconds(3), call.duration);
  // But for what rounding takes of either.
  const auto longer = call.layers[0].duration - 3 * call.layers[2].duration;
  EXPECT_LE(std::abs(longer.count()), 3);
  EXPECT_EQ(call.layers[1].duration.count(), 0);
  EXPECT_EQ(layers_of({{"conv", 1}}).layers.at(0).duration.count(), 1) << "as it was told";
}

TEST(RunProfile, NotOfAProcessOfItsOwn) {
  const auto module = Module::load(path_of("runtime/add.pte"),
                                   {.isolate = true, .on_profile = [](const RunProfile&) {}});
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(module.error().message().find("option 'isolate'"), std::string::npos);
}

TEST(KernelThreads, CanBeLimited) {
  ASSERT_TRUE(set_kernel_threads(1).ok());
  EXPECT_EQ(kernel_threads(), 1u);
  ASSERT_TRUE(set_kernel_threads(2).ok());
  EXPECT_EQ(kernel_threads(), 2u);
  EXPECT_EQ(set_kernel_threads(0).error().code(), ErrorCode::kInvalidArgument);
}

TEST(Cancel, StopsARunFromAnotherThread) {
  for (const bool isolate : {false, true}) {
    const auto module = Module::load(runtime::endless_program(), "loop.pte",
                                     {.time_limit = std::chrono::hours(1), .isolate = isolate});
    ASSERT_TRUE(module.ok()) << module.error().message();
    const Method method = *module->method();
    Tensor x = zeros({2, 3});
    const std::vector<Value> inputs = {x};
    // Once before it can have begun, and once when it is under way.
    for (const int milliseconds : {0, 50}) {
      auto run = method.run_async(inputs);
      ASSERT_TRUE(run.ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      method.cancel();
      const auto outputs = run->wait();
      ASSERT_FALSE(outputs.ok());
      EXPECT_EQ(outputs.error().code(), ErrorCode::kCancelled);
      EXPECT_NE(outputs.error().message().find("was cancelled"), std::string::npos)
          << outputs.error().message();
    }
    // Later runs are not.
    method.cancel();
    x.data_as<float>()[0] = 1;
    const auto outputs = method.run(inputs);
    EXPECT_TRUE(outputs.ok()) << outputs.error().message();
  }
}

TEST(Cancel, AMethodWhoseRunFailedIsKept) {
  size_t prepared = 0;
  set_log_callback([&](LogLevel, const std::string& message) {
    if (message.find("prepared in") != std::string::npos) ++prepared;
  });
  const auto module = Module::load(path_of("runtime/rows.pte"));
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Method method = *module->method();
  Tensor rows = *Tensor::zeros(DType::kInt64, {2});
  for (const int64_t row : {0, 7, 7, 1, 2}) {
    rows.data_as<int64_t>()[1] = row;
    EXPECT_EQ(method.run({rows, zeros({3, 2})}).ok(), row < 3) << row;
  }
  set_log_callback(nullptr);
  EXPECT_EQ(prepared, 1u);
}

TEST(Cancel, LeavesAProcessWithoutARunAlone) {
  std::vector<float> counts[2];
  for (const bool isolate : {false, true}) {
    const auto module = Module::load(path_of("runtime/counter.pte"), {.isolate = isolate});
    ASSERT_TRUE(module.ok()) << module.error().message();
    const Method method = *module->method();
    for (int i = 0; i < 3; ++i) {
      Tensor x = zeros({2});
      x.data_as<float>()[0] = 3;
      const auto outputs = method.run({x});
      ASSERT_TRUE(outputs.ok());
      counts[isolate ? 1 : 0].push_back(std::get<Tensor>((*outputs)[0]).data_as<float>()[0]);
      method.cancel();
    }
  }
  EXPECT_NE(counts[0][0], counts[0][2]);
  EXPECT_EQ(counts[1], counts[0]) << "the state is that of the same process";
}

}  // namespace
}  // namespace slipway
