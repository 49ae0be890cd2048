#include "tensorrt/format/blob.h"

#include <cstring>
#include <string>
#include <sys/mman.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mapped_file.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Metadata plain() {
  Metadata metadata;
  metadata.io_bindings = {{"x", "float32", {-1, 3}, true}, {"y", "float16", {}, false}};
  return metadata;
}

Metadata aliased() {
  Metadata metadata;
  metadata.io_bindings = {{"in_k", "float16", {1, 4, 16, 8}, true},
                          {"position", "int64", {}, true},
                          {"out_k", "float16", {1, 4, 16, 8}, false},
                          {"logits \"\xc3\xa9\xf0\x9f\x98\x80\"\n\x7f", "float32", {-1}, false}};
  metadata.aliased_io = {{"out_k", "in_k", "kv_cache_update"}};
  metadata.hardware_compatible = true;
  metadata.device_id = 6;
  metadata.serialized_metadata = R"({"library":"TensorRT-RTX"})";
  metadata.target_platform = "linux_x86_64";
  return metadata;
}

Bytes blob_of(const Metadata& metadata, std::string_view plan) {
  auto header = write_header(metadata, plan.size());
  EXPECT_TRUE(header.ok()) << header.error().message();
  const Bytes bytes = bytes_of(plan);
  header->insert(header->end(), bytes.begin(), bytes.end());
  return *header;
}

// "" where it is read.
std::string error_of(std::span<const std::byte> bytes) {
  const auto blob = read_blob(bytes);
  return blob.ok() ? "" : blob.error().message();
}

// A field of the header, whose layout the tests state for themselves.
template <class T>
void set(Bytes& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}
template <class T>
T get(const Bytes& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}
constexpr size_t kMetadataOffset = 4;
constexpr size_t kMetadataSize = 8;
constexpr size_t kPlanOffset = 12;
constexpr size_t kPlanSize = 16;

// A blob with this text as its metadata.
Bytes with_metadata(std::string_view text, std::string_view magic = "TR01") {
  Bytes bytes(32);
  std::memcpy(bytes.data(), magic.data(), 4);
  set<uint32_t>(bytes, kMetadataOffset, 32);
  set(bytes, kMetadataSize, static_cast<uint32_t>(text.size()));
  const Bytes metadata = bytes_of(text);
  bytes.insert(bytes.end(), metadata.begin(), metadata.end());
  bytes.resize((bytes.size() + 15) / 16 * 16);
  set(bytes, kPlanOffset, static_cast<uint32_t>(bytes.size()));
  set<uint64_t>(bytes, kPlanSize, 4);
  bytes.resize(bytes.size() + 4);
  return bytes;
}

TEST(TensorRtBlobTest, TheBytesAreThoseOfTheFormat) {
  const Bytes blob = blob_of(plain(), "plan");
  const std::string metadata =
      R"({"io_bindings":[{"name":"x","dtype":"float32","shape":[-1,3],"is_input":true},)"
      R"({"name":"y","dtype":"float16","shape":[],"is_input":false}],"aliased_io":[],)"
      R"("hardware_compatible":false,"device_id":0,"serialized_metadata":"","target_platform":""})";
  EXPECT_EQ(text_of(blob).substr(0, 4), "TR01");
  EXPECT_EQ(get<uint32_t>(blob, kMetadataOffset), 32u);
  EXPECT_EQ(get<uint32_t>(blob, kMetadataSize), metadata.size());
  EXPECT_EQ(text_of(blob).substr(32, metadata.size()), metadata);
  const auto plan = get<uint32_t>(blob, kPlanOffset);
  EXPECT_EQ(plan, (32 + metadata.size() + 15) / 16 * 16);
  EXPECT_EQ(get<uint64_t>(blob, kPlanSize), 4u);
  EXPECT_EQ(get<uint64_t>(blob, 24), 1u);
  EXPECT_EQ(text_of(blob).substr(32 + metadata.size()),
            std::string(plan - 32 - metadata.size(), '\0') + "plan");
  EXPECT_EQ(text_of(blob_of(aliased(), "plan")).substr(0, 4), "TR02");
}

