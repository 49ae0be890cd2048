// Mutated blobs of libraries that trust theirs, under right checksums or in files that have none:
// as tests/mutation_test.cc has files. docs/reliability.md has the figures of a long run:
//
//   SLIPWAY_MUTATIONS=50000 build/release/tests/tests_test --gtest_filter='*Blobs*'
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sys/resource.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/memory_limit_test.h"
#include "mutants.h"
#include "mutated_program.h"
#include "slipway/module.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace mutants;

// From ExecuTorch 1.5.1's own tests of XNNPACK's operators.
std::vector<fs::path> xnnpack_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(data_path("xnnpack"))) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// With its graph for XNNPACK, header and tables, mutated.
std::string with_mutated_graph(const std::string& file, Random& random) {
  constexpr size_t kMagic = 4;
  const size_t begin = file.find("XH00") - kMagic;
  uint32_t offset = 0;
  uint32_t size = 0;
  std::memcpy(&offset, file.data() + begin + 10, sizeof offset);
  std::memcpy(&size, file.data() + begin + 14, sizeof size);
  std::string mutated = file;
  mutate_bytes(mutated, begin, begin + offset + size, random);
  return mutated;
}

Use run_with(const std::string& file, const LoadOptions& options) {
  const auto bytes = bytes_of(file);
  return run_module(Module::load(std::vector(bytes.begin(), bytes.end()), "mutated.pte", options));
}

Use run_here(const std::string& file) { return run_with(file, {}); }

// What would take longer, or more memory than this, is ended.
Use run_isolated(const std::string& file) {
  const rlimit memory = {uint64_t{16} << 30, uint64_t{16} << 30};
  if (!kSanitized) ::setrlimit(RLIMIT_AS, &memory);
  return run_with(file, {.time_limit = std::chrono::seconds(3), .isolate = true});
}

TEST(Mutation, OfXnnpackBlobs) {
  for (const fs::path& path : xnnpack_files()) {
    const std::string file = read_text(path);
    expect_no_crash({path.filename(), file,
                     [&](Random& random) { return with_mutated_graph(file, random); }, run_here},
                    count_wanted());
  }
}

// OpenVINO's may crash. That ends a process of their own, and is an error here.
TEST(Mutation, OfIsolatedBlobs) {
  const size_t count = count_wanted() / 20;
  for (const char* archive : {"mlp.pt2", "conv_dyn.pt2", "scalars.pt2"}) {
    const ProgramFile program(compiled(archive, "openvino"));
    expect_no_crash(
        {fmt::format("engine of {}, isolated", archive), program.file(),
         [&](Random& random) { return program.with_mutated_engine(random); }, run_isolated},
        count);
  }
  for (const fs::path& path : xnnpack_files()) {
    const std::string file = read_text(path);
    expect_no_crash(
        {fmt::format("{}, isolated", path.filename().string()), file,
         [&](Random& random) { return with_mutated_graph(file, random); }, run_isolated},
        count / 3);
  }
}

}  // namespace
}  // namespace slipway
