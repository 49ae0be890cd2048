// Engines as large as they come: around 2 GiB and 4 GiB, in files past 8 GiB, and no copy of them
// in memory.
#include <array>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "base/memory_limit_test.h"
#include "base/piece_writer.h"
#include "base/sparse_file_test.h"
#include "base/try.h"
#include "model_library/library.h"
#include "pte/emitter/emitted_program_test.h"
#include "runtime/sum_backend_test.h"

namespace slipway::pte {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

// A file that is gone with this object.
class TestFile {
 public:
  explicit TestFile(const std::string& name)
      : path(testing::TempDir() + "slipway_engine_sizes_" + std::to_string(::getpid()) + name) {}
  ~TestFile() { ::unlink(path.c_str()); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  const std::string path;
};

bool write_at(int file, std::span<const std::byte> bytes, uint64_t offset) {
  return ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(bytes.size());
}

TEST(EngineSizesTest, EnginesAroundTwoAndFourGiBAreReadBackExactly) {
  if (kSanitized) GTEST_SKIP() << "sanitizers check every byte of it";
  runtime::SumBackend::get();
  constexpr std::array kSizes = {2 * kGiB, 4 * kGiB + 1};
  ProgramToEmit p;
  ir::Value* value = p.input("x", p.type({3}));
  for (const uint64_t size : kSizes) {
    value = p.call_sum({value}, {p.type({3})}, "sum_" + std::to_string(size))->output();
    engine::Engine& engine = p.engines.back();
    engine.bytes = make_sparse(size, runtime::kSumEngine);
    ASSERT_EQ(engine.bytes.bytes.size(), size);
    engine.record.size = size;
    engine.record.sha256 = sha256_hex(std::as_bytes(std::span(&size, 1)));
  }
  p.output(value);
  p.make_trees();
  // Behind a shared library, as it is read in a file of its own.
  const TestFile output(".so");
  {
    const auto pieces = emit({p.method()}, {.tool_version = "test"});
    ASSERT_TRUE(pieces.ok()) << pieces.error().message();
    EXPECT_GT(pieces->size(), 6 * kGiB);
    const std::string stub = "\177ELF";
    const Status written = write_sparse(
        model_library::make_library(std::as_bytes(std::span(stub)), *pieces), output.path);
    ASSERT_TRUE(written.ok()) << written.error().message();
  }
  const auto mapped = MappedFile::open(output.path);
  ASSERT_TRUE(mapped.ok()) << mapped.error().message();
  const auto file = File::read({(*mapped)->bytes(), *mapped}, output.path);
  ASSERT_TRUE(file.ok()) << file.error().message();
  const auto& described = file->manifest()->methods[0].engines;
  for (size_t i = 0; i < kSizes.size(); ++i) {
    EXPECT_EQ(described[i].record.size, kSizes[i]);
    const auto segment = file->segment(described[i].segment);
    ASSERT_TRUE(segment.ok()) << segment.error().message();
    ASSERT_EQ(segment->size(), kSizes[i]);
    EXPECT_EQ(std::memcmp(segment->data(), p.engines[i].bytes.bytes.data(), segment->size()), 0);
  }
  // ExecuTorch finds them all, and their checksums match.
  auto module = Module::load(output.path);
  ASSERT_TRUE(module.ok()) << module.error().message();
  EXPECT_EQ(to_floats(run(*module->method(), {floats({3}, {1, 2, 3})})[0]), (Floats{1, 2, 3}));
}

// An engine that is there already, into a program, and out of it into a file of its own.
Status write_both(const std::string& engine, const std::string& program, const std::string& bare) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto mapped, MappedFile::open(engine));
  ProgramToEmit p;
  p.output(p.call_sum({p.input("x", p.type({3}))}, {p.type({3})})->output());
  p.engines[0].bytes = {mapped->bytes(), mapped};
  p.engines[0].record.size = mapped->bytes().size();
  p.make_trees();
  SLIPWAY_ASSIGN_OR_RETURN(const PieceList pieces, emit({p.method()}, {.tool_version = "test"}));
  SLIPWAY_RETURN_IF_ERROR(write_file(program, pieces));
  SLIPWAY_ASSIGN_OR_RETURN(const auto written, MappedFile::open(program));
  SLIPWAY_ASSIGN_OR_RETURN(const File file, File::read({written->bytes(), written}, program));
  SLIPWAY_ASSIGN_OR_RETURN(const auto segment,
                           file.segment(file.manifest()->methods[0].engines[0].segment));
  return write_file(bare, segment);
}

TEST(EngineSizesTest, WritingAnEngineTakesNoMemoryOfItsSize) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
  constexpr uint64_t kAllowance = uint64_t{64} << 20;
  const TestFile engine(".engine");
  const TestFile program(".pte");
  const TestFile bare("_again.engine");
  const int descriptor = ::open(engine.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ASSERT_GE(descriptor, 0);
  const std::string mark = "sum";
  ASSERT_TRUE(write_at(descriptor, std::as_bytes(std::span(mark)), 0));
  ASSERT_TRUE(write_at(descriptor, std::as_bytes(std::span(mark)), kGiB - mark.size()));
  ::close(descriptor);

  in_child([&]() -> std::string {
    if (!limit_data(kAllowance)) return "setrlimit failed";
    const Status written = write_both(engine.path, program.path, bare.path);
    return written.ok() ? "" : written.error().message();
  });
  const auto expected = MappedFile::open(engine.path);
  const auto got = MappedFile::open(bare.path);
  ASSERT_TRUE(expected.ok() && got.ok());
  ASSERT_EQ((*got)->bytes().size(), kGiB);
  EXPECT_EQ(std::memcmp((*got)->bytes().data(), (*expected)->bytes().data(), kGiB), 0);
}

}  // namespace
}  // namespace slipway::pte
