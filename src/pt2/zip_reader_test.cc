#include "pt2/zip_reader.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "pt2/archive_test.h"

namespace slipway::pt2 {
namespace {

Result<ZipReader> open(const std::string& zip) { return ZipReader::open(own_bytes(zip), "t.zip"); }

// The message of opening the archive and reading all of it; "" where nothing is wrong.
std::string problem_of(const std::string& zip) {
  auto reader = open(zip);
  if (!reader.ok()) return reader.error().message();
  for (const ZipEntry& entry : reader->entries()) {
    if (auto data = reader->read(entry); !data.ok()) return data.error().message();
  }
  return "";
}

std::string problem_of(const std::vector<TestEntry>& entries) {
  return problem_of(make_zip(entries));
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks " << part;
}

TEST(ZipReader, StoredEntriesAreSpansOfTheArchive) {
  const OwnedSpan archive = own_bytes(make_zip({{"m/a", "first"}, {"m/b", ""}, {"m/c", "third"}}));
  auto zip = ZipReader::open(archive, "t.zip");
  ASSERT_TRUE(zip.ok()) << zip.error().message();
  ASSERT_EQ(zip->entries().size(), 3U);
  EXPECT_EQ(zip->entries()[2].name, "m/c");
  auto data = zip->read("m/c");
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(text_of(*data), "third");
  EXPECT_EQ(data->bytes.data(), archive.bytes.data() + zip->find("m/c")->data_offset);
  EXPECT_EQ(text_of(*zip->read("m/b")), "");
  EXPECT_EQ(zip->find("m/d"), nullptr);
  expect_contains(zip->read("m/d").error().message(), "t.zip has no entry \"m/d\"");
}

TEST(ZipReader, DeflatedEntriesAreInflated) {
  std::string long_text;
  for (int i = 0; i < 250'000; ++i) long_text += std::to_string(i * 7919) + " ";
  const std::vector<TestEntry> entries = {
      {"a", long_text, 8}, {"b", "short", 8}, {"c", "", 8}, {"d", std::string(3 << 20, 'x'), 8}};
  const auto read_all = [&] {
    auto zip = open(make_zip(entries));
    ASSERT_TRUE(zip.ok()) << zip.error().message();
    for (const TestEntry& entry : entries) {
      auto data = zip->read(entry.name);
      ASSERT_TRUE(data.ok()) << data.error().message();
      EXPECT_EQ(text_of(*data), entry.data) << entry.name;
    }
  };
  read_all();
  // The long ones go to memory where there is no folder for them.
  const char* const folder = std::getenv("TMPDIR");
  const std::string before = folder == nullptr ? "" : folder;
  ::setenv("TMPDIR", "/nowhere", 1);
  read_all();
  if (folder == nullptr) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", before.c_str(), 1);
  }
}

TEST(ZipReader, Zip64FieldsDescriptorsAndComments) {
  EXPECT_EQ(problem_of({{.name = "wide", .data = "data", .zip64 = true}}), "");
  EXPECT_EQ(problem_of({{.name = "after", .data = "data", .flags = 0x808}}), "");
  EXPECT_EQ(problem_of(make_zip({{"a", "data"}}, -1, "a comment that ends with PK\5\6")), "");
  // PyTorch's own archives have a zip64 end record and 64-byte alignment.
  for (const TestEntry& entry : entries_of(SLIPWAY_TEST_DATA "/golden/mlp.pt2")) {
    EXPECT_FALSE(entry.data.empty()) << entry.name;
  }
  EXPECT_EQ(entries_of(SLIPWAY_TEST_DATA "/golden/mlp.pt2").size(), 13U);
}

TEST(ZipReader, RefusesWhatIsNoZip) {
  expect_contains(problem_of(std::string()), "not a zip archive");
  expect_contains(problem_of(std::string("PK")), "not a zip archive");
  expect_contains(problem_of(std::string(100'000, 'x')), "not a zip archive");
  expect_contains(problem_of(make_zip({{"a", "data"}}, 2)), "entries");
  expect_contains(problem_of(make_zip({{"a", "data"}}, 65000)), "claims 65000 entries");
}

TEST(ZipReader, RefusesBadNames) {
  for (const std::string name :
       {"", "/a", "a//b", "../a", "a/../b", "a/.", "a\\b", "a\nb", "a/..", "./a"}) {
    expect_contains(problem_of({{name, "data"}}), "the name");
  }
  expect_contains(problem_of({{std::string(5000, 'n'), "data"}}), "too long");
  EXPECT_EQ(problem_of({{"folder/", ""}, {"folder/.data/a..b", "x"}}), "");
  expect_contains(problem_of({{"folder/", "data"}}), "folder with content");
}

TEST(ZipReader, RefusesEntriesThatContradictThemselves) {
  expect_contains(problem_of({{"a", "1"}, {"b", "2"}, {"a", "3"}}), "two entries \"a\"");
  expect_contains(problem_of({{"a", "data"}, {.name = "b", .data = "x", .claimed_offset = 0}}),
                  "differs between its header");
  expect_contains(problem_of({{.name = "a", .data = "x", .claimed_offset = 0x7fffffff}}),
                  "not where the zip directory says");
  expect_contains(problem_of({{.name = "a", .data = "x", .claimed_size = 1000}}),
                  "past the end of the data");
  expect_contains(problem_of({{.name = "a", .data = "x", .claimed_size = 20}, {"b", "0123456789"}}),
                  "overlap");
  expect_contains(problem_of({{.name = "a", .data = "x", .local_name = "b"}}),
                  "differs between its header");
  expect_contains(problem_of({{.name = "a", .data = "x", .claimed_crc = 1}}), "CRC-32");
  expect_contains(problem_of({{.name = "a", .data = "x", .flags = 1}}), "encrypted");
  expect_contains(problem_of({{.name = "a", .data = "x", .method = 14}}), "method 14");
}

TEST(ZipReader, InflatesNoFurtherThanClaimedAndAllowed) {
  const std::string data(1000, 'z');
  expect_contains(problem_of({{.name = "a", .data = data, .method = 8, .claimed_size = 999}}),
                  "deflated data is wrong");
  expect_contains(problem_of({{.name = "a", .data = data, .method = 8, .claimed_size = 1001}}),
                  "deflated data is wrong");
  expect_contains(problem_of({{.name = "a", .data = data, .method = 8, .claimed_size = 500000}}),
                  "can't inflate to 500000");
  expect_contains(
      problem_of({{.name = "a", .data = data, .method = 8, .claimed_size = 0xfffffffe}}),
      "claims to inflate to 4294967294 bytes");
  // Two bombs of 5 MiB: the first is within the allowance, both together are not.
  const std::string bomb(5 << 20, '\0');
  expect_contains(problem_of({{"a", bomb, 8}, {"b", bomb, 8}}), "entry \"b\" claims to inflate");
}

TEST(ZipReader, TruncationIsAlwaysFound) {
  const std::string zip = make_zip({{"m/a", "first"}, {.name = "m/b", .data = "2", .zip64 = true}});
  for (size_t size = 0; size < zip.size(); ++size) {
    EXPECT_NE(problem_of(zip.substr(0, size)), "") << size;
  }
}

}  // namespace
}  // namespace slipway::pt2