// The peers suite compares the same file with what Python writes.
TEST(TensorRtBlobTest, TheSameMetadataGivesTheSameFile) {
  const auto stored = MappedFile::open(SLIPWAY_TEST_DATA "/tensorrt/aliased.blob");
  ASSERT_TRUE(stored.ok()) << stored.error().message();
  EXPECT_EQ(text_of(blob_of(aliased(), "the plan of an engine")), text_of((*stored)->bytes()));
}

TEST(TensorRtBlobTest, EverythingIsReadBack) {
  for (const Metadata& metadata : {plain(), aliased()}) {
    const Bytes bytes = blob_of(metadata, "the plan");
    const auto blob = read_blob(bytes);
    ASSERT_TRUE(blob.ok()) << blob.error().message();
    EXPECT_EQ(blob->metadata, metadata);
    EXPECT_EQ(text_of(blob->plan), "the plan");
    EXPECT_EQ((blob->plan.data() - bytes.data()) % 16, 0);
  }
}

// Nothing but the header is touched, so that a plan of any size costs nothing.
TEST(TensorRtBlobTest, PlansPastTwoAndFourGigabytesAreRead) {
  for (const uint64_t size : {(uint64_t{1} << 31) - 1, uint64_t{1} << 31, uint64_t{1} << 32,
                              (uint64_t{1} << 32) + 1, uint64_t{9'000'000'000}}) {
    const auto header = write_header(plain(), size);
    ASSERT_TRUE(header.ok()) << header.error().message();
    const size_t length = header->size() + size;
    void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    std::memcpy(memory, header->data(), header->size());
    auto* last = static_cast<std::byte*>(memory) + length - 1;
    *last = std::byte{42};
    const std::span bytes(static_cast<const std::byte*>(memory), length);
    const auto blob = read_blob(bytes);
    ASSERT_TRUE(blob.ok()) << blob.error().message();
    EXPECT_EQ(blob->plan.size(), size);
    EXPECT_EQ(&blob->plan.back(), last);
    EXPECT_THAT(error_of(bytes.first(length - 1)), HasSubstr("is not within"));
    ::munmap(memory, length);
  }
}

TEST(TensorRtBlobTest, WhatCannotBeReadBackIsNotWritten) {
  const auto error = [](const Metadata& metadata, uint64_t size) {
    const auto header = write_header(metadata, size);
    if (header.ok()) return std::string();
    EXPECT_EQ(header.error().code(), ErrorCode::kInvalidArgument);
    return header.error().message();
  };
  EXPECT_EQ(error(plain(), 1), "");
  EXPECT_THAT(error(plain(), 0), HasSubstr("has 0 bytes"));
  EXPECT_THAT(error(plain(), UINT64_MAX), HasSubstr("has 18446744073709551615 bytes"));
  Metadata metadata = plain();
  metadata.io_bindings[0].name = "\xff";
  EXPECT_THAT(error(metadata, 1), HasSubstr("not UTF-8"));
  metadata.io_bindings[0].name = "y";
  EXPECT_THAT(error(metadata, 1), HasSubstr("'y' is there twice"));
  metadata = plain();
  metadata.io_bindings[0].shape = std::vector<int64_t>(9, 1);
  EXPECT_THAT(error(metadata, 1), HasSubstr("no tensor of TensorRT"));
  metadata = plain();
  metadata.aliased_io = {{"x", "y", "user"}};
  EXPECT_THAT(error(metadata, 1), HasSubstr("no such binding"));
}

TEST(TensorRtBlobTest, EveryTruncationIsFound) {
  const Bytes bytes = blob_of(aliased(), "plan");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(error_of(Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size))), "")
        << size;
  }
}

