// Methods that share mutable buffers.
#include <algorithm>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/emitter/emitted_program_test.h"
#include "pte/format/layout.h"
#include "pte/reader/state.h"

namespace slipway::pte {
namespace {

using ir::SymInt;
using testing::HasSubstr;

// Adds x to `sum` and counts in a buffer of its own, of which it gives both.
void make_add(ProgramToEmit& p) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* calls = p.buffer("calls", p.count({1}, {1}));
  ir::Value* sum = p.buffer("sum", p.count({3}, {1}, 1));
  auto b = p.build();
  ir::Value* counted = b.add(calls, SymInt(1));
  ir::Value* grown = b.add(sum, x);
  p.mutation("calls", counted);
  p.mutation("sum", grown);
  p.output(b.mul(grown, SymInt(1)));
  p.output(b.mul(counted, SymInt(1)));
  p.make_trees();
}

// Doubles it, with more memory for what lies between, so that nothing of its own is where the other
// one has state.
void make_twice(ProgramToEmit& p) {
  ir::Value* sum = p.buffer("sum", p.count({3}, {1}, 1));
  ir::Value* last = p.buffer("last", p.count({3}, {1}, 7));
  auto b = p.build();
  p.mutation("sum", b.mul(sum, SymInt(2)));
  p.mutation("last", sum);
  p.output(b.mul(last, SymInt(1)));
  p.make_trees();
}

class SharedBuffersTest : public testing::Test {
 protected:
  SharedBuffersTest() {
    make_add(add_);
    make_twice(twice_);
  }

  std::vector<std::byte> emit_both(bool share = true) {
    const auto pieces = emit({add_.method("add"), twice_.method("twice")},
                             {.tool_version = "test", .share_buffers = share});
    EXPECT_TRUE(pieces.ok()) << pieces.error().message();
    return *write_to_memory(*pieces);
  }
  Module load(bool share = true, const LoadOptions& options = {}) {
    auto module = Module::load(emit_both(share), "made by hand", options);
    EXPECT_TRUE(module.ok()) << module.error().message();
    return std::move(*module);
  }

  static Floats add(const Module& module, float x) {
    return to_floats(run(*module.method("add"), {floats({3}, {x, x, x})})[0]);
  }
  static Floats twice(const Module& module) {
    return to_floats(run(*module.method("twice"), {})[0]);
  }
  static Floats buffer(const Module& module, const std::string& method, const std::string& name) {
    const auto state = module.method(method)->state();
    EXPECT_TRUE(state.ok()) << state.error().message();
    for (const auto& [known, tensor] : *state) {
      if (known == name) return to_floats(tensor);
    }
    return {};
  }

