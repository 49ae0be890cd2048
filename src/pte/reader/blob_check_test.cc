#include "pte/reader/blob_check.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/reader/program_test.h"
#include "xnnpack/format/graph_test.h"

namespace slipway::pte {
namespace {

using testing::HasSubstr;

// A program that calls the graph on x and y.
struct Call {
  TestTensor x = {};
  TestTensor y = {.sizes = {2, 4}, .planned_at = 0};
  bool short_of_one = false;
};

std::string error_of(const Call& call) {
  TestProgram program;
  const int32_t x = program.tensor(call.x);
  const int32_t y = program.tensor(call.y);
  if (call.x.data == 0) program.inputs = {x};
  program.outputs = {y};
  program.constants(program.segment(std::string(24, '\x01')), {0, 0});
  program.delegate("XnnpackBackend", fb::DataLocation::SEGMENT, program.segment(xnnpack::linear()));
  std::vector<int32_t> args = {x, y};
  if (call.short_of_one) args.pop_back();
  program.call_delegate(0, args);
  return read_error(program);
}

TEST(XnnpackCallTest, ArgumentsAreWhatTheGraphTakes) {
  EXPECT_EQ(error_of({}), "");
  EXPECT_EQ(error_of({.x = {.data = 1}}), "");
  // Only memory counts for an output, and for an input that varies.
  EXPECT_EQ(error_of({.y = {.sizes = {2, 2}, .planned_at = 0}}), "");
  EXPECT_EQ(error_of({.x = {.sizes = {2, 2}, .dynamism = 1}}), "");
  EXPECT_THAT(
      error_of({.short_of_one = true}),
      HasSubstr("method forward: instruction 0: it has 1 arguments, and the graph's output 1 "
                "is not among them"));
  EXPECT_THAT(error_of({.x = {.sizes = {2, 2}}}), HasSubstr("for input 0, has other sizes"));
  EXPECT_THAT(error_of({.x = {.sizes = {3, 2}, .dim_order = std::vector<uint8_t>{1, 0}}}), "");
  EXPECT_THAT(error_of({.x = {.scalar_type = 4}}),
              HasSubstr("for input 0, is int64, and the graph has float32"));
  EXPECT_THAT(error_of({.y = {.scalar_type = 0, .sizes = {2, 4}, .planned_at = 0}}),
              HasSubstr("for output 1, is uint8, and the graph has float32"));
  EXPECT_THAT(error_of({.y = {.data = 1}}),
              HasSubstr("for output 1, is a tensor that must not be written to"));
}

TEST(XnnpackCallTest, ADamagedGraphIsRefusedWithItsMethod) {
  TestProgram program;
  program.delegate("XnnpackBackend", fb::DataLocation::SEGMENT, program.segment("none"));
  EXPECT_THAT(
      read_error(program),
      HasSubstr("test.pte: method forward: delegate 0: its graph for XNNPACK: it is cut short"));
}

}  // namespace
}  // namespace slipway::pte
