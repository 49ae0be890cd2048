// Compiling holds no weight in memory.
#include <cstdio>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/memory_limit_test.h"
#include "pt2/zip_reader.h"
#include "slipway/slipway.h"

namespace slipway {
namespace {

constexpr uint64_t kWeightSize = uint64_t{4700} * 9400 * 4;  // of each of the two
constexpr uint64_t kAllowance = uint64_t{100} << 20;

// Writes stored entries; long runs of zeros are holes of the file.
class SparseZip {
 public:
  explicit SparseZip(const std::string& path) : file_(std::fopen(path.c_str(), "wb")) {}
  ~SparseZip() { std::fclose(file_); }

  void add(const std::string& name, std::span<const std::byte> bytes) {
    begin(name, bytes.size(), crc32(0, bytes));
    std::fwrite(bytes.data(), 1, bytes.size(), file_);
  }
  // Zeros, and one byte behind them.
  void add_zeros(const std::string& name, uint64_t size, uint8_t last) {
    const std::vector<std::byte> zeros(size_t{1} << 20);
    uint32_t crc = 0;
    for (uint64_t left = size - 1; left > 0;) {
      const uint64_t count = std::min<uint64_t>(left, zeros.size());
      crc = crc32(crc, std::span(zeros).first(count));
      left -= count;
    }
    begin(name, size, crc32(crc, std::as_bytes(std::span(&last, 1))));
    std::fseek(file_, static_cast<long>(size - 1), SEEK_CUR);
    std::fwrite(&last, 1, 1, file_);
  }
  void finish() {
    const long start = std::ftell(file_);
    std::fwrite(directory_.data(), 1, directory_.size(), file_);
    std::string end = "PK\5\6";
    append(end, 0, 4);
    append(end, count_, 2);
    append(end, count_, 2);
    append(end, directory_.size(), 4);
    append(end, static_cast<uint64_t>(start), 4);
    append(end, 0, 2);
    std::fwrite(end.data(), 1, end.size(), file_);
  }

 private:
  static void append(std::string& text, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text += static_cast<char>((value >> (8 * i)) & 0xff);
  }
  void begin(const std::string& name, uint64_t size, uint32_t crc) {
    std::string common;  // what the local header and the directory share
    append(common, 20, 2);
    append(common, 0, 8);  // flags, method, time, date
    append(common, crc, 4);
    append(common, size, 4);
    append(common, size, 4);
    append(common, name.size(), 2);
    append(common, 0, 2);
    const uint64_t offset = static_cast<uint64_t>(std::ftell(file_));
    directory_ += "PK\1\2";
    append(directory_, 20, 2);
    directory_ += common;
    append(directory_, 0, 10);  // comment, disk, attributes
    append(directory_, offset, 4);
    directory_ += name;
    ++count_;
    const std::string header = "PK\3\4" + common + name;
    std::fwrite(header.data(), 1, header.size(), file_);
  }

