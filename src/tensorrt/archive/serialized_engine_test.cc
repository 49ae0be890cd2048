#include "tensorrt/archive/serialized_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipway::tensorrt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Items = std::vector<std::string_view>;

const Items kItems = {"10",
                      "part_0_engine",
                      "2%8%6%0%NVIDIA RTX A6000",
                      "ZnRydCBieXRlcw==",
                      "x%mask",
                      "y",
                      "1",
                      "bWV0YQ==",
                      "linux_x86_64",
                      "0",
                      "1",
                      "0",
                      "y@x@user"};

Items with(size_t item, std::string_view text) {
  Items items = kItems;
  items[item] = text;
  return items;
}

std::string error_of(const Items& items) {
  const auto engine = read_serialized_engine(items, nullptr);
  return engine.ok() ? "" : engine.error().message();
}

std::string plan_of(const Items& items) {
  const auto engine = read_serialized_engine(items, nullptr);
  if (!engine.ok()) return engine.error().message();
  return {reinterpret_cast<const char*>(engine->plan.bytes.data()), engine->plan.bytes.size()};
}

TEST(SerializedEngine, HasWhatItsItemsSay) {
  const auto engine = read_serialized_engine(kItems, nullptr);
  ASSERT_TRUE(engine.ok()) << engine.error().message();
  EXPECT_EQ(engine->abi_version, "10");
  EXPECT_EQ(engine->name, "part_0_engine");
  EXPECT_EQ(engine->device_id, 2);
  EXPECT_EQ(engine->capability, "sm_86");
  EXPECT_EQ(engine->device_name, "NVIDIA RTX A6000");
  EXPECT_THAT(engine->inputs, ElementsAre("x", "mask"));
  EXPECT_THAT(engine->outputs, ElementsAre("y"));
  EXPECT_TRUE(engine->hardware_compatible);
  EXPECT_EQ(engine->metadata, "bWV0YQ==");
  EXPECT_EQ(engine->target_platform, "linux_x86_64");
  EXPECT_FALSE(engine->needs_output_allocator);
  EXPECT_FALSE(engine->needs_several_devices);
  ASSERT_EQ(engine->aliases.size(), 1U);
  EXPECT_EQ(engine->aliases[0].output, "y");
  EXPECT_EQ(engine->aliases[0].input, "x");
  EXPECT_EQ(engine->aliases[0].kind, "user");
}

// In Base64, or as it is; a tensor's bytes are taken as they are, whatever they look like.
TEST(SerializedEngine, PlansComeInSeveralForms) {
  using namespace std::string_literals;
  EXPECT_EQ(plan_of(kItems), "ftrt bytes");
  EXPECT_EQ(plan_of(with(3, "ZnRydCBi\neXRlcw==\n")), "ftrt bytes");
  EXPECT_EQ(plan_of(with(3, "ftrt\xff raw")), "ftrt\xff raw");
  EXPECT_EQ(plan_of(with(3, "vtrt raw")), "vtrt raw");
  const OwnedSpan bytes = own_bytes("ZnRydCBieXRlcw=="s);
  const auto engine = read_serialized_engine(with(3, ""), nullptr, &bytes);
  ASSERT_TRUE(engine.ok());
  EXPECT_EQ(engine->plan.bytes.data(), bytes.bytes.data());
  // Pieces are decoded one after the other.
  const std::string large(size_t{3} << 20, 'A');
  EXPECT_EQ(plan_of(with(3, large)), std::string(large.size() / 4 * 3, '\0'));
}

TEST(SerializedEngine, OlderOnesHaveFewerItems) {
  for (const auto& [version, count] : {std::pair("7", 10), {"8", 11}, {"9", 12}, {"10", 13}}) {
    Items items = with(0, version);
    items.resize(static_cast<size_t>(count));
    const auto engine = read_serialized_engine(items, nullptr);
    ASSERT_TRUE(engine.ok()) << engine.error().message();
    EXPECT_EQ(engine->abi_version, version);
    EXPECT_EQ(engine->aliases.empty(), count < 13);
    items.pop_back();
    EXPECT_THAT(error_of(items),
                HasSubstr("and an engine of ABI " + std::string(version) + " has"));
  }
  for (const char* version : {"6", "11", "", "1 0"}) {
    EXPECT_THAT(error_of(with(0, version)), HasSubstr("and Slipway reads 7 to 10")) << version;
  }
  EXPECT_EQ(error_of({}), "it is empty");
}

