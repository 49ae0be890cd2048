// Where runs spend their time.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/sum_backend_test.h"
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

TEST(RunProfile, NotOfAProcessOfItsOwn) {
  const auto module = Module::load(path_of("runtime/add.pte"),
                                   {.isolate = true, .on_profile = [](const RunProfile&) {}});
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(module.error().message().find("option 'isolate'"), std::string::npos);
}

}  // namespace
}  // namespace slipway
