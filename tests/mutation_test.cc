// Mutated files of every format, with their checksums made right again so that what lies behind
// them is reached: whatever is not refused must run to an end or an error. Each is tried in a child
// process. docs/reliability.md has the figures of a long run:
//
//   SLIPWAY_MUTATIONS=100000 build/release/tests/tests_test --gtest_filter='Mutation*'
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/memory_limit_test.h"
#include "build/engine_cache_entry.h"
#include "pt2/archive_test.h"
#include "pte/reader/reader.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using Random = std::mt19937_64;

constexpr uint64_t kMostSpareMemory = uint64_t{64} << 20;
constexpr int kMostSeconds = 10;  // of processor time
// Inputs beyond that are not made: a mutated size is slow to run, and no likelier to crash.
constexpr int64_t kMostElements = 1 << 18;

enum Outcome : uint8_t {
  kUntried,
  kRefused,   // an error at load, or at compile
  kRunError,  // an error at run
  kNotRun,    // accepted; its inputs are too large to make here
  kRan,
  kSignal,
  kHang,
  kMemory,
  kBlamed,  // an internal error
  kOutcomes
};

// The same numbers at every call of a test, and of a mutant.
size_t mutations() {
  const char* given = std::getenv("SLIPWAY_MUTATIONS");
  return given == nullptr ? 400 : std::strtoull(given, nullptr, 10);
}

std::string read_text(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}
std::string data_path(const std::string& name) {
  return std::string(SLIPWAY_TEST_DATA) + "/" + name;
}
std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

size_t below(Random& random, size_t limit) { return random() % limit; }

// Puts odd values, copies of other places, and swaps into bytes [begin, end).
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

// Exchanges, doubles or removes pieces between the marks of JSON, or replaces a number or a word.
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

Outcome run_module(Result<Module> module) {
  if (!module.ok()) return kRefused;
  Outcome outcome = kRan;
  for (const std::string& method : module->method_names()) {
    const auto infos = module->inputs(method);
    const auto sizes = module->example_sizes(method);
    if (!infos.ok() || !sizes.ok()) return kRunError;
    std::vector<Value> inputs(infos->size());
    for (size_t i = 0; i < infos->size(); ++i) {
      const ValueInfo& info = (*infos)[i];
      if (!info.is_tensor) continue;
      const auto nbytes = contiguous_nbytes(info.dtype, (*sizes)[i]);
      if (!nbytes.ok() || *nbytes > kMostElements) return kNotRun;
      inputs[i] = *Tensor::zeros(info.dtype, (*sizes)[i]);
    }
    if (!module->run(inputs, method).ok()) outcome = kRunError;
  }
  return outcome;
}

Outcome run_program(const std::string& file) {
  const auto bytes = bytes_of(file);
  return run_module(Module::load(std::vector(bytes.begin(), bytes.end()), "mutated.pte"));
}

// A .pte of ours whose checksums are known by what they are of.
class Program {
 public:
  explicit Program(std::string file) : file_(std::move(file)) {
    const auto read = pte::File::read({bytes_of(file_), nullptr}, "original");
    EXPECT_TRUE(read.ok()) << read.error().message();
    program_size_ = read->program_size();
    const auto bytes = *read->named_data(std::string(engine::kManifestKey));
    manifest_ = offset_of(bytes);
    manifest_size_ = bytes.size();
    for (const auto& segment : read->manifest()->segments) {
      segments_.push_back({offset_of(*read->segment(segment.index)), segment.size});
    }
  }

  std::string with_mutated_program(Random& random) const {
    std::string file = file_;
    mutate_bytes(file, 0, program_size_, random);
    put_right(file, 0, program_size_);
    return file;
  }
  std::string with_mutated_segment(Random& random) const {
    std::string file = file_;
    if (segments_.empty()) return file;
    const auto [offset, size] = segments_[below(random, segments_.size())];
    mutate_bytes(file, offset, offset + size, random);
    put_right(file, offset, size);
    return file;
  }
  // Of the same length: JSON may have spaces.
  std::string with_mutated_manifest(Random& random) const {
    std::string text = file_.substr(manifest_, manifest_size_ - kTail);
    mutate_json(text, 1, text.size(), random);
    if (text.size() > manifest_size_ - kTail) return file_;
    text.resize(manifest_size_ - kTail, ' ');
    std::string file = file_;
    file.replace(manifest_, text.size(), text);
    put_manifest_right(file);
    return file;
  }

