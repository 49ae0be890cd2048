// Runs in threads of their own.
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "slipway/module.h"

namespace slipway {
namespace {

Result<Module> load(const std::string& name, const LoadOptions& options = {}) {
  return Module::load(std::string(SLIPWAY_TEST_DATA) + "/runtime/" + name, options);
}

Value floats(const std::vector<float>& values) {
  Tensor tensor = *Tensor::zeros(DType::kFloat32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data_as<float>());
  return tensor;
}

std::vector<float> values_of(const Value& value) {
  const auto& tensor = std::get<Tensor>(value);
  return {tensor.data_as<float>(), tensor.data_as<float>() + tensor.numel()};
}

TEST(PendingRun, GivesWhatARunGives) {
  for (const bool isolate : {false, true}) {
    const auto module = load("counter.pte", {.isolate = isolate});
    ASSERT_TRUE(module.ok()) << module.error().message();
    const Method method = *module->method();
    for (const float expected : {18.F, 21.F}) {
      const std::vector<Value> inputs = {floats({1, 2})};
      auto run = method.run_async(inputs);
      ASSERT_TRUE(run.ok()) << run.error().message();
      const auto outputs = run->wait();
      ASSERT_TRUE(outputs.ok()) << outputs.error().message();
      EXPECT_EQ(values_of((*outputs)[0])[0], expected);
      EXPECT_TRUE(run->is_done());
      EXPECT_EQ(run->wait().error().code(), ErrorCode::kInvalidArgument);
    }
  }
}

TEST(PendingRun, NothingElseIsAskedOfTheModuleMeanwhile) {
  const auto module = load("counter.pte");
  const Method method = *module->method();
  const std::vector<Value> inputs = {floats({1, 2})};
  auto run = method.run_async(inputs);
  ASSERT_TRUE(run.ok());
  while (!run->is_done()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  // It is over, and its results are still to be given.
  const auto refused = [](const auto& result) {
    return !result.ok() && result.error().code() == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(method.run(inputs)));
  EXPECT_TRUE(refused(method.run_async(inputs)));
  EXPECT_TRUE(refused(method.state()));
  EXPECT_TRUE(refused(method.reset_state()));
  EXPECT_TRUE(refused(method.prepare()));
  EXPECT_TRUE(refused(method.weight_streaming_budget()));
  EXPECT_TRUE(refused(method.set_weight_streaming_budget(1)));
  EXPECT_TRUE(refused(method.set_weight_streaming_total(1)));
  EXPECT_NE(method.run(inputs).error().message().find("wait for that first"), std::string::npos);
  EXPECT_EQ(method.name(), "forward");
  ASSERT_TRUE(run->wait().ok());
  EXPECT_TRUE(method.run(inputs).ok());
}

TEST(PendingRun, AnErrorIsGivenByWait) {
  const auto module = load("rows.pte");
  const Method method = *module->method();
  const std::vector<Value> wrong = {floats({1, 2})};
  auto run = method.run_async(wrong);
  ASSERT_TRUE(run.ok());
  const auto outputs = run->wait();
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.error().code(), method.run(wrong).error().code());
}

TEST(PendingRun, ItsEndIsWaitedFor) {
  std::optional<Method> method;
  const std::vector<Value> inputs = {floats({1, 2})};
  {
    std::optional<PendingRun> kept;
    {
      // The run keeps what its Module holds.
      const auto module = load("counter.pte");
      method = *module->method();
      auto run = method->run_async(inputs);
      ASSERT_TRUE(run.ok());
      kept = *std::move(run);
    }
  }
  EXPECT_EQ(values_of((*method->run(inputs))[0])[0], 21) << "the second run";
}

}  // namespace
}  // namespace slipway
