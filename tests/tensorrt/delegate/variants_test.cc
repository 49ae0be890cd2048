// Plans that are named data: outside of the blob, and for other GPUs.
#include <map>

#include "engine/manifest.h"
#include "tensorrt/delegate/delegate_test.h"

namespace slipway::tensorrt {
namespace {

using testing::HasSubstr;

class NamedData final : public et::NamedDataMap {
 public:
  using Data = std::map<std::string, std::string>;
  explicit NamedData(Data data) : data_(std::move(data)) {}

  et::Result<const et::TensorLayout> get_tensor_layout(std::string_view) const override {
    return et::Error::NotFound;
  }
  et::Result<et::FreeableBuffer> get_data(std::string_view key) const override {
    const auto found = data_.find(std::string(key));
    if (found == data_.end()) return et::Error::NotFound;
    return et::FreeableBuffer(found->second.data(), found->second.size(), nullptr);
  }
  et::Error load_data_into(std::string_view, void*, size_t) const override {
    return et::Error::NotFound;
  }
  et::Result<uint32_t> get_num_keys() const override { return static_cast<uint32_t>(data_.size()); }
  et::Result<const char*> get_key(uint32_t index) const override {
    return std::next(data_.begin(), static_cast<ptrdiff_t>(index))->first.c_str();
  }

 private:
  Data data_;
};

std::string digest(const std::string& plan) { return sha256_hex(std::as_bytes(std::span(plan))); }

class NamedDataTest : public DelegateTest {
 protected:
  // Of an engine for one kind of GPU, which computes a x.
  std::string blob(int capability, int a) const {
    const std::string plan = plan_of(capability, a);
    Metadata metadata = doubling_metadata();
    metadata.engine_sha256 = digest(plan);
    metadata.engine_target = "sm_" + std::to_string(capability);
    return blob_of(metadata, plan);
  }
  static std::string plan_of(int capability, int a) {
    return stand_in_plan("input x float32 1..8 3\noutput y x " + std::to_string(a) + " 0\n",
                         capability);
  }
  static float result(Handle& engine) {
    TestTensor x({1, 3}, {1, 1, 1});
    TestTensor y({1, 3});
    EXPECT_EQ(engine.run({&x, &y}), et::Error::Ok) << engine.log();
    return y.floats()[0];
  }
};

TEST_F(NamedDataTest, AnEngineMayBeOutsideOfItsBlob) {
  const std::string plan = plan_of(driver.capability, 5);
  Metadata metadata = doubling_metadata();
  metadata.engine_key = "engine 0";
  const NamedData data(NamedData::Data{{"engine 0", plan}});
  {
    Handle engine(blob_of(metadata, ""), {}, {}, &data);
    ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
    EXPECT_EQ(result(engine), 5);
  }
  const NamedData other(NamedData::Data{{"engine 1", plan}});
  for (const et::NamedDataMap* map : {static_cast<const et::NamedDataMap*>(nullptr),
                                      static_cast<const et::NamedDataMap*>(&other)}) {
    const Handle missing(blob_of(metadata, ""), {}, {}, map);
    EXPECT_EQ(missing.error(), et::Error::InvalidExternalData);
    EXPECT_THAT(runtime::first_reason(missing.log()),
                HasSubstr("its engine is not in the file, and not in a data file (.ptd) that was "
                          "given with it: there is no data under the key 'engine 0'"));
  }
  metadata.engine_sha256 = digest("another plan");
  const Handle damaged(blob_of(metadata, ""), {}, {}, &data);
  EXPECT_EQ(damaged.error(), et::Error::InvalidProgram);
  EXPECT_THAT(damaged.log(), HasSubstr("its plan is damaged"));
}

TEST_F(NamedDataTest, ThePlanForThisGpuIsTaken) {
  use_version(kRtx);
  const int here = driver.capability;
  engine::EngineRecord own;
  own.sha256 = digest(plan_of(75, 1));
  const auto key = [&](const std::string& target) { return engine::variant_key(own, target); };
  const std::string target = "sm_80,sm_" + std::to_string(here);
  const NamedData data(
      NamedData::Data{{key("sm_120"), blob(120, 2)},
                      {key(target), blob(here, 3)},
                      {"slipway.engine.0000000000000000." + target, blob(here, 4)}});
  Handle engine(blob(75, 1), {}, {}, &data);
  ASSERT_EQ(engine.error(), et::Error::Ok) << engine.log();
  EXPECT_EQ(result(engine), 3);
  // Its own where that is for this GPU.
  Handle first(blob(here, 7), {}, {}, &data);
  EXPECT_EQ(result(first), 7);
}

TEST_F(NamedDataTest, WhereNoneIsForThisGpuTheErrorListsThem) {
  use_version(kRtx);
  engine::EngineRecord own;
  own.sha256 = digest(plan_of(75, 1));
  const NamedData data(NamedData::Data{{engine::variant_key(own, "sm_120,sm_121"), blob(120, 2)}});
  const Handle engine(blob(75, 1), {}, {}, &data);
  EXPECT_EQ(engine.error(), et::Error::DelegateInvalidCompatibility);
  const std::string reason = runtime::first_reason(engine.log());
  EXPECT_THAT(reason, HasSubstr("it is not for this GPU's compute capability; the file has engines "
                                "for sm_75; sm_120,sm_121, and here is cuda:0 ("));
  EXPECT_THAT(reason, HasSubstr("compile the model for sm_" + std::to_string(driver.capability) +
                                ", too (option 'target')"));
}

TEST_F(NamedDataTest, ADamagedVariantIsRefused) {
  use_version(kRtx);
  engine::EngineRecord own;
  own.sha256 = digest(plan_of(75, 1));
  const std::string target = "sm_" + std::to_string(driver.capability);
  std::string bytes = blob(driver.capability, 3);
  bytes.back() ^= 1;
  const NamedData data(NamedData::Data{{engine::variant_key(own, target), bytes}});
  const Handle engine(blob(75, 1), {}, {}, &data);
  EXPECT_EQ(engine.error(), et::Error::InvalidProgram);
  EXPECT_THAT(engine.log(), HasSubstr("for " + target + ": its plan is damaged"));
}

}  // namespace
}  // namespace slipway::tensorrt