 private:
  static constexpr size_t kTail = sizeof(",\"xxh3\":\"\"}") - 1 + kXxh3HexDigits;

  size_t offset_of(std::span<const std::byte> part) const {
    return static_cast<size_t>(part.data() - bytes_of(file_).data());
  }
  // Puts the new checksum where the old one is; equal parts have equal ones.
  void put_right(std::string& file, size_t offset, size_t size) const {
    const std::string before = xxh3_hex(bytes_of(file_).subspan(offset, size));
    const std::string after = xxh3_hex(bytes_of(file).subspan(offset, size));
    const size_t at = file.find(before, manifest_);
    if (at != std::string::npos) file.replace(at, after.size(), after);
    put_manifest_right(file);
  }
  void put_manifest_right(std::string& file) const {
    const size_t size = manifest_size_ - kTail;
    file.replace(manifest_ + size + sizeof(",\"xxh3\":\"") - 1, kXxh3HexDigits,
                 xxh3_hex(bytes_of(file).subspan(manifest_, size)));
  }

  std::string file_;
  size_t program_size_ = 0;
  size_t manifest_ = 0;
  size_t manifest_size_ = 0;
  std::vector<std::pair<size_t, size_t>> segments_;
};

struct Subject {
  std::string name;
  std::function<std::string(Random&)> mutate;
  std::function<Outcome(const std::string&)> use;
};

struct Shared {
  size_t position;
  std::array<size_t, kOutcomes> counts;
};

uint64_t peak_memory() {
  struct rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) << 10;
}

// Uses the mutants from `position` on; ends early after one that took too much memory.
[[noreturn]] void use_mutants(const Subject& subject, size_t count, Shared& shared) {
  const struct itimerval limit = {{0, 0}, {kMostSeconds, 0}};
  uint64_t base = 0;
  for (size_t first = shared.position; shared.position < count; ++shared.position) {
    Random random(shared.position);
    const std::string file = subject.mutate(random);
    ::setitimer(ITIMER_PROF, &limit, nullptr);
    Outcome outcome = subject.use(file);
    // The first one also brings in what any use needs.
    if (shared.position == first) base = peak_memory();
    // Sanitizers keep what was freed for a while.
    const bool too_much = !kSanitized && peak_memory() > base + kMostSpareMemory + file.size();
    if (too_much) outcome = kMemory;
    ++shared.counts[outcome];
    if (too_much) {
      ++shared.position;
      ::_exit(0);
    }
  }
  ::_exit(0);
}

std::array<size_t, kOutcomes> counts_of(const Subject& subject, size_t count) {
  auto& shared = *static_cast<Shared*>(
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared = {};
  while (shared.position < count) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::signal(SIGPROF, SIG_DFL);
      use_mutants(subject, count, shared);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) continue;
    fmt::print("  {}, mutant {}: signal {}\n", subject.name, shared.position, WTERMSIG(status));
    ++shared.counts[WTERMSIG(status) == SIGPROF ? kHang : kSignal];
    ++shared.position;
  }
  const auto counts = shared.counts;
  ::munmap(&shared, sizeof(Shared));
  return counts;
}

void expect_no_crash(const Subject& subject, size_t count) {
  const auto counts = counts_of(subject, count);
  fmt::print(
      "{}: {} tried, {} refused, {} run errors, {} not run, {} ran, {} signals, {} hangs, "
      "{} past the memory\n",
      subject.name, count, counts[kRefused], counts[kRunError], counts[kNotRun], counts[kRan],
      counts[kSignal], counts[kHang], counts[kMemory]);
  EXPECT_EQ(counts[kSignal], 0u) << subject.name;
  EXPECT_EQ(counts[kHang], 0u) << subject.name;
  EXPECT_EQ(counts[kMemory], 0u) << subject.name;
  EXPECT_EQ(counts[kBlamed], 0u) << subject.name << ": damage is taken for a defect of Slipway's";
}

