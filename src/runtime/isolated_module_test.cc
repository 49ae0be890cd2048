// Modules that run in a process of their own (LoadOptions::isolate).

#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/shared_library.h"
#include "runtime/worker_messages.h"
#include "slipway/module.h"

namespace slipway {
namespace {

using testing::HasSubstr;

std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/" + name;
}

std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Method load(const std::string& path, LoadOptions options = {}) {
  options.isolate = true;
  auto module = Module::load(path, options);
  EXPECT_TRUE(module.ok()) << module.error().message();
  return *module->method();
}

// 1, 2, 3 and so on
Tensor counting(std::vector<int64_t> sizes) {
  Tensor tensor = *Tensor::zeros(DType::kFloat32, std::move(sizes));
  std::iota(tensor.data_as<float>(), tensor.data_as<float>() + tensor.numel(), 1.0F);
  return tensor;
}

std::vector<float> values_of(const Value& value) {
  const auto* tensor = std::get_if<Tensor>(&value);
  if (tensor == nullptr || tensor->dtype() != DType::kFloat32) return {};
  return {tensor->data_as<float>(), tensor->data_as<float>() + tensor->numel()};
}

// The processes that this one has started and that are there still.
std::vector<pid_t> children() {
  std::ifstream stream("/proc/self/task/" + std::to_string(::gettid()) + "/children");
  return {std::istream_iterator<pid_t>(stream), std::istream_iterator<pid_t>()};
}

bool is_running(pid_t process) {
  const std::string status = read_text("/proc/" + std::to_string(process) + "/stat");
  const size_t state = status.rfind(')') + 2;
  return status.size() > state && status[state] != 'Z';
}

TEST(IsolatedModule, GivesWhatThisProcessWould) {
  const std::string path = data_path("runtime/add_dynamic.pte");
  const Method isolated = load(path);
  const Method here = *Module::load(path)->method();
  EXPECT_EQ(isolated.name(), here.name());
  EXPECT_EQ(isolated.inputs().size(), here.inputs().size());
  // Larger than what is shared so far, and smaller.
  for (const int64_t rows : {1, 4, 2}) {
    const Tensor x = counting({rows, 3});
    const auto expected = here.run({x, x});
    const auto outputs = isolated.run({x, x});
    ASSERT_EQ(outputs.ok(), expected.ok());
    if (!expected.ok()) continue;
    ASSERT_EQ(outputs->size(), expected->size());
    for (size_t i = 0; i < outputs->size(); ++i) {
      EXPECT_EQ(values_of((*outputs)[i]), values_of((*expected)[i]));
    }
  }
  const auto wrong = isolated.run({counting({1, 3})});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().message(), here.run({counting({1, 3})}).error().message());
  EXPECT_TRUE(isolated.run({counting({1, 3}), counting({1, 3})}).ok());
}