  std::FILE* file_;
  std::string directory_;
  uint64_t count_ = 0;
};

// The archive of tests/data/large with its weights, zeros but for a byte.
void write_archive(const std::string& path) {
  auto weightless = MappedFile::open(std::string(SLIPWAY_TEST_DATA) + "/large/weightless.pt2");
  ASSERT_TRUE(weightless.ok()) << weightless.error().message();
  auto reader = pt2::ZipReader::open({(*weightless)->bytes(), *weightless}, "weightless.pt2");
  ASSERT_TRUE(reader.ok()) << reader.error().message();
  SparseZip zip(path);
  for (const pt2::ZipEntry& entry : reader->entries()) {
    if (entry.name.ends_with("weight_0")) {
      zip.add_zeros(entry.name, kWeightSize, 0);
      // Else it would be stored as the other.
      zip.add_zeros(entry.name.substr(0, entry.name.size() - 1) + "1", kWeightSize, 1);
      continue;
    }
    auto bytes = reader->read(entry);
    ASSERT_TRUE(bytes.ok()) << bytes.error().message();
    std::string text(reinterpret_cast<const char*>(bytes->bytes.data()), bytes->bytes.size());
    // Without data, both weights were taken for one.
    if (entry.name.ends_with("model_weights_config.json")) {
      text[text.rfind("weight_0") + 7] = '1';
    }
    zip.add(entry.name, std::as_bytes(std::span(text)));
  }
  zip.finish();
}

// Anonymous memory is limited in a process of its own.
std::string compile_within(uint64_t allowance, CompileOptions options, const std::string& archive,
                           const std::string& output) {
  if (!limit_data(allowance)) return "setrlimit failed";
  auto program = Program::load(archive);
  if (!program.ok()) return program.error().message();
  auto artefact = compile(*program, options);
  if (!artefact.ok()) return artefact.error().message();
  const Status saved = artefact->save(output);
  return saved.ok() ? "" : saved.error().message();
}

class CompileMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) GTEST_SKIP() << "sanitizers need memory of their own";
    ASSERT_EQ(std::system(("mkdir -p " + folder_).c_str()), 0);
    write_archive(archive_);
  }
  void TearDown() override {
    std::remove(archive_.c_str());
    std::remove(output_.c_str());
    rmdir(folder_.c_str());
  }
  void compile(uint64_t allowance, const CompileOptions& options) {
    in_child([&] { return compile_within(allowance, options, archive_, output_); });
    auto file = MappedFile::open(output_);
    ASSERT_TRUE(file.ok()) << file.error().message();
    EXPECT_GT((*file)->bytes().size(), 2 * kWeightSize);
    auto module = Module::load(output_);
    ASSERT_TRUE(module.ok()) << module.error().message();
    auto outputs = module->method()->run({*Tensor::zeros(DType::kFloat32, {1, 9400})});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message();
    EXPECT_EQ(std::get<Tensor>((*outputs)[0]).sizes(), (std::vector<int64_t>{1, 9400}));
  }

  const std::string folder_ = testing::TempDir() + "slipway_compile_memory";
  const std::string archive_ = folder_ + "/large.pt2";
  const std::string output_ = folder_ + "/large.pte";
};

TEST_F(CompileMemoryTest, WeightsStayInTheArchive) {
  CompileOptions options;
  options.engines.clear();
  compile(kAllowance, options);
}

// OpenVINO lays them out twice, in the helper. The limit holds for each of the two processes: none
// of them has a third copy, or a whole engine.
TEST_F(CompileMemoryTest, EnginesAreBuiltInTwiceTheirWeights) {
  CompileOptions options;
  options.check = EngineCheck::kOff;
  options.require_full = true;
  compile(2 * 2 * kWeightSize + kAllowance, options);
}

uint64_t bytes_written() {
  std::ifstream io("/proc/self/io");
  for (std::string name; io >> name;) {
    uint64_t value = 0;
    io >> value;
    if (name == "wchar:") return value;
  }
  return 0;
}

TEST_F(CompileMemoryTest, ALargeEngineIsWrittenOnceIntoItsPlace) {
  if (bytes_written() == 0) GTEST_SKIP() << "the system does not count what is written";
  CompileOptions options;
  options.check = EngineCheck::kOff;
  const auto compiled = [&](const std::string& destination, const std::string& output) {
    options.destination = destination;
    const uint64_t before = bytes_written();
    auto program = Program::load(archive_);
    EXPECT_TRUE(program.ok());
    auto artefact = slipway::compile(*program, options);
    EXPECT_TRUE(artefact.ok());
    const Status saved = artefact->save(output);
    EXPECT_TRUE(saved.ok()) << saved.error().message();
    return std::pair(std::move(*artefact), bytes_written() - before);
  };
  const auto [in_place, once] = compiled(output_, output_);
  constexpr uint64_t kBesides = uint64_t{16} << 20;
  const std::string copy = output_ + ".copy";
  EXPECT_GT(compiled("", copy).second, once + in_place.size() - kBesides);
  {
    const auto first = MappedFile::open(output_);
    const auto second = MappedFile::open(copy);
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(sha256_hex((*first)->bytes()), sha256_hex((*second)->bytes()));
  }
  // The engine's bytes are in the file now, and can be saved again until somebody changes that.
  ASSERT_TRUE(in_place.save(copy).ok());
  std::fstream(output_, std::ios::in | std::ios::out) << "x";
  const Status changed = in_place.save(copy);
  ASSERT_FALSE(changed.ok());
  EXPECT_NE(changed.error().message().find("compile it again"), std::string::npos)
      << changed.error().message();
  std::remove(copy.c_str());
}

}  // namespace
}  // namespace slipway
