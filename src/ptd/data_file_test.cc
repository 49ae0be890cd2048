#include "ptd/data_file.h"

#include <cstdint>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/temporary_file.h"
#include "base/try.h"
#include "ptd/flat_tensor_generated.h"
#include "ptd/layout.h"
#include "ptd/writer.h"

namespace slipway::ptd {
namespace {

using testing::HasSubstr;
using Bytes = std::vector<std::byte>;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes written(const std::vector<std::pair<std::string, std::string>>& entries,
              uint64_t first_offset = 0) {
  std::vector<NamedBytes> named;
  for (const auto& [key, text] : entries) named.push_back({key, own_bytes(text)});
  const auto pieces = lay_out(named, first_offset);
  EXPECT_TRUE(pieces.ok());
  auto bytes = write_to_memory(*pieces);
  EXPECT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->size(), pieces->size());
  return *std::move(bytes);
}

Result<DataFile> read(Bytes bytes) { return DataFile::read(own_bytes(std::move(bytes)), "x.ptd"); }

std::string error_of(Bytes bytes) {
  const auto file = read(std::move(bytes));
  return file.ok() ? "" : file.error().message();
}

template <class T>
Bytes with(Bytes bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

TEST(DataFile, GivesBackWhatWasWritten) {
  const auto file = read(written({{"b", "second"}, {"a", "first"}, {"empty", ""}}));
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->name(), "x.ptd");
  ASSERT_EQ(file->entries().size(), 3U);
  EXPECT_EQ(file->entries()[0].key, "a");
  EXPECT_EQ(text_of(*file->find("a")), "first");
  EXPECT_EQ(text_of(*file->find("b")), "second");
  EXPECT_TRUE(file->find("empty")->empty());
  EXPECT_FALSE(file->find("c"));
  EXPECT_FALSE(file->find(""));
  const auto none = read(written({}));
  ASSERT_TRUE(none.ok()) << none.error().message();
  EXPECT_TRUE(none->entries().empty());
}

// By FlatTensorSerializer of executorch 1.5.1, with an entry that is a tensor.
TEST(DataFile, WhatExecuTorchsExporterWritesIsRead) {
  const auto mapped = MappedFile::open(SLIPWAY_TEST_DATA "/fuzz/data_file/executorch.ptd");
  ASSERT_TRUE(mapped.ok());
  const auto file = DataFile::read({(*mapped)->bytes(), *mapped}, "executorch.ptd");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_EQ(file->entries().size(), 3U);
  EXPECT_EQ(text_of(*file->find("engine 0")), "an engine");
  EXPECT_EQ(text_of(*file->find("again")), "an engine");
  EXPECT_EQ(file->find("weight")->size(), 16U);
}

TEST(DataFile, EntriesBeginAtPages) {
  const Bytes bytes = written({{"a", "first"}, {"b", "second"}}, uint64_t{1} << 20);
  const auto file = read(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(text_of(std::span(bytes).subspan(size_t{1} << 20, 5)), "first");
  const std::byte* first = file->find("a")->data();
  EXPECT_EQ(file->find("b")->data() - first, static_cast<ptrdiff_t>(kSegmentAlignment));
}

// In a file with a hole, which takes no room.
TEST(DataFile, EntriesMayLiePastFourGibibytes) {
  constexpr uint64_t kSize = uint64_t{5} << 30;
  const Bytes zeros(size_t{16} << 20);
  const ByteSource large(kSize, [&](const ByteSink& sink) -> Status {
    for (uint64_t done = 0; done < kSize; done += zeros.size()) {
      SLIPWAY_RETURN_IF_ERROR(sink(zeros));
    }
    return {};
  });
  const auto pieces = lay_out({{"large", large}, {"small", own_bytes(std::string("end"))}});
  ASSERT_TRUE(pieces.ok());
  auto file = TemporaryFile::create(temporary_folder());
  ASSERT_TRUE(file.ok()) << file.error().message();
  uint64_t at = 0;
  const Status written = pieces->write([&](std::span<const std::byte> bytes) -> Status {
    if (bytes.data() != zeros.data()) SLIPWAY_RETURN_IF_ERROR(file->write_at(at, bytes));
    at += bytes.size();
    return {};
  });
  ASSERT_TRUE(written.ok()) << written.error().message();
  const auto read = DataFile::read(*file->map(), "large.ptd");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->find("large")->size(), kSize);
  EXPECT_EQ(text_of(*read->find("small")), "end");
}

TEST(DataFile, WhatFitsInNoFileIsRefused) {
  const ByteSource most(UINT64_MAX - 10, [](const ByteSink&) -> Status { return {}; });
  EXPECT_FALSE(lay_out({{"a", most}, {"b", most}}).ok());
}

TEST(DataFile, WhatIsNoneIsRefusedByName) {
  EXPECT_THAT(error_of({}), HasSubstr("x.ptd: not a data file: too short"));
  EXPECT_THAT(error_of(Bytes(100)), HasSubstr("not a data file"));
  const Bytes good = written({{"a", "first"}});
  EXPECT_EQ(error_of(good), "");
  EXPECT_THAT(error_of(with(good, 4, 'E')), HasSubstr("but an ExecuTorch program"));
  Bytes newer = with(good, 7, '2');
  EXPECT_EQ(read(newer).error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error_of(newer), HasSubstr("a data file of version FT02"));
  EXPECT_THAT(error_of(with(good, 8, 'X')), HasSubstr("it has no header"));
  EXPECT_THAT(error_of(with(good, 12, uint32_t{39})), HasSubstr("its header is cut short"));
}

TEST(DataFile, OffsetsAreChecked) {
  const Bytes good = written({{"a", "first"}});
  constexpr size_t kTables = 16;
  constexpr size_t kTablesSize = 24;
  constexpr size_t kBase = 32;
  constexpr size_t kSegments = 40;
  for (const uint64_t wrong : {uint64_t{good.size()}, uint64_t{1} << 32, UINT64_MAX - 40}) {
    EXPECT_THAT(error_of(with(good, kTables, wrong)), HasSubstr("its tables take")) << wrong;
    EXPECT_THAT(error_of(with(good, kTablesSize, wrong)), HasSubstr("its tables take")) << wrong;
    EXPECT_THAT(error_of(with(good, kBase, wrong)), HasSubstr("its segments take")) << wrong;
    EXPECT_THAT(error_of(with(good, kSegments, wrong)), HasSubstr("its segments take")) << wrong;
  }
  EXPECT_THAT(error_of(with(good, kBase, uint64_t{16})), HasSubstr("within its tables"));
  EXPECT_THAT(error_of(with(good, kSegments, uint64_t{4})), HasSubstr("segment 0, 5 bytes at 0"));
  EXPECT_THAT(error_of(with(good, kTablesSize, uint64_t{20})), HasSubstr("damaged or cut short"));
}

namespace fb = flat_tensor_flatbuffer;

// A file of these tables, with 8 bytes of segments.
Bytes with_tables(const std::vector<std::pair<const char*, uint32_t>>& entries,
                  uint32_t version = 0, uint64_t offset = 0, uint64_t size = 8) {
  flatbuffers::FlatBufferBuilder fbb;
  std::vector<flatbuffers::Offset<fb::NamedData>> named;
  for (const auto& [key, segment] : entries) {
    const auto text =
        key == nullptr ? flatbuffers::Offset<flatbuffers::String>() : fbb.CreateString(key);
    named.push_back(fb::CreateNamedData(fbb, text, segment));
  }
  const auto segment = fb::CreateDataSegment(fbb, offset, size);
  const auto segments = fbb.CreateVector(&segment, 1);
  fbb.Finish(fb::CreateFlatTensor(fbb, version, segments, fbb.CreateVector(named)), "FT01");
  Bytes bytes(fbb.GetSize() + kPaddedHeaderLength + 64);
  const uint8_t* tables = fbb.GetBufferPointer();
  std::memcpy(bytes.data() + kPaddedHeaderLength, tables, fbb.GetSize());
  std::memcpy(bytes.data(), tables, 8);
  uint32_t root = 0;
  std::memcpy(&root, tables, 4);
  bytes = with(std::move(bytes), 0, root + static_cast<uint32_t>(kPaddedHeaderLength));
  std::memcpy(bytes.data() + 8, "FH01", 4);
  bytes = with(std::move(bytes), 12, kHeaderLength);
  bytes = with(std::move(bytes), 16, uint64_t{kPaddedHeaderLength});
  bytes = with(std::move(bytes), 24, uint64_t{fbb.GetSize()});
  bytes = with(std::move(bytes), 32, uint64_t{fbb.GetSize() + kPaddedHeaderLength});
  return with(std::move(bytes), 40, uint64_t{8});
}

TEST(DataFile, TablesAreChecked) {
  EXPECT_EQ(error_of(with_tables({{"a", 0}, {"b", 0}})), "") << "two keys may share a segment";
  EXPECT_THAT(error_of(with_tables({{"a", 1}})), HasSubstr("entry \"a\" is in segment 1 of 1"));
  EXPECT_THAT(error_of(with_tables({{"a", 0}, {"b", 0}, {"a", 0}})),
              HasSubstr("entry \"a\" is there twice"));
  EXPECT_THAT(error_of(with_tables({{"", 0}})), HasSubstr("entry 0 has a key of 0 bytes"));
  EXPECT_THAT(error_of(with_tables({{nullptr, 0}})), HasSubstr("entry 0 has a key of 0 bytes"));
  const std::string longest(4097, 'k');
  EXPECT_THAT(error_of(with_tables({{longest.c_str(), 0}})), HasSubstr("a key of 4097 bytes"));
  EXPECT_THAT(error_of(with_tables({{"a", 0}}, 1)), HasSubstr("a data file of version 1"));
  EXPECT_THAT(error_of(with_tables({{"a", 0}}, 0, 1)), HasSubstr("8 bytes at 1"));
  EXPECT_THAT(error_of(with_tables({{"a", 0}}, 0, UINT64_MAX)), HasSubstr("is not within 8"));
  EXPECT_THAT(error_of(with_tables({{"a", 0}}, 0, 8, UINT64_MAX)), HasSubstr("is not within 8"));
}

// Read in full, so that a sanitizer sees what would be read outside.
void expect_harmless(Bytes bytes) {
  bytes.shrink_to_fit();
  const auto file = read(std::move(bytes));
  if (!file.ok()) return;
  for (const DataFile::Entry& entry : file->entries()) {
    volatile size_t read = text_of(entry.bytes).size() + file->find(entry.key)->size();
    static_cast<void>(read);
  }
}

TEST(DataFile, CutOrChangedItIsRefusedOrHarmless) {
  const Bytes good = with_tables({{"first", 0}, {"second", 0}});
  for (size_t size = 0; size < good.size(); ++size) {
    expect_harmless(Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(size)));
  }
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int bit : {0, 3, 7}) {
      expect_harmless(with(good, i, good[i] ^ static_cast<std::byte>(1 << bit)));
    }
    expect_harmless(with(good, i, std::byte{0xff}));
  }
}

}  // namespace
}  // namespace slipway::ptd
