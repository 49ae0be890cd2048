#include "pte/reader/device_uses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;
using Delegates = std::set<uint32_t>;

TEST(DeviceUses, NamesWhatUsesAValueOnTheHost) {
  TestProgram p;
  std::vector<int32_t> t;
  for (int i = 0; i < 11; ++i) t.push_back(p.tensor({}));
  const int32_t list = p.tensors({t[3], t[4]});
  const int32_t optional = p.optional_tensors({-1, t[5]});
  p.delegate("TensorRTBackend", fb::DataLocation::INLINE, 0);
  p.delegate("OpenvinoBackend", fb::DataLocation::INLINE, 0);
  p.call_delegate(0, {t[0], t[1]});
  p.call_delegate(1, {t[1], t[2]});
  p.kernel("aten::relu", "out", {t[2], t[2], t[2]});
  p.kernel("aten::cat", "out", {list, optional});
  p.move(t[6], t[7]);
  p.jump_false(t[8], 5);
  p.release(t[9]);
  p.call_delegate(0, {list});
  p.kernel("aten::sym_size", "int", {t[10], t[8], t[9]});
  const std::vector<std::byte> bytes = p.build();
  const DeviceUses uses(*fb::GetProgram(bytes.data())->execution_plan()->Get(0));
  const auto use = [&](int32_t value) { return uses.obstacle(static_cast<size_t>(value)); };
  EXPECT_EQ(use(t[0]), "");
  EXPECT_EQ(use(t[1]), "an engine of OpenvinoBackend at instruction 1");
  EXPECT_EQ(use(t[2]), "an engine of OpenvinoBackend at instruction 1");
  for (const int value : {3, 4, 5})
    EXPECT_EQ(use(t[static_cast<size_t>(value)]), "aten::cat.out at instruction 3");
  for (const int value : {6, 7})
    EXPECT_EQ(use(t[static_cast<size_t>(value)]), "the program at instruction 4");
  EXPECT_EQ(use(t[8]), "the program at instruction 5");
  EXPECT_EQ(use(t[9]), "the program at instruction 6");
  EXPECT_EQ(use(t[10]), "") << "its sizes alone are asked for";
  EXPECT_EQ(uses.delegates(static_cast<size_t>(t[0])), Delegates{0});
  EXPECT_EQ(uses.delegates(static_cast<size_t>(t[1])), (Delegates{0, 1}));
  EXPECT_EQ(uses.delegates(static_cast<size_t>(t[9])), Delegates());
}

// A program whose memory 2 is of cuda:0: x, which is copied there, and the engine's result y, which
// is copied back.
struct DevicePlan {
  DevicePlan() {
    p.memories = {0, 64, 64};
    p.device_memories = {{2, 0}};
    there.planned_at = 0;
    there.memory_id = 2;
    there.device = 1;
    there.name = "";
    there.sizes = {4};
    here.sizes = {4};
    here.name = "";
    back = here;
    back.planned_at = 0;
  }
  // The values are x, x there, y there, y.
  void add() {
    p.tensor(here);
    p.tensor(there);
    there.planned_at = 16;
    p.tensor(there);
    p.tensor(back);
    p.inputs = {0};
    p.outputs = {3};
    p.delegate(backend, fb::DataLocation::SEGMENT, p.segment("engine"));
    p.kernel("et_copy::_h2d_copy", "out", {0, 1, 1});
    p.call_delegate(0, {1, 2});
    p.kernel("et_copy::_d2h_copy", "out", {2, 3, 3});
  }
  std::string error() {
    add();
    return read_error(p);
  }

  TestProgram p;
  TestTensor there;
  TestTensor here;
  TestTensor back;
  const char* backend = "TensorRTBackend";
};

TEST(DeviceMemory, EnginesAndCopiesUseIt) { EXPECT_EQ(DevicePlan().error(), ""); }

TEST(DeviceMemory, TensorsAreWhereTheirMemoryIs) {
  DevicePlan elsewhere;
  elsewhere.there.device = 0;
  EXPECT_THAT(elsewhere.error(), HasSubstr("it is on the CPU, and its memory on cuda:0"));
  DevicePlan host;
  host.back.device = 1;
  EXPECT_THAT(host.error(), HasSubstr("it is on cuda:0, and its memory on the CPU"));
  DevicePlan second;
  second.p.device_memories = {{2, 1}};
  EXPECT_THAT(second.error(), HasSubstr("it is on cuda:0, and its memory on cuda:1"));
}

TEST(DeviceMemory, MemoriesAreNamedOnce) {
  using Memories = std::vector<std::pair<int32_t, int8_t>>;
  for (const Memories& memories : {Memories{{0, 0}}, {{3, 0}}, {{-1, 0}}, {{2, 0}, {2, 0}}}) {
    DevicePlan plan;
    plan.p.device_memories = memories;
    EXPECT_THAT(plan.error(), HasSubstr("it says twice where memory is, or of memory"));
  }
  DevicePlan negative;
  negative.p.device_memories = {{2, -1}};
  EXPECT_THAT(negative.error(), HasSubstr("a device of kind 1, number -1"));
}

TEST(DeviceMemory, NothingElseUsesIt) {
  DevicePlan openvino;
  openvino.backend = "OpenvinoBackend";
  EXPECT_THAT(openvino.error(), HasSubstr("value 1 is in a device's memory, and an engine of "
                                          "OpenvinoBackend at instruction 1 uses it in the "
                                          "host's"));
  DevicePlan kernel;
  kernel.add();
  kernel.p.kernel("aten::relu", "out", {2, 3, 3});
  EXPECT_THAT(read_error(kernel.p), HasSubstr("value 2 is in a device's memory, and "
                                              "aten::relu.out at instruction 3"));
  DevicePlan wrong_way;
  wrong_way.add();
  wrong_way.p.kernel("et_copy::_h2d_copy", "out", {2, 1, 1});
  EXPECT_THAT(read_error(wrong_way.p), HasSubstr("et_copy::_h2d_copy.out at instruction 3"));
  DevicePlan input;
  input.add();
  input.p.inputs = {0, 1};
  EXPECT_THAT(read_error(input.p), HasSubstr("its input, value 1, is planned in a device's"));
}

TEST(DeviceMemory, NothingIsPutThereBeforeARun) {
  DevicePlan initial;
  initial.there.data = 1;
  initial.p.initial_values(initial.p.segment(std::string(64, '\0')), {0, 0});
  EXPECT_THAT(initial.error(), HasSubstr("it has an initial value and is on cuda:0"));
  DevicePlan constant;
  constant.p.constants(constant.p.segment(std::string(64, '\0')), {0, 0});
  constant.here.device = 1;
  constant.here.data = 1;
  constant.p.tensor(constant.here);
  EXPECT_THAT(read_error(constant.p), HasSubstr("a constant on another device than the CPU"));
}

}  // namespace
}  // namespace slipway::pte
