// Mutated files of every format, with their checksums made right again so that what lies behind
// them is reached: whatever is not refused must run to an end or an error. Each is tried in a child
// process. docs/reliability.md has the figures of a long run:
//
//   SLIPWAY_MUTATIONS=80000 build/release/tests/tests_test --gtest_filter='Mutation*'
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "engine_build/engine_cache_entry.h"
#include "engine_build/engine_cache_entry_test.h"
#include "mutants.h"
#include "mutated_program.h"
#include "pt2/archive_test.h"
#include "pte/reader/reader.h"
#include "slipway/npy.h"
#include "slipway/slipway.h"
#include "tensorrt/format/blob.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;
using namespace mutants;

Use run_program(const std::string& file) {
  const auto bytes = bytes_of(file);
  return run_module(Module::load(std::vector(bytes.begin(), bytes.end()), "mutated.pte"));
}

constexpr std::array kArchives = {"mlp.pt2", "conv_dyn.pt2", "cond.pt2", "dict_io.pt2"};

TEST(Mutation, OfCompiledPrograms) {
  for (const char* archive : kArchives) {
    const ProgramFile program(compiled(archive, "none"));
    expect_no_crash(
        {fmt::format("program of {}", archive), program.file(),
         [&](Random& random) { return program.with_mutated_program(random); }, run_program},
        count_wanted());
    expect_no_crash(
        {fmt::format("segments of {}", archive), program.file(),
         [&](Random& random) { return program.with_mutated_segment(random); }, run_program},
        count_wanted() / 4);
    expect_no_crash(
        {fmt::format("manifest of {}", archive), program.file(),
         [&](Random& random) { return program.with_mutated_manifest(random); }, run_program},
        count_wanted());
  }
}

void expect_archives_hold(const std::string& engines, size_t count) {
  const std::string path = fs::temp_directory_path() / fmt::format("mutation_{}.pt2", ::getpid());
  CompileOptions options;
  options.engines = *parse_engines(engines);
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
    const auto use = [&](const std::string& file) -> Use {
      std::ofstream stream(path, std::ios::binary);
      EXPECT_TRUE(stream << file << std::flush);
      const auto program = slipway::Program::load(path);
      if (!program.ok()) return {kRefused, ""};
      const auto artefact = compile(*program, options);
      if (!artefact.ok()) {
        return {artefact.error().code() == ErrorCode::kInternal ? kBlamed : kRefused, ""};
      }
      auto bytes = artefact->to_memory();
      if (!bytes.ok()) return {kRefused, ""};
      auto module = Module::load(std::move(*bytes), "mutated.pte");
      EXPECT_TRUE(module.ok()) << "refused its own file: " << module.error().message();
      return run_module(std::move(module));
    };
    expect_no_crash(
        {fmt::format("archive {} for {}", archive, engines), pt2::make_zip(entries), mutate, use},
        count);
  }
  fs::remove(path);
}

TEST(Mutation, OfArchives) { expect_archives_hold("none", count_wanted() / 2); }

// A process for each engine that is built.
TEST(Mutation, OfArchivesForOpenvino) { expect_archives_hold("openvino", count_wanted() / 40); }

TEST(Mutation, OfArrays) {
  const std::string array = read_text(data_path("golden/mlp.0.in0.npy"));
  expect_no_crash({"array", array,
                   [&](Random& random) {
                     std::string mutated = array;
                     mutate_bytes(mutated, 0, std::min<size_t>(mutated.size(), 128), random);
                     return mutated;
                   },
                   [](const std::string& file) -> Use {
                     const auto tensor = read_npy(bytes_of(file), "array");
                     if (!tensor.ok()) return {kRefused, ""};
                     return {kRan, format_type(tensor->dtype(), tensor->sizes()) + " " +
                                       text_of(tensor->bytes())};
                   }},
                  count_wanted());
}

TEST(Mutation, OfCacheEntries) {
  const std::string key(kSha256HexDigits, '0');
  const std::string entry = read_text(data_path("fuzz/engine_cache_entry/engine.entry"));
  const auto original = engine_build::read_entry(own_bytes(entry), key);
  ASSERT_TRUE(original.ok()) << original.error().message();
  const size_t record = original->bytes.bytes.size();
  const size_t record_end = entry.rfind('}') + 1;
  const auto use = [&](const std::string& file) -> Use {
    const auto read = engine_build::read_entry(own_bytes(file), key);
    if (!read.ok()) return {kRefused, ""};
    return {kRan, text_of(read->bytes.bytes) + engine_build::entry_tail(key, read->record, "")};
  };
  const auto damaged = [&](Random& random) {
    std::string mutated = entry;
    mutate_bytes(mutated, 0, mutated.size(), random);
    return mutated;
  };
  expect_no_crash({"cache entry", entry, damaged, use}, count_wanted());
  expect_no_crash({"cache entry, its checksums put right", entry,
                   [&](Random& random) {
                     std::string mutated = damaged(random);
                     engine_build::put_right(mutated, key);
                     return mutated;
                   },
                   use},
                  count_wanted());
  expect_no_crash({"record of a cache entry, its checksums put right", entry,
                   [&](Random& random) {
                     std::string mutated = entry;
                     mutate_json(mutated, record, record_end, random);
                     engine_build::put_right(mutated, key);
                     return mutated;
                   },
                   use},
                  count_wanted());
}

// What Torch-TensorRT's delegate takes has no checksums.
TEST(Mutation, OfTensorRtBlobs) {
  const std::string blob = read_text(data_path("fuzz/tensorrt_blob/aliased.blob"));
  const size_t json = blob.find('{');
  const size_t json_end = blob.rfind('}') + 1;
  const auto use = [](const std::string& file) -> Use {
    const auto read = tensorrt::read_blob(bytes_of(file));
    if (!read.ok()) return {kRefused, ""};
    const auto header = tensorrt::write_header(read->metadata, read->plan.size());
    EXPECT_TRUE(header.ok()) << header.error().message();
    return {kRan, header.ok() ? text_of(*header) + text_of(read->plan) : ""};
  };
  expect_no_crash({"TensorRT blob", blob,
                   [&](Random& random) {
                     std::string mutated = blob;
                     if (below(random, 2) == 0) {
                       mutate_bytes(mutated, 0, mutated.size(), random);
                     } else {
                       mutate_json_in_place(mutated, json, json_end, random);
                     }
                     return mutated;
                   },
                   use},
                  count_wanted());
}

}  // namespace
}  // namespace slipway
