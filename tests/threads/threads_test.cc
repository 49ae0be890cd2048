// Modules in several threads at once, one each, that share a file, ExecuTorch's pool of threads and
// OpenVINO's library, whose first use they race for. It is also run under ThreadSanitizer.
#include <barrier>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "slipway/module.h"

namespace slipway {
namespace {

constexpr size_t kThreads = 4;

std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/runtime/" + name;
}

Tensor numbers(const std::vector<int64_t>& sizes, size_t seed) {
  Tensor tensor = *Tensor::zeros(DType::kFloat32, sizes);
  std::iota(tensor.data_as<float>(), tensor.data_as<float>() + tensor.numel(),
            static_cast<float>(seed));
  return tensor;
}

// The outputs' bytes of a module's only method, for inputs that the seed decides on.
std::string run(const Module& module, size_t seed) {
  const Method method = *module.method();
  std::vector<Value> inputs;
  for (const auto& input : method.example_sizes()) inputs.emplace_back(numbers(input, seed));
  const auto outputs = method.run(inputs);
  if (!outputs.ok()) return outputs.error().message();
  std::string bytes;
  for (const Value& output : *outputs) {
    const auto& tensor = std::get<Tensor>(output);
    bytes.append(tensor.data_as<char>(), tensor.nbytes());
  }
  return bytes;
}

// In each thread at once; what each gives.
std::vector<std::string> in_threads(const std::function<std::string(size_t)>& work) {
  std::vector<std::string> results(kThreads);
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      results[i] = work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

class Threads : public testing::TestWithParam<const char*> {};

// The first use of all that is there once a process is within the threads.
TEST_P(Threads, EachWithItsOwnModuleOfOneFile) {
  constexpr size_t kRuns = 20;
  const auto work = [](size_t thread) {
    auto module = Module::load(data_path(GetParam()));
    if (!module.ok()) return module.error().message();
    std::string results;
    for (size_t i = 0; i < kRuns; ++i) results += run(*module, 100 * thread + i);
    return results;
  };
  const auto results = in_threads(work);
  for (size_t i = 0; i < kThreads; ++i) EXPECT_EQ(results[i], work(i)) << i;
}

TEST_P(Threads, AModuleMovesFromThreadToThread) {
  auto module = Module::load(data_path(GetParam()));
  ASSERT_TRUE(module.ok()) << module.error().message();
  const std::string expected = run(*module, 1);
  for (size_t i = 0; i < kThreads; ++i) {
    std::thread([&] { EXPECT_EQ(run(*module, 1), expected); }).join();
  }
  // It may be described by several at once.
  const auto names =
      in_threads([&](size_t) { return module->method()->inputs().front().type_text(); });
  EXPECT_EQ(names, std::vector<std::string>(kThreads, names.front()));
}

INSTANTIATE_TEST_SUITE_P(Files, Threads, testing::Values("add.pte", "planned.pte", "openvino.pte"));

}  // namespace
}  // namespace slipway
