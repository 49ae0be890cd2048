#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/program_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

TEST(PlanCheckTest, AnEmptyMethodPasses) {
  TestProgram p;
  EXPECT_EQ(read_error(p), "");
}

TEST(PlanCheckTest, MethodsHaveNamesOfTheirOwn) {
  TestProgram twice;
  twice.methods = 2;
  EXPECT_THAT(read_error(twice), HasSubstr("method \"forward\" is there twice"));
  TestProgram none;
  none.methods = 0;
  EXPECT_THAT(read_error(none), HasSubstr("it has no method"));
  TestProgram unnamed;
  unnamed.method = nullptr;
  EXPECT_THAT(read_error(unnamed), HasSubstr("a method's name is missing"));
  const std::string long_name(5000, 'a');
  TestProgram named_at_length;
  named_at_length.method = long_name.c_str();
  EXPECT_THAT(read_error(named_at_length), HasSubstr("5000 bytes"));
}

TEST(PlanCheckTest, MethodsAndTheirEndsAreCounted) {
  TestProgram methods;
  methods.methods = 257;
  EXPECT_THAT(read_error(methods), HasSubstr("it has 257 methods"));
  TestProgram ends;
  ends.tensor({});
  ends.outputs.assign(1 << 14, 0);
  EXPECT_EQ(read_error(ends), "");
  ends.outputs.push_back(0);
  EXPECT_THAT(read_error(ends), HasSubstr("16385 outputs"));
}

TEST(PlanCheckTest, ListsAreThere) {
  TestProgram p;
  p.with_values = false;
  EXPECT_THAT(read_error(p), HasSubstr("one of its lists is missing"));
}

TEST(PlanCheckTest, InputsAndOutputsAreValuesThatExecuTorchTakes) {
  const auto error_with = [](std::vector<int32_t> inputs, std::vector<int32_t> outputs) {
    TestProgram p;
    p.constants(p.segment(std::string(24, '\0')), {0, 0});
    p.tensor({});  // 0
    TestTensor constant;
    constant.data = 1;
    p.tensor(constant);              // 1
    p.ints({p.number(int64_t{1})});  // 3
    p.text("a");                     // 4
    p.inputs = std::move(inputs);
    p.outputs = std::move(outputs);
    return read_error(p);
  };
  EXPECT_EQ(error_with({0, 2, 4}, {0, 0, 1, 2}), "");
  EXPECT_THAT(error_with({1}, {}), HasSubstr("its input, value 1"));
  EXPECT_THAT(error_with({3}, {}), HasSubstr("its input, value 3, is a list of ints"));
  EXPECT_THAT(error_with({}, {3}), HasSubstr("its output, value 3, is a list of ints"));
  for (const int32_t index : {-1, 5, INT32_MAX}) {
    EXPECT_THAT(error_with({index}, {}), HasSubstr("its input is value"));
    EXPECT_THAT(error_with({}, {index}), HasSubstr("its output is value"));
  }
}

TEST(PlanCheckTest, PlannedMemoryIsWhatTensorsNeed) {
  const auto error_with = [](std::vector<int64_t> memories) {
    TestProgram p;
    p.memories = std::move(memories);
    return read_error(p);
  };
  EXPECT_EQ(error_with({0}), "");
  EXPECT_EQ(error_with({0, 4096}), "");
  EXPECT_THAT(error_with({0, -1}), HasSubstr("its planned memory has -1 bytes"));
  EXPECT_THAT(error_with({0, int64_t{1} << 40}), HasSubstr("its tensors use 0"));
  EXPECT_THAT(error_with({0, INT64_MAX}), HasSubstr("its tensors use 0"));
}

TEST(PlanCheckTest, OperatorsHaveNames) {
  const std::string long_name = "aten::" + std::string(100, 'a');
  for (const auto& [name, overload] : std::vector<std::pair<const char*, const char*>>{
           {nullptr, "out"}, {"aten::add", nullptr}, {long_name.c_str(), ""}}) {
    TestProgram p;
    p.kernel(name, overload, {});
    EXPECT_THAT(read_error(p), HasSubstr("an operator's"));
  }
}

TEST(PlanCheckTest, DelegatesHaveTheirData) {
  const auto error_with = [](const char* backend, int location, uint32_t index,
                             bool with_specs = true) {
    TestProgram p;
    p.segment("blob");
    p.delegate(backend, static_cast<fb::DataLocation>(location), index, with_specs);
    return read_error(p);
  };
  EXPECT_EQ(error_with("TestBackend", 1, 0), "");
  EXPECT_THAT(error_with("TestBackend", 1, 1), HasSubstr("delegate 0: its data does not exist"));
  EXPECT_THAT(error_with("TestBackend", 0, 0), HasSubstr("its data does not exist"));
  EXPECT_THAT(error_with("TestBackend", 2, 0), HasSubstr("its data does not exist"));
  EXPECT_THAT(error_with(nullptr, 1, 0), HasSubstr("its backend's name is missing"));
  EXPECT_THAT(error_with("TestBackend", 1, 0, false), HasSubstr("compile specs are missing"));
}

}  // namespace
}  // namespace slipway::pte
