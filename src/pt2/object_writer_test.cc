#include "pt2/object_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/piece_writer.h"
#include "pt2/archive_test.h"
#include "pt2/object_pickle.h"
#include "pt2/pickle_writer.h"

namespace slipway::pt2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kTypes[] = {"a.b.f", "a.b.C"};

OwnedSpan bytes_of(const ByteSource& source) {
  PieceList pieces;
  pieces.add(source);
  auto bytes = write_to_memory(pieces);
  return bytes.ok() ? own_bytes(*std::move(bytes)) : OwnedSpan();
}

std::vector<ByteSource> texts(const std::vector<std::string>& all) {
  std::vector<ByteSource> sources;
  for (const std::string& text : all) sources.emplace_back(own_bytes(std::string(text)));
  return sources;
}

const std::vector<std::string> kTexts = {"10", "", "caf\xc3\xa9", std::string(100000, 'A')};

TEST(ObjectWriter, AnOpaqueObjectIsReadBack) {
  const auto object =
      read_object(bytes_of(write_opaque_object("a.b.f", texts(kTexts))), kTypes, "it");
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_EQ(object->type, "a.b.f");
  EXPECT_THAT(object->state, testing::ElementsAreArray(kTexts));
}

TEST(ObjectWriter, ACustomObjectIsReadBack) {
  const auto written = write_custom_object("a.b.C", texts(kTexts));
  ASSERT_TRUE(written.ok()) << written.error().message();
  const auto object = read_object(bytes_of(*written), kTypes, "it");
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_EQ(object->type, "a.b.C");
  EXPECT_THAT(object->state, testing::ElementsAreArray(kTexts));
}

TEST(ObjectWriter, AnObjectWithoutTextsIsReadBack) {
  const auto object = read_object(bytes_of(write_opaque_object("a.b.f", {})), kTypes, "it");
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_THAT(object->state, ElementsAre());
}

// Nothing is made before it is written, so that a text of any length costs nothing here.
TEST(ObjectWriter, TextsPast4GiBAreForPlainPickles) {
  const auto large = [] {
    std::vector<ByteSource> list;
    list.emplace_back(uint64_t{5} << 30, [](const ByteSink&) -> Status { return {}; });
    return list;
  };
  EXPECT_EQ(write_opaque_object("a.b.f", large()).size(),
            (uint64_t{5} << 30) + 2 + 7 + 1 + 2 + 9 + 1 + 3);
  const auto written = write_custom_object("a.b.C", large());
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(written.error().message(), HasSubstr("4 GiB"));
}

TEST(PickleWriter, WritesWhatPythonReads) {
  PickleWriter pickle(4);
  pickle.begin_dictionary();
  pickle.add_text(std::string("k"));
  pickle.begin_list();
  pickle.add_integer(-2);
  pickle.add_integer(int64_t{1} << 40);
  pickle.add_flag(true);
  pickle.add_none();
  pickle.end_list();
  pickle.end_dictionary();
  PieceList pieces = pickle.finish();
  const auto bytes = write_to_memory(pieces);
  ASSERT_TRUE(bytes.ok());
  using namespace std::string_literals;
  EXPECT_EQ(text_of({*bytes, nullptr}),
            "\x80\x04}(X\x01\0\0\0k](J\xfe\xff\xff\xff\x8a\x08\0\0\0\0\0\x01\0\0\x88Neu."s);
}

}  // namespace
}  // namespace slipway::pt2