// A flip may change what is said, but neither what is checked nor where the plan lies.
TEST(TensorRtBlobTest, NoFlipLeadsOutside) {
  const Bytes good = blob_of(aliased(), "plan");
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int mask : {0x01, 0x20, 0x80, 0xff}) {
      Bytes bytes = good;
      bytes[i] ^= static_cast<std::byte>(mask);
      const auto blob = read_blob(bytes);
      if (!blob.ok()) continue;
      EXPECT_GE(i, 4u);
      const auto start = static_cast<size_t>(blob->plan.data() - bytes.data());
      EXPECT_LE(start + blob->plan.size(), bytes.size());
      EXPECT_TRUE(write_header(blob->metadata, blob->plan.size()).ok());
    }
  }
}

TEST(TensorRtBlobTest, BadHeadersAreRefused) {
  const Bytes good = blob_of(plain(), "plan");
  const auto error_with = [&](size_t offset, auto value) {
    Bytes bytes = good;
    set(bytes, offset, value);
    return error_of(bytes);
  };
  const auto metadata_size = get<uint32_t>(good, kMetadataSize);
  const auto plan_offset = get<uint32_t>(good, kPlanOffset);
  EXPECT_THAT(error_with(0, 'X'), HasSubstr("neither TR01 nor TR02"));
  EXPECT_THAT(error_with(3, '3'), HasSubstr("neither TR01 nor TR02"));
  // As Torch-TensorRT wrote engines before: a list of 12 texts, the first of which is "9" or "10".
  Bytes list(64);
  set(list, 0, uint32_t{12});
  set(list, 4, uint32_t{1});
  set(list, 8, '9');
  EXPECT_THAT(error_of(list), HasSubstr("as Torch-TensorRT 2.12 wrote engines"));
  EXPECT_THAT(error_of(list), HasSubstr("export the program again"));
  set(list, 8, 'x');
  EXPECT_THAT(error_of(list), HasSubstr("neither TR01 nor TR02"));
  // Into the header, into the plan, past 32 bits.
  EXPECT_THAT(error_with(kMetadataOffset, uint32_t{31}), HasSubstr("not between"));
  EXPECT_THAT(error_with(kMetadataOffset, uint32_t{0}), HasSubstr("not between"));
  EXPECT_THAT(error_with(kMetadataSize, plan_offset - 31), HasSubstr("not between"));
  EXPECT_THAT(error_with(kMetadataSize, UINT32_MAX), HasSubstr("not between"));
  EXPECT_THAT(error_with(kMetadataOffset, UINT32_MAX - metadata_size + 1),
              HasSubstr("not between"));
  EXPECT_THAT(error_with(kPlanOffset, uint32_t{0}), HasSubstr("not between"));
  EXPECT_THAT(error_with(kPlanOffset, uint32_t{32}), HasSubstr("not between"));
  for (const uint32_t shift : {1, 4, 8, 15}) {
    EXPECT_THAT(error_with(kPlanOffset, plan_offset + shift), HasSubstr("not a multiple of 16"));
  }
  EXPECT_THAT(error_with(kPlanOffset, plan_offset + 16), HasSubstr("is not within"));
  EXPECT_THAT(error_with(kPlanOffset, uint32_t{0xfffffff0}), HasSubstr("is not within"));
  // The sum of offset and size wraps around for some of these.
  for (const uint64_t size :
       {uint64_t{5}, uint64_t{1} << 32, UINT64_MAX, UINT64_MAX - plan_offset,
        UINT64_MAX - plan_offset + 1, UINT64_MAX - plan_offset + 5, uint64_t{1} << 63}) {
    EXPECT_THAT(error_with(kPlanSize, size), HasSubstr("is not within"));
  }
  EXPECT_THAT(error_with(kPlanSize, uint64_t{0}),
              HasSubstr("its plan has no bytes, and no key of named data (engine_key)"));
  // What follows the plan, and what is reserved, is not looked at.
  Bytes longer = good;
  longer.resize(longer.size() + 7);
  EXPECT_EQ(error_of(longer), "");
  EXPECT_EQ(error_with(24, uint64_t{0}), "");
}

