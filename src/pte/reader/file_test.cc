#include <filesystem>
#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

std::vector<std::byte> read_bytes(const std::string& name) {
  const auto file = MappedFile::open(std::string(SLIPWAY_TEST_DATA "/pte/") + name);
  EXPECT_TRUE(file.ok()) << name;
  const auto bytes = (*file)->bytes();
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> exported_programs() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(SLIPWAY_TEST_DATA "/pte")) {
    if (entry.path().extension() == ".pte") names.push_back(entry.path().filename());
  }
  return names;
}

TEST(FileTest, WhatExecuTorchExportsPasses) {
  size_t passed = 0;
  for (const std::string& name : exported_programs()) {
    const std::string error = read_error(read_bytes(name));
    if (name == "external.pte") {
      EXPECT_THAT(error, HasSubstr("its data lies in another file (.ptd), which is not supported"));
    } else {
      EXPECT_EQ(error, "") << name;
      ++passed;
    }
  }
  EXPECT_EQ(passed, 8u);
}

TEST(FileTest, MethodsSegmentsAndDataAreFound) {
  const auto file = File::read(own_bytes(read_bytes("xnnpack.pte")), "xnnpack.pte");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->name(), "xnnpack.pte");
  ASSERT_NE(file->plan("forward"), nullptr);
  EXPECT_EQ(file->plan("forward")->inputs()->size(), 1u);
  EXPECT_EQ(file->plan("encode"), nullptr);
  EXPECT_FALSE(file->manifest());
  EXPECT_FALSE(file->named_data("no such key"));
  EXPECT_EQ(file->verify_checksums().error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(file->segment(1).ok());
  EXPECT_GT(file->segment(1)->size(), 0u);
  EXPECT_FALSE(file->segment(1000).ok());
}

// Reads without a crash, whatever the outcome; the sanitizers and a limit on memory watch.
class DamageTest : public testing::Test {
 protected:
  static bool reads(std::span<const std::byte> bytes) {
    return File::read({bytes, nullptr}, "damaged.pte").ok();
  }
};

TEST_F(DamageTest, EveryTruncationOfAProgramIsFound) {
  for (const std::string& name : exported_programs()) {
    const auto bytes = read_bytes(name);
    size_t accepted = 0;
    for (size_t size = 0; size < bytes.size(); ++size) {
      // A copy of the exact size, so that a read past its end is noticed.
      const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
      if (reads(cut)) ++accepted;
    }
    // What may be missing is padding alone, in files whose header does not tell their end.
    EXPECT_LT(accepted, kSegmentAlignment) << name;
  }
}

TEST_F(DamageTest, NoFlipCrashesOrAllocatesMuch) {
  struct rusage before = {};
  getrusage(RUSAGE_SELF, &before);
  for (const std::string& name : exported_programs()) {
    auto bytes = read_bytes(name);
    for (std::byte& byte : bytes) {
      const std::byte original = byte;
      for (const int mask : {0x01, 0x10, 0x80, 0xff}) {
        byte = original ^ static_cast<std::byte>(mask);
        static_cast<void>(reads(bytes));
      }
      byte = original;
    }
  }
  struct rusage after = {};
  getrusage(RUSAGE_SELF, &after);
  // The address sanitizer alone keeps 256 MiB of what was freed.
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 512 << 10) << "KiB";
}

// A program with constants, engines and a manifest that fits it.
std::vector<std::byte> with_manifest() {
  engine::Manifest manifest;
  manifest.tool_version = "1";
  manifest.methods.resize(1);
  manifest.methods[0].name = "forward";
  manifest.methods[0].inputs = {{"x", "float32", {"2", "3"}, {2, 3}, {2, 3}}};
  manifest.methods[0].outputs = manifest.methods[0].inputs;
  const std::string constants(24, '\x01');
  const std::string blob(200, '\x02');
  const auto hash = [](const std::string& text) {
    return xxh3_hex(std::as_bytes(std::span<const char>(text)));
  };
  manifest.segments = {{0, "constants", constants.size(), hash(constants)},
                       {1, "named:blob", blob.size(), hash(blob)}};

  TestProgram p;
  p.constants(p.segment(constants), {0, 0});
  p.named("blob", p.segment(blob));
  TestTensor constant;
  constant.data = 1;
  const int32_t x = p.tensor({});
  const int32_t y = p.tensor({});
  const int32_t one = p.number(int64_t{1});
  p.kernel("aten::add", "out", {x, p.tensor(constant), one, y, y});
  p.inputs = {x};
  p.outputs = {y};
  const std::string placeholder = engine::write_manifest(manifest);
  p.named("slipway.manifest", p.segment(placeholder));
  auto bytes = p.build();

  uint64_t program_size = 0;
  std::memcpy(&program_size, bytes.data() + 16, sizeof program_size);
  manifest.program_xxh3 = xxh3_hex(std::span(bytes).first(program_size));
  const std::string text = engine::write_manifest(manifest);
  EXPECT_EQ(text.size(), placeholder.size());
  std::memcpy(bytes.data() + bytes.size() - text.size(), text.data(), text.size());
  return bytes;
}

TEST(ManifestTest, TheManifestIsReadAndTheChecksumsHold) {
  const auto file = File::read(own_bytes(with_manifest()), "m.pte");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_TRUE(file->manifest());
  EXPECT_EQ(file->manifest()->methods[0].inputs[0].name, "x");
  EXPECT_EQ(file->named_data("blob")->size(), 200u);
  EXPECT_TRUE(file->verify_checksums().ok());
}

TEST(ManifestTest, EveryFlipIsFound) {
  auto bytes = with_manifest();
  uint64_t base = 0;
  std::memcpy(&base, bytes.data() + 24, sizeof base);
  uint64_t program_size = 0;
  std::memcpy(&program_size, bytes.data() + 16, sizeof program_size);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{4};
    const auto file = File::read({bytes, nullptr}, "m.pte");
    // At a load where it is in the program or the manifest, else when it is asked for.
    if (i < program_size) {
      EXPECT_FALSE(file.ok()) << i;
    }
    if (file.ok()) {
      EXPECT_FALSE(file->verify_checksums().ok()) << i;
    }
    bytes[i] ^= std::byte{4};
  }
  EXPECT_TRUE(File::read({bytes, nullptr}, "m.pte")->verify_checksums().ok());
}

TEST(ManifestTest, BytesBehindTheSegmentsAreFound) {
  auto bytes = with_manifest();
  bytes.push_back(std::byte{1});
  const auto file = File::read({bytes, nullptr}, "m.pte");
  ASSERT_TRUE(file.ok());
  EXPECT_THAT(file->verify_checksums().error().message(), HasSubstr("after the last segment"));
}

}  // namespace
}  // namespace slipway::pte
