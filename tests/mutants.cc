#include "mutants.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/memory_limit_test.h"

namespace slipway::mutants {
namespace {

constexpr uint64_t kMostSpareMemory = uint64_t{64} << 20;
constexpr int kMostSeconds = 10;  // of processor time
// Inputs beyond that are not made: a mutated size is slow to run, and no likelier to crash.
constexpr int64_t kMostElements = 1 << 18;

template <class T>
void fill(Tensor& tensor, T (*number)(size_t)) {
  const std::span<T> elements(tensor.data_as<T>(), tensor.nbytes() / sizeof(T));
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = number(i);
}

// Integers are 0 and 1, which are valid indices nearly everywhere. Other types stay 0.
void fill(Tensor& tensor) {
  if (tensor.nbytes() == 0) return;
  if (tensor.dtype() == DType::kFloat32) {
    fill<float>(tensor, [](size_t i) { return static_cast<float>(i * 37 % 64) / 16 - 2; });
  } else if (tensor.dtype() == DType::kInt64) {
    fill<int64_t>(tensor, [](size_t i) { return static_cast<int64_t>(i % 2); });
  } else if (tensor.dtype() == DType::kInt32) {
    fill<int32_t>(tensor, [](size_t i) { return static_cast<int32_t>(i % 2); });
  } else if (tensor.dtype() == DType::kBool) {
    fill<uint8_t>(tensor, [](size_t i) { return static_cast<uint8_t>(i % 2); });
  }
}

std::string text_of(const Value& value) {
  if (const auto* tensor = std::get_if<Tensor>(&value)) {
    return format_type(tensor->dtype(), tensor->sizes()) + " " + xxh3_hex(tensor->bytes());
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* boolean = std::get_if<bool>(&value)) return fmt::format("{}", *boolean);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "none";
}

Outcome outcome_of(const Error& error, Outcome outcome) {
  const bool ended = error.message().find("the process that ran it ") != std::string::npos;
  return ended ? kEnded : outcome;
}

struct Shared {
  size_t position;
  std::array<size_t, kOutcomes> counts;
};

int failures() {
  const testing::TestResult& result =
      *testing::UnitTest::GetInstance()->current_test_info()->result();
  int count = 0;
  for (int i = 0; i < result.total_part_count(); ++i) {
    count += result.GetTestPartResult(i).failed() ? 1 : 0;
  }
  return count;
}

// Of this process, and the largest of the processes that it has started and waited for.
struct Peak {
  uint64_t own = 0;
  uint64_t of_children = 0;

  static Peak now() {
    const auto peak_of = [](int who) {
      struct rusage usage = {};
      ::getrusage(who, &usage);
      return static_cast<uint64_t>(usage.ru_maxrss) << 10;
    };
    return {peak_of(RUSAGE_SELF), peak_of(RUSAGE_CHILDREN)};
  }
  uint64_t above(const Peak& base) const {
    return std::max(own - base.own, of_children - base.of_children);
  }
};

void print_harm(const Subject& subject, size_t position, const std::string& harm) {
  fmt::print("  {}, mutant {}: {}\n", subject.name, position, harm);
  Random random(position);
  if (subject.describe) fmt::print("    {}\n", subject.describe(random));
  std::fflush(stdout);
}

// Uses the mutants from `position` on; ends early after one that took too much memory, since a peak
// stays.
void use_mutants(const Subject& subject, size_t count, Shared& shared) {
  const struct itimerval limit = {{0, 0}, {kMostSeconds, 0}};
  // It also brings in what any use needs.
  const Use original = subject.use(subject.original);
  EXPECT_EQ(original.outcome, kRan) << subject.name << ", as it was";
  const Peak base = Peak::now();
  while (shared.position < count) {
    Random random(shared.position);
    const std::string file = subject.mutate(random);
    ::setitimer(ITIMER_PROF, &limit, nullptr);
    Use use = subject.use(file);
    if (use.outcome == kRan && use.results == original.results) use.outcome = kRanSame;
    // Sanitizers keep what was freed for a while.
    const uint64_t above = Peak::now().above(base);
    const bool too_much = !kSanitized && above > kMostSpareMemory + file.size();
    if (too_much) {
      print_harm(subject, shared.position, fmt::format("{} MiB", above >> 20));
      use.outcome = kMemory;
    }
    if (use.outcome == kBlamed) print_harm(subject, shared.position, "an internal error");
    if (use.outcome == kOverrun) print_harm(subject, shared.position, "an overrun");
    ++shared.counts[use.outcome];
    ++shared.position;
    if (too_much) return;
  }
}

std::array<size_t, kOutcomes> counts_of(const Subject& subject, size_t count) {
  auto& shared = *static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared = {};
  while (shared.position < count) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGPROF, SIG_DFL);
      const int before = failures();
      use_mutants(subject, count, shared);
      // Expectations that failed here would be lost.
      ::_exit(failures() > before ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0) << subject.name << ": an expectation failed in the child";
      continue;
    }
    print_harm(subject, shared.position, fmt::format("signal {}", WTERMSIG(status)));
    ++shared.counts[WTERMSIG(status) == SIGPROF ? kHang : kSignal];
    ++shared.position;
  }
  const auto counts = shared.counts;
  ::munmap(&shared, sizeof(Shared));
  return counts;
}

}  // namespace