TEST(TensorRtBlobTest, BehindTheMagicOfAliasesThereAreSome) {
  Bytes bytes = blob_of(plain(), "plan");
  set(bytes, 3, '2');
  EXPECT_THAT(error_of(bytes), HasSubstr("it begins with TR02, and has no aliases"));
  // Behind the other one there may be, too.
  bytes = blob_of(aliased(), "plan");
  set(bytes, 3, '1');
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  EXPECT_EQ(blob->metadata, aliased());
}

// A reader of before it finds all that it knows where it was.
TEST(TensorRtBlobTest, ThePlansDigestIsTheLastField) {
  Metadata metadata = plain();
  metadata.engine_sha256 = std::string(62, '0') + "af";
  const Bytes bytes = blob_of(metadata, "plan");
  EXPECT_THAT(text_of(bytes), HasSubstr(R"("target_platform":"","engine_sha256":"000000)"));
  EXPECT_EQ(read_blob(bytes)->metadata, metadata);
  for (const std::string& wrong :
       {std::string(63, '0'), std::string(65, '0'), std::string(64, 'A'), std::string("no")}) {
    metadata.engine_sha256 = wrong;
    EXPECT_THAT(write_header(metadata, 4).error().message(), HasSubstr("SHA-256")) << wrong;
  }
}

TEST(TensorRtBlobTest, APlanMayBeNamedData) {
  Metadata metadata = plain();
  metadata.engine_key = "engine 0";
  metadata.engine_target = "sm_80,sm_86";
  const Bytes bytes = blob_of(metadata, "");
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  EXPECT_EQ(blob->metadata, metadata);
  EXPECT_TRUE(blob->plan.empty());
  EXPECT_FALSE(write_header(metadata, 4).ok()) << "a plan in two places";
  EXPECT_THAT(error_of(with_metadata(R"({"io_bindings":[{"name":"x","is_input":true}],)"
                                     R"("engine_key":"k"})")),
              HasSubstr("its plan is there, and somewhere else, too"));
  EXPECT_THAT(error_of(with_metadata(R"({"io_bindings":[{"name":"x","is_input":true}],)"
                                     R"("engine_key":""})")),
              HasSubstr("its plan has an empty key"));
}

// Names that are spelled as fields are.
TEST(TensorRtBlobTest, OnlyFieldsOfTheTopAreRead) {
  const auto device_of = [](const std::string& fields, const std::string& name = "x") {
    const Bytes bytes = with_metadata(R"({"io_bindings":[{"name":")" + name +
                                      R"(","is_input":true,"device_id":9}],)" + fields + "}");
    const auto blob = read_blob(bytes);
    EXPECT_TRUE(blob.ok()) << blob.error().message();
    return blob.ok() ? blob->metadata.device_id : -1;
  };
  EXPECT_EQ(device_of(R"("device_id":3)"), 3);
  EXPECT_EQ(device_of(R"("unrelated":{"device_id":0},"device_id":9)"), 9);
  EXPECT_EQ(device_of(R"("device_id":7)", "device_id"), 7);
  EXPECT_EQ(device_of(R"("serialized_metadata":"device_id","device_id":6)", "aliased_io"), 6);
  EXPECT_EQ(device_of(R"("serialized_metadata":"\"device_id\":5")"), 0);
}

TEST(TensorRtBlobTest, EscapesInNamesAreRead) {
  const Bytes bytes = with_metadata(
      R"({"io_bindings":[{"name":"a\"b","is_input":true},{"name":"c\\d","is_input":true},)"
      R"({"name":"e\/f","is_input":false}]})");
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  EXPECT_EQ(blob->metadata.io_bindings[0].name, "a\"b");
  EXPECT_EQ(blob->metadata.io_bindings[1].name, "c\\d");
  EXPECT_EQ(blob->metadata.io_bindings[2].name, "e/f");
}