TEST(IsolatedModule, RunsAFileThatIsInMemory) {
  const std::string text = read_text(data_path("runtime/add.pte"));
  const auto bytes = std::as_bytes(std::span(text));
  auto module = Module::load(std::vector(bytes.begin(), bytes.end()), "add", {.isolate = true});
  ASSERT_TRUE(module.ok()) << module.error().message();
  const Tensor x = counting({2, 3});
  const auto outputs = module->method()->run({x, x});
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  EXPECT_EQ(values_of((*outputs)[0]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
}

TEST(IsolatedModule, GivesLiteralsAndTakesThem) {
  const Method method = load(data_path("runtime/literals.pte"));
  std::vector<Value> inputs;
  for (const ValueInfo& info : method.inputs()) {
    if (info.tensor() != nullptr) {
      inputs.emplace_back(counting({2, 3}));
    } else {
      inputs.push_back(std::get<LiteralInfo>(info.type).value);
    }
  }
  inputs[0] = counting(method.example_sizes()[0]);
  const Method here = *Module::load(data_path("runtime/literals.pte"))->method();
  const auto expected = here.run(inputs);
  const auto outputs = method.run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.error().message();
  ASSERT_EQ(outputs->size(), expected->size());
  EXPECT_EQ(values_of((*outputs)[0]), values_of((*expected)[0]));
  EXPECT_EQ(std::get<int64_t>((*outputs)[1]), std::get<int64_t>((*expected)[1]));
  EXPECT_EQ((*outputs)[2].index(), (*expected)[2].index());
}

TEST(IsolatedModule, StateIsReadWrittenAndReset) {
  const Method method = load(data_path("runtime/counter.pte"));
  const Tensor x = counting({2});
  ASSERT_TRUE(method.run({x}).ok());
  auto state = method.state();
  ASSERT_TRUE(state.ok()) << state.error().message();
  ASSERT_FALSE(state->empty());
  Tensor& count = (*state)[0].second;
  EXPECT_EQ(values_of(count), (std::vector<float>{6, 7}));
  count.data_as<float>()[0] = 100;
  ASSERT_TRUE(method.run({x}).ok());
  EXPECT_EQ(values_of(count), (std::vector<float>{101, 9}));
  ASSERT_TRUE(method.reset_state().ok());
  EXPECT_EQ(values_of(count), (std::vector<float>{5, 5}));
}

TEST(IsolatedModule, ACrashIsAnErrorOfThatCall) {
  const std::string path = testing::TempDir() + "isolated_module_test.pte";
  const std::string file = read_text(data_path("runtime/add.pte"));
  std::ofstream(path, std::ios::binary) << file;
  const Method method = load(path);
  const Tensor x = counting({2, 3});
  const auto kept = method.run({x, x});
  ASSERT_TRUE(kept.ok());
  const auto refused_later = load(path, {.copy = true}).run({x, x});
  EXPECT_TRUE(refused_later.ok());
  // Reading a mapping past the end of its file is a SIGBUS. The method is prepared already, so a
  // new process has to read the file.
  ASSERT_EQ(::kill(children().front(), SIGKILL), 0);
  const auto killed = method.run({x, x});
  ASSERT_FALSE(killed.ok());
  EXPECT_EQ(killed.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_THAT(killed.error().message(), HasSubstr("was ended by signal 9"));
  EXPECT_EQ(values_of((*kept)[0]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  ASSERT_TRUE(method.run({x, x}).ok());

  const Method fresh = load(path);
  std::ofstream(path, std::ios::trunc).close();
  const auto crashed = fresh.run({x, x});
  ASSERT_FALSE(crashed.ok());
  EXPECT_THAT(crashed.error().message(), HasSubstr("was ended by signal 7"));
  EXPECT_FALSE(fresh.run({x, x}).ok());
  std::ofstream(path, std::ios::binary) << file;
  const auto again = fresh.run({x, x});
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(values_of((*again)[0]), (std::vector<float>{2, 4, 6, 8, 10, 12}));
  std::remove(path.c_str());
}

TEST(IsolatedModule, StateIsInitialAgainAfterACrash) {
  const Method method = load(data_path("runtime/counter.pte"));
  const Tensor x = counting({2});
  ASSERT_TRUE(method.run({x}).ok());
  ASSERT_TRUE(method.state().ok());
  ASSERT_EQ(::kill(children().front(), SIGSEGV), 0);
  const auto crashed = method.run({x});
  ASSERT_FALSE(crashed.ok());
  EXPECT_EQ(crashed.error().code(), ErrorCode::kInvalidFile);
  EXPECT_THAT(crashed.error().message(), HasSubstr("a kernel or an engine crashed"));
  ASSERT_TRUE(method.run({x}).ok());
  EXPECT_EQ(values_of((*method.state())[0].second), (std::vector<float>{6, 7}));
}

TEST(IsolatedModule, WhatDoesNotStopIsEnded) {
  const Method method =
      load(data_path("runtime/add.pte"), {.time_limit = std::chrono::milliseconds(100)});
  const pid_t process = children().front();
  ASSERT_EQ(::kill(process, SIGSTOP), 0);
  const auto late = method.prepare();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_THAT(late.error().message(), HasSubstr("after its time limit of 100 ms"));
  EXPECT_FALSE(is_running(process));
  EXPECT_TRUE(method.prepare().ok());
}

TEST(IsolatedModule, OutlivesTheThreadThatLoadsIt) {
  std::optional<Method> method;
  std::thread([&] { method = load(data_path("runtime/add.pte")); }).join();
  const Tensor x = counting({2, 3});
  EXPECT_TRUE(method->run({x, x}).ok());
}

TEST(IsolatedModule, SeveralRunAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      const Method method = load(data_path("runtime/add.pte"), {.engine_threads = 1});
      Tensor x = counting({2, 3});
      x.data_as<float>()[0] = static_cast<float>(i);
      for (int repeat = 0; repeat < 20; ++repeat) {
        const auto outputs = method.run({x, x});
        ASSERT_TRUE(outputs.ok()) << outputs.error().message();
        EXPECT_EQ(values_of((*outputs)[0])[0], static_cast<float>(2 * i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// In a process of its own, whose exit code says whether it holds.
bool holds_elsewhere(const std::function<bool()>& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0;
}

TEST(IsolatedModule, ItsProcessEndsWithThisOne) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_TRUE(holds_elsewhere([&] {
    auto module = Module::load(data_path("runtime/add.pte"), {.isolate = true});
    if (!module.ok() || children().empty()) return false;
    const pid_t process = children().front();
    const bool written = ::write(ends[1], &process, sizeof process) == sizeof process;
    ::_exit(written ? 0 : 1);  // without the destructor, as in a crash
  }));
  pid_t process = 0;
  ASSERT_EQ(::read(ends[0], &process, sizeof process), static_cast<ssize_t>(sizeof process));
  while (is_running(process)) ::usleep(1000);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(IsolatedModule, SaysThatItsProgramIsMissing) {
  EXPECT_TRUE(holds_elsewhere([] {
    open_libraries_for("/nowhere", "/nowhere");
    const auto module = Module::load(data_path("runtime/add.pte"), {.isolate = true});
    return !module.ok() && module.error().code() == ErrorCode::kNotFound &&
           module.error().message().find("libexec/slipway/slipway-worker is not here") !=
               std::string::npos;
  }));
}

TEST(WorkerMessages, DamagedOnesAreErrors) {
  const auto memory = *SharedMemory::create(4096);
  const std::vector<Value> values = {Value(), counting({2, 3}),   int64_t{7}, 2.5,
                                     true,    std::string("text")};
  runtime::MessageWriter message;
  runtime::write_values(message, values, memory->bytes());
  runtime::MessageReader whole(message.bytes());
  const auto read = runtime::read_values(whole, memory);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(values_of((*read)[1]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(std::get<std::string>((*read)[5]), "text");
  for (size_t size = 0; size < message.bytes().size(); ++size) {
    runtime::MessageReader cut(std::string_view(message.bytes()).substr(0, size));
    EXPECT_FALSE(runtime::read_values(cut, memory).ok()) << size;
  }
  for (size_t i = 0; i < message.bytes().size(); ++i) {
    std::string flipped = message.bytes();
    flipped[i] = static_cast<char>(flipped[i] ^ 0xff);
    runtime::MessageReader reader(flipped);
    const auto values_read = runtime::read_values(reader, memory);
    if (!values_read.ok()) continue;
    for (const Value& value : *values_read) {
      const auto* tensor = std::get_if<Tensor>(&value);
      if (tensor == nullptr) continue;
      EXPECT_GE(tensor->bytes().data(), memory->bytes().data()) << i;
      EXPECT_LE(tensor->bytes().data() + tensor->nbytes(),
                memory->bytes().data() + memory->bytes().size())
          << i;
    }
  }
}

}  // namespace
}  // namespace slipway
