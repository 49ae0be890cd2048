// Damaged files: whatever passes the checked reader must run to an end or an error.

#include <array>
#include <fstream>
#include <iterator>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "runtime/endless_program_test.h"
#include "slipway/module.h"

// A damaged offset may lay a kernel's input over its output within planned memory. The kernel's
// memcpy then overlaps, which the sanitizer refuses although nothing else is touched.
extern "C" const char* __asan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "interceptor_via_lib:libexecutorch_kernels_optimized.so\n";
}

namespace slipway {
namespace {

using runtime::read_bytes;

// Loads the file and runs each method twice on inputs that fit. How it went does not matter.
void exercise(std::vector<std::byte> bytes) {
  auto module = Module::load(std::move(bytes), "damaged.pte");
  if (!module.ok()) return;
  for (const std::string& name : module->method_names()) {
    const Method method = *module->method(name);
    const auto sizes = method.example_sizes();
    std::vector<Value> inputs(sizes.size());
    bool complete = true;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const TensorInfo* info = method.inputs()[i].tensor();
      if (info == nullptr) continue;
      auto tensor = Tensor::zeros(info->dtype, sizes[i]);
      // A damaged size may need more memory than there is.
      complete = complete && tensor.ok();
      if (tensor.ok()) inputs[i] = std::move(*tensor);
    }
    for (int repeat = 0; complete && repeat < 2; ++repeat) {
      auto outputs = method.run(inputs);
      if (outputs.ok()) {
        for (const Value& value : *outputs) {
          if (const auto* tensor = std::get_if<Tensor>(&value); tensor && tensor->nbytes() > 0) {
            volatile std::byte last = tensor->bytes().back();
            (void)last;
          }
        }
      }
      (void)method.reset_state().ok();
    }
  }
}

struct Progress {
  size_t position;
  unsigned mask;
  bool finished;
};

// Runs `exercise` with each byte flipped, all of it, its lowest or its highest bit in turn, in a
// child process; says at which one it died, if it did.
std::string flip_every_byte(const std::string& name) {
  const std::vector<std::byte> bytes = read_bytes(name);
  auto* progress = static_cast<Progress*>(
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  *progress = {};
  std::string problems;
  // After a death the next child goes on behind it, so that one run shows all.
  while (!progress->finished && problems.size() < 4096) {
    const size_t start = problems.empty() ? 0 : progress->position + 1;
    const pid_t child = ::fork();
    if (child == 0) {
      for (size_t i = start; i < bytes.size(); ++i) {
        constexpr std::array kMasks{0xffU, 0x01U, 0x80U};
        const unsigned mask = kMasks[i % kMasks.size()];
        *progress = {i, mask, false};
        ::alarm(60);  // kills a hang
        std::vector<std::byte> damaged = bytes;
        damaged[i] ^= static_cast<std::byte>(mask);
        exercise(std::move(damaged));
      }
      progress->finished = true;
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (progress->finished) break;
    problems += fmt::format("byte {} ^ {}: {} {}\n", progress->position, progress->mask,
                            WIFSIGNALED(status) ? "signal" : "exit",
                            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  }
  ::munmap(progress, sizeof(Progress));
  return problems;
}

class HostileFile : public testing::TestWithParam<const char*> {};

TEST_P(HostileFile, NoFlippedByteCrashesOrHangs) { EXPECT_EQ(flip_every_byte(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(Programs, HostileFile,
                         testing::Values("runtime/add.pte", "runtime/add_dynamic.pte",
                                         "runtime/planned.pte", "runtime/literals.pte",
                                         "runtime/counter.pte", "runtime/rows.pte",
                                         "runtime/loop.pte", "pte/mlp.pte", "pte/dynamic.pte",
                                         "pte/cond.pte", "pte/map.pte", "pte/mutable.pte",
                                         "pte/lists.pte", "pte/item.pte"));

TEST(HostileFile, AnEndlessLoopStops) {
  auto module =
      Module::load(runtime::endless_program(), "loop.pte", {.time_limit = std::chrono::hours(1)});
  ASSERT_TRUE(module.ok()) << module.error().message();
  Tensor x = *Tensor::zeros(DType::kFloat32, {2, 3});
  const Method method = *module->method();
  auto stuck = method.run({x});
  ASSERT_FALSE(stuck.ok());
  EXPECT_NE(stuck.error().message().find("its loop does not end"), std::string::npos)
      << stuck.error().message();
  x.data_as<float>()[0] = 1;
  auto outputs = method.run({x});
  EXPECT_TRUE(outputs.ok()) << outputs.error().message();
}

TEST(HostileFile, NoTruncationCrashes) {
  for (const char* name : {"pte/mutable.pte", "runtime/loop.pte"}) {
    const std::vector<std::byte> bytes = read_bytes(name);
    for (size_t size = 0; size < bytes.size(); ++size) {
      exercise({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    }
  }
}

// Its 256 methods share their tables, so that each is as large as the file.
TEST(HostileFile, ManyMethodsTogetherAreLimited) {
  const auto module = Module::load(read_bytes("hostile/many_methods.pte"), "many_methods.pte");
  ASSERT_FALSE(module.ok());
  EXPECT_NE(module.error().message().find("too many steps"), std::string::npos)
      << module.error().message();
}

}  // namespace
}  // namespace slipway