TEST(TensorRtBlobTest, OtherOrdersAndUnknownFieldsAreRead) {
  const Bytes bytes = with_metadata(
      R"( {"later":{"device_id":1,"a":[[]]}, "target_platform":"p", "device_id":9,)"
      R"("aliased_io":[{"kind":"user","x":null,"input":"i","output":"o"}],)"
      R"("io_bindings":[{"is_input":true,"name":"i","is_shape_tensor":false},)"
      R"({"shape":[2],"is_input":false,"dtype":"int32","name":"o"}],"serialized_metadata":"s",)"
      R"("hardware_compatible":true} )",
      "TR02");
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  Metadata expected;
  expected.io_bindings = {{"i", "", {}, true}, {"o", "int32", {2}, false}};
  expected.aliased_io = {{"o", "i", "user"}};
  expected.hardware_compatible = true;
  expected.device_id = 9;
  expected.serialized_metadata = "s";
  expected.target_platform = "p";
  EXPECT_EQ(blob->metadata, expected);
}

TEST(TensorRtBlobTest, FieldsThatOlderWritersLackHaveDefaults) {
  const Bytes bytes = with_metadata(R"({"io_bindings":[{"name":"x","is_input":true}]})");
  const auto blob = read_blob(bytes);
  ASSERT_TRUE(blob.ok()) << blob.error().message();
  Metadata expected;
  expected.io_bindings = {{"x", "", {}, true}};
  EXPECT_EQ(blob->metadata, expected);
  const auto aliased = read_blob(with_metadata(
      R"({"io_bindings":[{"name":"x","is_input":true},{"name":"y","is_input":false}],)"
      R"("aliased_io":[{"output":"y","input":"x"}]})"));
  ASSERT_TRUE(aliased.ok()) << aliased.error().message();
  EXPECT_EQ(aliased->metadata.aliased_io[0].kind, "kv_cache_update");
}

