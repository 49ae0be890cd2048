#include "pt2/zip_writer.h"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/memory_limit_test.h"
#include "pt2/archive_test.h"

namespace slipway::pt2 {
namespace {

std::string text_of(const ByteSource& source) {
  std::string text;
  const Status written = source.write([&](std::span<const std::byte> bytes) {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Status();
  });
  EXPECT_TRUE(written.ok());
  return text;
}

ByteSource small_archive() {
  ZipWriter zip("m");
  zip.add("a", std::string("first"));
  zip.add("empty", ByteSource());
  zip.add("b/c", std::string(100, 'x'));
  zip.add_serialization_id("id");
  return std::move(zip).finish();
}

TEST(ZipWriter, IsReadBack) {
  const ByteSource archive = small_archive();
  const std::string bytes = text_of(archive);
  EXPECT_EQ(bytes.size(), archive.size());
  auto zip = ZipReader::open(own_bytes(bytes), "t.zip");
  ASSERT_TRUE(zip.ok()) << zip.error().message();
  std::vector<std::string> names;
  for (const ZipEntry& entry : zip->entries()) {
    names.push_back(entry.name);
    EXPECT_EQ(entry.data_offset % 64, 0U) << entry.name;
    EXPECT_EQ(entry.method, 0) << entry.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"m/a", "m/empty", "m/b/c", "m/id"}));
  EXPECT_EQ(pt2::text_of(*zip->read("m/a")), "first");
  EXPECT_EQ(pt2::text_of(*zip->read("m/empty")), "");
  EXPECT_EQ(pt2::text_of(*zip->read("m/b/c")), std::string(100, 'x'));
  const std::string id = pt2::text_of(*zip->read("m/id"));
  EXPECT_EQ(id.size(), 40U);
  EXPECT_EQ(id.find_first_not_of("0123456789"), std::string::npos);
}

// As PyTorch's, but for the digits of the last entry, which are made in another way.
TEST(ZipWriter, WritesAnArchiveAsPyTorchDoes) {
  const std::string path = SLIPWAY_TEST_DATA "/golden/conv_dyn.pt2";
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file.ok());
  const std::string original = pt2::text_of({(*file)->bytes(), *file});
  ZipWriter zip("conv_dyn");
  for (const TestEntry& entry : entries_of(path)) {
    zip.add(entry.name.substr(entry.name.find('/') + 1), entry.data);
  }
  EXPECT_EQ(text_of(std::move(zip).finish()), original);
}

TEST(ZipWriter, TheSerializationIdFollowsFromNamesAndBytes) {
  const auto id = [](const char* name, const char* text) {
    ZipWriter zip("m");
    zip.add(name, std::string(text));
    zip.add_serialization_id("id");
    auto reader = ZipReader::open(own_bytes(text_of(std::move(zip).finish())), "t.zip");
    return pt2::text_of(*reader->read("m/id"));
  };
  EXPECT_EQ(id("a", "x"), id("a", "x"));
  EXPECT_EQ(id("a", "x").substr(0, 20), id("a", "y").substr(0, 20));
  EXPECT_NE(id("a", "x").substr(20), id("a", "y").substr(20));
  EXPECT_NE(id("a", "x").substr(0, 20), id("b", "x").substr(0, 20));
}

TEST(ZipWriter, MayBeWrittenBySeveralThreads) {
  const ByteSource archive = small_archive();
  const std::string expected = text_of(archive);
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) threads.emplace_back([&] { text = text_of(archive); });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) EXPECT_EQ(text, expected);
}

TEST(ZipWriter, AnErrorOfASourceOrASinkIsPassedOn) {
  ZipWriter zip("m");
  zip.add("a", ByteSource(3, [](const ByteSink&) -> Status { return io_error("no source"); }));
  const ByteSource archive = std::move(zip).finish();
  const auto written = archive.write([](std::span<const std::byte>) { return Status(); });
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().message(), "no source");
  const auto refused =
      small_archive().write([](std::span<const std::byte>) -> Status { return io_error("full"); });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "full");
}

// Zeros and then a mark, made on demand.
ByteSource large_source(uint64_t zeros) {
  return {zeros + 4, [zeros](const ByteSink& sink) -> Status {
            const std::vector<std::byte> chunk(size_t{1} << 20);
            for (uint64_t at = 0; at < zeros;) {
              const uint64_t size = std::min<uint64_t>(chunk.size(), zeros - at);
              const Status sent = sink(std::span(chunk).first(size));
              if (!sent.ok()) return sent;
              at += size;
            }
            return sink(std::as_bytes(std::span("MARK", 4)));
          }};
}

// Past 4 GiB sizes and offsets need fields of 64 bits. The file is sparse, and little memory is
// taken.
TEST(ZipWriter, WritesEntriesPast4GiB) {
  if (kSanitized) GTEST_SKIP() << "sums up 4 GiB";
  constexpr uint64_t kZeros = (uint64_t{4} << 30) + 1000;
  const std::string path = testing::TempDir() + "zip_writer_test.zip";
  in_child([&]() -> std::string {
    if (!limit_data(uint64_t{16} << 20)) return "can't set a limit";
    ZipWriter zip("m");
    zip.add("before", std::string("early"));
    zip.add("large", large_source(kZeros));
    zip.add("behind", std::string("late"));
    const ByteSource archive = std::move(zip).finish();
    const int file = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    off_t at = 0;
    const Status written = archive.write([&](std::span<const std::byte> bytes) -> Status {
      const bool is_zero = bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
      if (!is_zero && ::pwrite(file, bytes.data(), bytes.size(), at) < 0) return io_error("pwrite");
      at += static_cast<off_t>(bytes.size());
      return {};
    });
    ::close(file);
    if (!written.ok()) return written.error().message();
    if (static_cast<uint64_t>(at) != archive.size()) return "another size";
    const auto mapped = MappedFile::open(path);
    if (!mapped.ok()) return mapped.error().message();
    auto reader = ZipReader::open(OwnedSpan{(*mapped)->bytes(), *mapped}, path);
    if (!reader.ok()) return reader.error().message();
    const ZipEntry* large = reader->find("m/large");
    const ZipEntry* behind = reader->find("m/behind");
    if (large == nullptr || large->size != kZeros + 4 || large->data_offset % 64 != 0) {
      return "the large entry is not there";
    }
    if (behind == nullptr || behind->data_offset < kZeros || behind->data_offset % 64 != 0) {
      return "the entry behind is not there";
    }
    const auto mark = (*mapped)->bytes().subspan(large->data_offset + kZeros, 4);
    if (std::memcmp(mark.data(), "MARK", 4) != 0) return "other bytes";
    if (pt2::text_of(*reader->read("m/before")) != "early") return "another entry before";
    if (pt2::text_of(*reader->read("m/behind")) != "late") return "another entry behind";
    return "";
  });
  std::remove(path.c_str());
}

}  // namespace
}  // namespace slipway::pt2