TEST(SerializedEngine, AnUnknownDeviceHasNoCapability) {
  const auto engine = read_serialized_engine(with(2, "0%0%0%0%"), nullptr);
  ASSERT_TRUE(engine.ok()) << engine.error().message();
  EXPECT_EQ(engine->capability, "");
  EXPECT_EQ(engine->device_name, "");
}

TEST(SerializedEngine, NamesWhatIsWrong) {
  static const std::string kMany(70'000, '%');
  const char* const kManyNames = kMany.c_str();
  const std::tuple<size_t, const char*, const char*> cases[] = {
      {2, "", "its device is ''"},
      {2, "0%8%6%0", "and not id%major%minor%type%name"},
      {2, "-1%8%6%0%x", "its device is '-1%8%6%0%x'"},
      {2, "99999999999%8%6%0%x", "its device is"},
      {2, "0%8%6%0%x%y", "its device is"},
      {3, "", "it has no plan"},
      {3, "ZnRyd", "it is not Base64"},
      {3, "Zn*ydA==", "it is not Base64"},
      {3, "ZnRy-dCBi", "it is not Base64"},
      {3, "ZnRydCBi-garbage", "it is not Base64"},
      {3, "ZnRydA==ZnRydA==", "it is not Base64"},
      {6, "yes", "its hardware compatibility is 'yes', neither 0 nor 1"},
      {9, "2", "its need of an output allocator is '2'"},
      {11, "", "its need of several devices is ''"},
      {4, kManyNames, "it has more than 65536 names"},
      {12, "y@x", "its alias 'y@x' is not output@input@kind"},
      {12, "y@x@user%", "its alias '' is not"},
  };
  for (const auto& [item, text, problem] : cases) {
    EXPECT_THAT(error_of(with(item, text)), HasSubstr(problem)) << item << " " << text;
  }
}

TEST(SerializedEngine, IsWrittenAsItIsRead) {
  auto engine = read_serialized_engine(kItems, nullptr);
  ASSERT_TRUE(engine.ok());
  EXPECT_TRUE(engine->allocates_dynamically);
  const auto written = write_serialized_engine(*engine);
  ASSERT_TRUE(written.ok()) << written.error().message();
  for (size_t i = 0; i < kItems.size(); ++i) {
    EXPECT_EQ((*written)[i], i == kPlanItem ? "" : kItems[i]) << i;
  }
  engine->capability.clear();
  EXPECT_EQ((*write_serialized_engine(*engine))[2], "2%0%0%0%NVIDIA RTX A6000");
  engine->capability = "sm_120";
  EXPECT_EQ((*write_serialized_engine(*engine))[2], "2%12%0%0%NVIDIA RTX A6000");
}

TEST(SerializedEngine, AnAbiHasNoItemForWhatCameLater) {
  auto engine = *read_serialized_engine(kItems, nullptr);
  const auto refusal = [&](const char* abi) {
    engine.abi_version = abi;
    const auto written = write_serialized_engine(engine);
    return written.ok() ? "" : written.error().message();
  };
  EXPECT_THAT(refusal("9"), HasSubstr("writes an output into the memory of an input"));
  engine.aliases.clear();
  EXPECT_EQ(refusal("9"), "");
  EXPECT_EQ(write_serialized_engine(engine)->size(), 12U);
  engine.needs_several_devices = true;
  EXPECT_THAT(refusal("8"), HasSubstr("is for several GPUs"));
  engine.needs_several_devices = false;
  EXPECT_EQ(write_serialized_engine(engine)->size(), 11U);
  EXPECT_THAT(refusal("7"), HasSubstr("scratch memory at each call"));
  engine.allocates_dynamically = false;
  EXPECT_EQ(refusal("7"), "");
  EXPECT_EQ(write_serialized_engine(engine)->size(), 10U);
  EXPECT_THAT(refusal("6"), HasSubstr("is not one of 7, 8, 9, 10"));
}

TEST(SerializedEngine, OlderNamesOfWindowsAreRead) {
  EXPECT_EQ(read_serialized_engine(with(8, "win_x86_64"), nullptr)->target_platform,
            "windows_x86_64");
  EXPECT_EQ(read_serialized_engine(with(8, "windows_arm64"), nullptr)->target_platform,
            "windows_arm64");
}

}  // namespace
}  // namespace slipway::tensorrt