size_t count_wanted() {
  const char* given = std::getenv("SLIPWAY_MUTATIONS");
  return given == nullptr ? 400 : std::strtoull(given, nullptr, 10);
}

size_t below(Random& random, size_t limit) { return random() % limit; }

void mutate_bytes(std::string& text, size_t begin, size_t end, Random& random) {
  constexpr std::array<int64_t, 12> kOdd = {0,   1,     -1,        2,         127,       128,
                                            255, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
  if (begin >= end) return;
  for (size_t count = 1 + below(random, 3); count > 0; --count) {
    const size_t width = size_t{1} << below(random, 4);
    if (end - begin < 2 * width) continue;
    const auto place = [&] { return begin + below(random, (end - begin) / width) * width; };
    const size_t at = place();
    uint64_t value = 0;
    std::memcpy(&value, text.data() + at, width);
    switch (below(random, 4)) {
      case 0:
        value = static_cast<uint64_t>(kOdd[below(random, kOdd.size())]);
        break;
      case 1:
        value += below(random, 9) - 4;
        break;
      case 2:
        value ^= uint64_t{1} << below(random, 8 * width);
        break;
      default:
        std::memcpy(&value, text.data() + place(), width);
        break;
    }
    std::memcpy(text.data() + at, &value, width);
  }
}

void mutate_json(std::string& text, size_t begin, size_t end, Random& random) {
  constexpr std::array<const char*, 12> kValues = {
      "0",          "-1",     "null", "[]", "{}", "\"\"", "true", "1e999", "9223372036854775807",
      "2147483648", "\"s0\"", "[0,0]"};
  const auto mark = [&](size_t from) { return text.find_first_of(",:[]{}", from); };
  for (int attempt = 0; attempt < 100; ++attempt) {
    const size_t first = mark(begin + below(random, end - begin));
    if (first == std::string::npos || first + 1 >= end) continue;
    const size_t last = mark(first + 1);
    if (last == std::string::npos || last >= end) continue;
    const std::string piece = text.substr(first + 1, last - first - 1);
    switch (below(random, 3)) {
      case 0:
        text.replace(first + 1, piece.size(), kValues[below(random, kValues.size())]);
        return;
      case 1:
        text.insert(last, "," + piece);
        return;
      default:
        text.erase(first + 1, piece.size());
        return;
    }
  }
}

void mutate_json_in_place(std::string& text, size_t begin, size_t end, Random& random) {
  std::string part = text.substr(begin, end - begin);
  mutate_json(part, 0, part.size(), random);
  if (part.size() > end - begin) return;
  part.resize(end - begin, ' ');
  text.replace(begin, part.size(), part);
}

Use run_module(Result<Module> module) {
  if (!module.ok()) return {outcome_of(module.error(), kRefused), ""};
  Use use{kRan, ""};
  for (const std::string& name : module->method_names()) {
    const Method method = *module->method(name);
    const auto sizes = method.example_sizes();
    std::vector<Value> inputs(sizes.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const TensorInfo* info = method.inputs()[i].tensor();
      if (info == nullptr) continue;
      const auto nbytes = contiguous_nbytes(info->dtype, sizes[i]);
      if (!nbytes.ok() || *nbytes > kMostElements) return {kNotRun, ""};
      Tensor tensor = *Tensor::zeros(info->dtype, sizes[i]);
      fill(tensor);
      inputs[i] = std::move(tensor);
    }
    const auto outputs = method.run(inputs);
    if (!outputs.ok()) {
      use.outcome = outcome_of(outputs.error(), kRunError);
      if (use.outcome == kEnded) return use;
      continue;
    }
    for (const Value& output : *outputs) use.results += text_of(output) + "\n";
  }
  return use;
}

void expect_no_crash(const Subject& subject, size_t count) {
  const auto counts = counts_of(subject, count);
  fmt::print(
      "{}: {} tried, {} refused, {} run errors, {} ended, {} not run, {} ran to other results, {} "
      "to the same, {} signals, {} hangs, {} past the memory, {} overruns\n",
      subject.name, count, counts[kRefused], counts[kRunError], counts[kEnded], counts[kNotRun],
      counts[kRan], counts[kRanSame], counts[kSignal], counts[kHang], counts[kMemory],
      counts[kOverrun]);
  EXPECT_EQ(counts[kSignal], 0u) << subject.name;
  EXPECT_EQ(counts[kHang], 0u) << subject.name;
  EXPECT_EQ(counts[kMemory], 0u) << subject.name;
  EXPECT_EQ(counts[kBlamed], 0u) << subject.name << ": damage is taken for a defect of Slipway's";
  EXPECT_EQ(counts[kOverrun], 0u) << subject.name << ": it writes to where it has nothing";
}

}  // namespace slipway::mutants
