#include "compile/shared_buffers.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/op_builder.h"
#include "ir/queries.h"
#include "passes/program_test.h"

namespace slipway {
namespace {

using ir::SymInt;
using passes::TestProgram;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Gives twice the buffer.
TestProgram reading(const std::string& name, ir::ConstantData data) {
  TestProgram p;
  ir::Value* const buffer = p.buffer(name, std::move(data));
  p.output(ir::OpBuilder(p.graph(), nullptr, nullptr).mul(buffer, SymInt(2)));
  return p;
}

// Changes its sign, too.
TestProgram writing(const std::string& name, ir::ConstantData data) {
  TestProgram p = reading(name, std::move(data));
  p.node("aten.neg_.default", {p.graph().inputs()[0]}, {p.type({2})}, "negated");
  return p;
}

class ShareBuffersTest : public testing::Test {
 protected:
  Status share(TestProgram first, TestProgram second) {
    programs_.clear();
    warnings_.clear();
    programs_.push_back(std::move(first.program));
    programs_.push_back(std::move(second.program));
    CompileOptions options;
    options.on_warning = [&](const std::string& warning) { warnings_.push_back(warning); };
    return share_buffers(programs_, {{"first", nullptr}, {"second", nullptr}}, options);
  }
  std::string error(TestProgram first, TestProgram second) {
    const Status status = share(std::move(first), std::move(second));
    return status.ok() ? "" : status.error().message();
  }
  static ir::ConstantData pair(int64_t first) { return TestProgram::count({2}, {1}, first); }

  std::vector<ir::Program> programs_;
  std::vector<std::string> warnings_;
};

TEST_F(ShareBuffersTest, WhatAnotherMethodChangesIsNoConstant) {
  for (const bool writes_first : {true, false}) {
    const Status status = writes_first ? share(writing("a", pair(1)), reading("a", pair(1)))
                                       : share(reading("a", pair(1)), writing("a", pair(1)));
    ASSERT_TRUE(status.ok()) << status.error().message();
    for (const ir::Program& program : programs_) {
      const Status verified = ir::verify(program);
      EXPECT_TRUE(verified.ok()) << verified.error().message();
      EXPECT_THAT(ir::mutated_targets(program), ElementsAre("a"));
      EXPECT_THAT(ir::constant_inputs(program), SizeIs(0));
    }
    EXPECT_THAT(warnings_, SizeIs(0));
  }
}

TEST_F(ShareBuffersTest, WhatNoneChangesStaysAConstant) {
  ASSERT_TRUE(share(reading("a", pair(1)), reading("a", pair(5))).ok());
  for (const ir::Program& program : programs_) EXPECT_THAT(ir::constant_inputs(program), SizeIs(1));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("option 'share_buffers' has no effect")));
}

TEST_F(ShareBuffersTest, NothingIsInCommonUnderOtherNames) {
  ASSERT_TRUE(share(writing("a", pair(1)), writing("b", pair(1))).ok());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("no two methods have a buffer of one name")));
}

TEST_F(ShareBuffersTest, ShapesThatDifferAreAnError) {
  EXPECT_EQ(error(writing("a", pair(1)), reading("a", TestProgram::count({3}, {1}, 1))),
            "methods first and second can't share the buffer 'a' (option 'share_buffers'): it is "
            "float32[2] in one and float32[3] in the other");
}

TEST_F(ShareBuffersTest, ValuesThatDifferAreAnError) {
  EXPECT_THAT(error(writing("a", pair(1)), writing("a", pair(2))),
              HasSubstr("can't share the buffer 'a' (option 'share_buffers'): it begins with other "
                        "values"));
}

}  // namespace
}  // namespace slipway