  ProgramToEmit add_;
  ProgramToEmit twice_;
};

TEST_F(SharedBuffersTest, WhatOneWritesTheOtherReads) {
  const Module module = load();
  EXPECT_EQ(add(module, 1), (Floats{2, 3, 4}));
  // Is prepared only now: its initial value must not come over the sum.
  EXPECT_EQ(twice(module), (Floats{7, 8, 9}));
  EXPECT_EQ(add(module, 0), (Floats{4, 6, 8}));
  EXPECT_EQ(twice(module), (Floats{2, 3, 4}));
  EXPECT_EQ(buffer(module, "add", "sum"), (Floats{8, 12, 16}));
  EXPECT_EQ(buffer(module, "twice", "sum"), (Floats{8, 12, 16}));
  EXPECT_EQ(buffer(module, "add", "calls"), (Floats{2}));
}

TEST_F(SharedBuffersTest, InTheOtherOrder) {
  const Module module = load();
  EXPECT_EQ(twice(module), (Floats{7, 8, 9}));
  EXPECT_EQ(add(module, 1), (Floats{3, 5, 7}));
}

TEST_F(SharedBuffersTest, EachHasItsOwnWithoutTheOption) {
  const Module module = load(/*share=*/false);
  EXPECT_EQ(add(module, 1), (Floats{2, 3, 4}));
  twice(module);
  EXPECT_EQ(buffer(module, "twice", "sum"), (Floats{2, 4, 6}));
  EXPECT_EQ(add(module, 0), (Floats{2, 3, 4}));
}

TEST_F(SharedBuffersTest, ModulesShareNothing) {
  const Module first = load();
  const Module second = load();
  add(first, 1);
  EXPECT_EQ(add(second, 10), (Floats{11, 12, 13}));
  EXPECT_EQ(buffer(first, "twice", "sum"), (Floats{2, 3, 4}));
}

TEST_F(SharedBuffersTest, IsResetForAll) {
  const Module module = load();
  add(module, 1);
  twice(module);
  ASSERT_TRUE(module.method("twice")->reset_state().ok());
  EXPECT_EQ(buffer(module, "add", "sum"), (Floats{1, 2, 3}));
  EXPECT_EQ(buffer(module, "twice", "last"), (Floats{7, 8, 9}));
  // Which is of one alone.
  EXPECT_EQ(buffer(module, "add", "calls"), (Floats{1}));
}

TEST_F(SharedBuffersTest, IsSetByTheCallerForAll) {
  for (const bool isolate : {false, true}) {
    const Module module = load(true, {.isolate = isolate});
    for (const std::string method : {"add", "twice"}) {
      SCOPED_TRACE(method + (isolate ? ", isolated" : ""));
      // Both have been given their tensors, of which one is written to.
      buffer(module, "add", "sum");
      buffer(module, "twice", "sum");
      const auto state = module.method(method)->state();
      for (auto [name, tensor] : *state) {
        if (name == "sum") std::fill_n(tensor.data_as<float>(), 3, 5.0F);
      }
      EXPECT_EQ(add(module, 1), (Floats{6, 6, 6}));
      twice(module);
      EXPECT_EQ(buffer(module, "add", "sum"), (Floats{12, 12, 12}));
      EXPECT_EQ(buffer(module, "twice", "sum"), (Floats{12, 12, 12}));
    }
  }
}

TEST_F(SharedBuffersTest, OutlivesTheModule) {
  const auto tensors = [&] { return *load().method("add")->state(); }();
  EXPECT_EQ(to_floats(tensors[1].second), (Floats{1, 2, 3}));
}

TEST_F(SharedBuffersTest, AllStateIsInTheMemoryThatExecuTorchShares) {
  const auto file = File::read(own_bytes(emit_both()), "made by hand");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_TRUE(shares_state(file->program()));
  std::map<std::string, uint32_t> offsets;
  for (const char* method : {"add", "twice"}) {
    EXPECT_EQ(file->plan(method)->non_const_buffer_sizes()->size(), 3U);
    for (const StateBuffer& buffer : state_of(*file->plan(method))) {
      const auto* place = buffer.tensor->allocation_info();
      EXPECT_EQ(place->memory_id(), kSharedMemoryId);
      const auto [known, is_new] =
          offsets.try_emplace(std::string(buffer.name), place->memory_offset_low());
      EXPECT_EQ(known->second, place->memory_offset_low()) << buffer.name;
    }
  }
  EXPECT_EQ(offsets.size(), 3U);
  const auto own = File::read(own_bytes(emit_both(/*share=*/false)), "made by hand");
  ASSERT_TRUE(own.ok());
  EXPECT_FALSE(shares_state(own->program()));
}

TEST_F(SharedBuffersTest, TheirMemoryIsLimited) {
  LoadOptions options;
  options.memory_limit = 16;
  const auto module = Module::load(emit_both(), "made by hand", options);
  ASSERT_FALSE(module.ok());
  EXPECT_THAT(module.error().message(), HasSubstr("the state that methods of made by hand share"));
}

}  // namespace
}  // namespace slipway::pte