TEST(TensorRtBlobTest, MissingAndWrongFieldsAreNamed) {
  const auto error = [](std::string_view text) { return error_of(with_metadata(text)); };
  EXPECT_THAT(error(""), HasSubstr("its metadata: it is not JSON"));
  EXPECT_THAT(error("[]"), HasSubstr("the top level is not an object"));
  EXPECT_THAT(error(R"({"io_bindings":[]}{})"), HasSubstr("is not JSON"));
  EXPECT_THAT(error("{}"), HasSubstr(R"(has no "io_bindings")"));
  EXPECT_THAT(error(R"({"io_bindings":{}})"), HasSubstr("io_bindings is not an array"));
  EXPECT_THAT(error(R"({"io_bindings":[1]})"), HasSubstr("io_bindings[0] is not an object"));
  EXPECT_THAT(error(R"({"io_bindings":[{"name":"x"}]})"),
              HasSubstr(R"(io_bindings[0] has no "is_input")"));
  EXPECT_THAT(error(R"({"io_bindings":[{"is_input":true}]})"), HasSubstr(R"(has no "name")"));
  EXPECT_THAT(error(R"({"io_bindings":[{"name":"","is_input":true}]})"), HasSubstr("0 bytes"));
  EXPECT_THAT(error(R"({"io_bindings":[{"name":"x","is_input":1}]})"),
              HasSubstr("is_input is not true or false"));
  const auto error_with = [&](const std::string& fields) {
    return error(R"({"io_bindings":[{"name":"x","is_input":true},{"name":"y","is_input":false}],)" +
                 fields + "}");
  };
  EXPECT_EQ(error_with(R"("device_id":2147483647)"), "");
  EXPECT_THAT(error_with(R"("device_id":2147483648)"), HasSubstr("its device is 2147483648"));
  EXPECT_EQ(error_with(R"("device_id":-1)"), "");
  EXPECT_EQ(error_with(R"("device_id":-2147483648)"), "");
  EXPECT_THAT(error_with(R"("device_id":-2147483649)"), HasSubstr("its device is -2147483649"));
  EXPECT_THAT(error_with(R"("device_id":4294967297)"), HasSubstr("its device is 4294967297"));
  EXPECT_NE(error_with(R"("device_id":99999999999999999999)"), "");
  EXPECT_NE(error_with(R"("hardware_compatible":truex)"), "");
  EXPECT_NE(error_with(R"("device_id":1x)"), "");
  EXPECT_THAT(error_with(R"("device_id":"0")"), HasSubstr("device_id is not an integer"));
  EXPECT_THAT(error_with(R"("device_id":0.5)"), HasSubstr("device_id is not an integer"));
  EXPECT_THAT(error_with(R"("hardware_compatible":0)"), HasSubstr("is not true or false"));
  EXPECT_THAT(error_with(R"("serialized_metadata":null)"), HasSubstr("is not a string"));
  EXPECT_THAT(error_with(R"("target_platform":[])"), HasSubstr("is not a string"));
  EXPECT_EQ(error_with(R"("aliased_io":[{"output":"y","input":"x"}])"), "");
  EXPECT_THAT(error_with(R"("aliased_io":[{"input":"x","kind":"user"}])"),
              HasSubstr(R"(aliased_io[0] has no "output")"));
  EXPECT_THAT(error_with(R"("aliased_io":[{"output":"y","input":"","kind":"user"}])"),
              HasSubstr("no such binding"));
  const std::string alias = R"({"output":"y","input":"x","kind":"user"})";
  EXPECT_THAT(error_with(R"("aliased_io":[)" + alias + "," + alias + "]"),
              HasSubstr("or has an alias already"));
  EXPECT_THAT(error_with(R"("aliased_io":[{"output":"x","input":"y","kind":"user"}])"),
              HasSubstr("no such binding"));
  EXPECT_THAT(error(R"({"io_bindings":[{"name":"x","is_input":true,"shape":[-2]}]})"),
              HasSubstr("no tensor of TensorRT"));
  EXPECT_THAT(error(R"({"io_bindings":[{"name":"x","is_input":true,"shape":["3"]}]})"),
              HasSubstr("shape[0] is not an integer"));
}

TEST(TensorRtBlobTest, DepthAndCountsAreBounded) {
  constexpr size_t kDepth = 200'000;
  const std::string deep = std::string(kDepth, '[') + std::string(kDepth, ']');
  EXPECT_THAT(error_of(with_metadata(R"({"io_bindings":)" + deep + "}")), HasSubstr("nests past"));
  std::string many = R"({"later":[0)";
  for (int i = 0; i < (1 << 20); ++i) many += ",0";
  EXPECT_THAT(error_of(with_metadata(many + "]}")), HasSubstr("values in"));
  std::string bindings = R"({"io_bindings":[{"name":"x","is_input":true})";
  for (int i = 0; i < (1 << 16); ++i) {
    bindings += R"(,{"name":")" + std::to_string(i) + R"(","is_input":true})";
  }
  EXPECT_THAT(error_of(with_metadata(bindings + "]}")), HasSubstr("it has 65537 bindings"));
  const std::string name(1 << 17, 'n');
  EXPECT_THAT(
      error_of(with_metadata(R"({"io_bindings":[{"name":")" + name + R"(","is_input":true}]})")),
      HasSubstr("a name of 131072 bytes"));
  for (const char* field : {"target_platform", "engine_target", "engine_key"}) {
    EXPECT_THAT(error_of(with_metadata(std::string(R"({"io_bindings":[],")") + field + R"(":")" +
                                       name + R"("})")),
                HasSubstr("a text of 131072 bytes"))
        << field;
  }
}

}  // namespace
}  // namespace slipway::tensorrt
