#include "pt2/object_pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pt2/archive_test.h"

namespace slipway::pt2 {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kTypes[] = {"a.b", "c.d"};

OwnedSpan span_of(const std::string& text) { return own_bytes(std::string(text)); }

Result<PickledObject> read(const std::string& pickle) {
  return read_object(span_of(pickle), kTypes, "it");
}

std::string error_of(const std::string& pickle) {
  const auto object = read(pickle);
  return object.ok() ? "" : object.error().message();
}

std::string text(const std::string& content) {
  std::string result = "X";
  append<uint32_t>(result, static_cast<uint32_t>(content.size()));
  return result + content;
}

// As TorchScript writes an object whose state is a list of texts.
std::string instance(const std::string& type, const std::string& list) {
  return "\x80\x02"
         "c" +
         type + "\n)\x81" + list + "b.";
}
const std::string kList = "](" + text("x") + text("") + "e";

TEST(ObjectPickle, ReadsAnInstance) {
  const auto object = read(instance("a\nb", kList));
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_EQ(object->type, "a.b");
  EXPECT_THAT(object->state, ElementsAre("x", ""));
}

TEST(ObjectPickle, ReadsAListWithATypeBesideIt) {
  const std::string tagged =
      "ctorch.jit._pickle\nrestore_type_tag\n" + kList + text("List[str]") + "\x86R";
  const auto object = read(instance("c\nd", tagged));
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_EQ(object->type, "c.d");
  EXPECT_THAT(object->state, ElementsAre("x", ""));
}

// Protocol 4, with a frame, a memo, short texts and bytes.
TEST(ObjectPickle, ReadsWhatAFunctionMakes) {
  using namespace std::string_literals;
  const std::string pickle = "\x80\x04\x95"s + std::string(8, '\0') +
                             "\x8c\x01"
                             "c\x94\x8c\x01"
                             "d\x94\x93\x94]\x94(\x8c\x02xy\x94"
                             "C\x02\x00\xff\x94"
                             "h\x04"
                             "e\x85\x94R\x94."s;
  const auto object = read(pickle);
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_EQ(object->type, "c.d");
  EXPECT_THAT(object->state, ElementsAre("xy", "\x00\xff"s, "xy"));
}

// As pickle writes a torch._library.fake_class_registry.FakeScriptObject.
std::string wrapped(const std::string& members) {
  return "\x80\x02"
         "ctorch._library.fake_class_registry\nFakeScriptObject\n)\x81}" +
         members + "b.";
}

TEST(ObjectPickle, LeavesAWrapperAway) {
  const std::string made = "cc\nd\n](" + text("x") + text("y") + "e\x85R";
  const std::string other = "cc\nd\n](" + text("z") + "e\x85R";
  const std::string object = text("real_obj") + made;
  for (const std::string& members :
       {"(" + text("wrapped_obj") + "N" + text("script_class_name") + text("E") + object + "u",
        "(" + text("wrapped_obj") + other + object + "u", object + "s",
        text("real_obj") + other + "s" + object + "s"}) {
    const auto read_object = read(wrapped(members));
    ASSERT_TRUE(read_object.ok()) << read_object.error().message();
    EXPECT_EQ(read_object->type, "c.d");
    EXPECT_THAT(read_object->state, ElementsAre("x", "y"));
  }
  const std::string inner =
      "ctorch._library.fake_class_registry\nFakeScriptObject\n)\x81}" + object + "sb";
  const std::pair<std::string, const char*> refused[] = {
      {"", "FakeScriptObject without an object in it"},
      {text("other") + made + "s", "FakeScriptObject without an object in it"},
      {text("real_obj") + text("x") + "s", "does not hold an object"},
      {text("real_obj") + "Ns", "does not hold an object"},
      {text("real_obj") + inner + "s", "FakeScriptObject whose state is not a list"},
      {"(" + object + text("more") + "u", "has a key without a value"},
      {text("real_obj") + "cos\nsystem\n", "it asks for os.system"},
  };
  for (const auto& [members, problem] : refused) {
    EXPECT_THAT(error_of(wrapped(members)), HasSubstr(problem)) << members;
  }
}

TEST(ObjectPickle, ReadsAZip) {
  const std::string pickle = instance("a\nb", kList);
  const std::string zip = make_zip({{"archive/data.pkl", pickle}, {"archive/version", "3\n"}});
  const auto object = read(zip);
  ASSERT_TRUE(object.ok()) << object.error().message();
  EXPECT_THAT(object->state, ElementsAre("x", ""));
  EXPECT_THAT(error_of(make_zip({{"archive/version", "3\n"}})), HasSubstr("it has no data.pkl"));
}

TEST(ObjectPickle, RunsNothing) {
  EXPECT_THAT(error_of(instance("os\nsystem", kList)),
              HasSubstr("it asks for os.system, which is no object that Slipway knows"));
  EXPECT_THAT(error_of("\x80\x04\x8c\x02os\x8c\x06system\x93]\x85R."), HasSubstr("os.system"));
  EXPECT_THAT(error_of("c__builtin__\neval\n(" + text("1") + "tR."), HasSubstr("__builtin__.eval"));
  // A set, a number, an instance by the old opcode.
  for (const std::string pickle : {"\x8f.", "K\x01.", "(ia\nb\n."}) {
    EXPECT_THAT(error_of(pickle), HasSubstr("it has the opcode")) << pickle;
  }
}

TEST(ObjectPickle, RefusesWhatIsNoSuchObject) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "is cut short"},
      {kList + ".", "does not hold an object"},
      {"ca\nb\n.", "does not hold an object"},
      {"ca\nb\n)\x81.", "whose state is not a list"},
      {instance("a\nb", text("x")), "whose state is not a list"},
      {instance("a\nb", "](]e"), "whose state is not a list of texts"},
      {"(e.", "takes more values than it has"},
      {instance("a\nb", "e"), "has no mark"},
      {instance("a\nb", "h\x05"), "did not put in its memo"},
      {instance("a\nb", "]r\xff\xff\xff\xff"), "has too long a memo"},
      {instance("a\nb", "X\xff\xff\xff\xff"), "is cut short"},
      {instance("a\nb", std::string("\x8d\xff\xff\xff\xff\xff\xff\xff\xff", 9)), "is cut short"},
      {text("f") + ")R.", "calls what is no function"},
      {"ca\nb\n)R.", "other arguments than it takes"},
      {"]]b.", "builds what is no object"},
      {")]a.", "appends to what is no list"},
      {"]" + text("k") + text("v") + "s.", "sets items of what is no dict"},
      {instance("a\nb", "}"), "whose state is not a list"},
      {"](" + std::string(5000, '('), "too many opcodes"},
  };
  for (const auto& [pickle, problem] : cases) EXPECT_THAT(error_of(pickle), HasSubstr(problem));
}

// A list in itself, and an object that is its own state.
TEST(ObjectPickle, FollowsNoKnot) {
  EXPECT_THAT(error_of(instance("a\nb",
                                "]q\x01h\x01"
                                "a")),
              HasSubstr("not a list of texts"));
  EXPECT_THAT(error_of("ca\nb\n)\x81q\x01h\x01"
                       "b."),
              HasSubstr("whose state is not a list"));
}

TEST(ObjectPickle, TakesNoHarmFromDamage) {
  for (const std::string& whole :
       {instance("a\nb", kList), wrapped(text("real_obj") + "cc\nd\n" + kList + "\x85Rs"),
        make_zip({{"archive/data.pkl", instance("a\nb", kList)}})}) {
    for (size_t size = 0; size < whole.size(); ++size)
      EXPECT_FALSE(read(whole.substr(0, size)).ok());
    for (size_t i = 0; i < whole.size(); ++i) {
      for (const int bit : {0, 3, 7}) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        (void)read(flipped);
      }
    }
  }
}

}  // namespace
}  // namespace slipway::pt2