// Compiled for kernels, in memory.
std::string compiled(const std::string& archive) {
  CompileOptions options;
  options.engine = EngineKind::kNone;
  const auto program = slipway::Program::load(data_path("golden/" + archive));
  EXPECT_TRUE(program.ok()) << program.error().message();
  const auto bytes = compile(*program, options)->to_memory();
  EXPECT_TRUE(bytes.ok()) << bytes.error().message();
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

constexpr std::array kArchives = {"mlp.pt2", "conv_dyn.pt2", "cond.pt2", "dict_io.pt2"};

TEST(Mutation, OfCompiledPrograms) {
  for (const char* archive : kArchives) {
    const Program program(compiled(archive));
    expect_no_crash(
        {fmt::format("program of {}", archive),
         [&](Random& random) { return program.with_mutated_program(random); }, run_program},
        mutations());
    expect_no_crash(
        {fmt::format("segments of {}", archive),
         [&](Random& random) { return program.with_mutated_segment(random); }, run_program},
        mutations() / 4);
    expect_no_crash(
        {fmt::format("manifest of {}", archive),
         [&](Random& random) { return program.with_mutated_manifest(random); }, run_program},
        mutations());
  }
}

TEST(Mutation, OfArchives) {
  const std::string path = fs::temp_directory_path() / fmt::format("mutation_{}.pt2", ::getpid());
  for (const char* archive : kArchives) {
    const auto entries = pt2::entries_of(data_path(fmt::format("golden/{}", archive)));
    ASSERT_FALSE(entries.empty());
    const auto mutate = [&](Random& random) {
      auto mutated = entries;
      pt2::TestEntry& entry = mutated[below(random, mutated.size())];
      if (entry.name.ends_with(".json")) {
        mutate_json(entry.data, 0, entry.data.size(), random);
      } else {
        mutate_bytes(entry.data, 0, entry.data.size(), random);
      }
      return pt2::make_zip(mutated);
    };
    const auto use = [&](const std::string& file) {
      std::ofstream(path, std::ios::binary) << file;
      const auto program = slipway::Program::load(path);
      if (!program.ok()) return kRefused;
      CompileOptions options;
      options.engine = EngineKind::kNone;
      const auto artefact = compile(*program, options);
      if (!artefact.ok()) {
        return artefact.error().code() == ErrorCode::kInternal ? kBlamed : kRefused;
      }
      auto bytes = artefact->to_memory();
      if (!bytes.ok()) return kRefused;
      return run_module(Module::load(std::move(*bytes), "mutated.pte"));
    };
    expect_no_crash({fmt::format("archive {}", archive), mutate, use}, mutations() / 2);
  }
  fs::remove(path);
}

TEST(Mutation, OfArrays) {
  const std::string array = read_text(data_path("golden/mlp.0.in0.npy"));
  expect_no_crash({"array",
                   [&](Random& random) {
                     std::string mutated = array;
                     mutate_bytes(mutated, 0, std::min<size_t>(mutated.size(), 128), random);
                     return mutated;
                   },
                   [](const std::string& file) {
                     return read_npy(bytes_of(file), "array").ok() ? kRan : kRefused;
                   }},
                  mutations());
}

TEST(Mutation, OfCacheEntries) {
  const std::string key(kSha256HexDigits, '0');
  engine::EngineRecord record;
  record.backend = "TensorRTBackend";
  record.engine = "tensorrt";
  record.inputs = {{.name = "x", .dtype = "float32", .sizes = {"s0", "3"}}};
  const std::string bytes = "the bytes of an engine";
  const std::string tail = build::entry_tail(key, record, xxh3_hex(bytes_of(bytes)));
  const std::string entry = bytes + tail;
  expect_no_crash({"cache entry",
                   [&](Random& random) {
                     std::string mutated = entry;
                     mutate_bytes(mutated, 0, mutated.size(), random);
                     return mutated;
                   },
                   [&](const std::string& file) {
                     return build::read_entry(own_bytes(file), key).ok() ? kRan : kRefused;
                   }},
                  mutations());
}

}  // namespace
}  // namespace slipway
