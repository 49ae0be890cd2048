// Engines that write results into the memory of what they are given.
#include <executorch/runtime/backend/interface.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pte/emitter/emitted_program_test.h"

namespace slipway::pte {
namespace {

namespace et = executorch::runtime;
using ir::SymInt;
using testing::ElementsAre;
using testing::HasSubstr;

// Adds its second float32 input to its first, in place: its first result is its first input. Its
// second result is that times ten.
class AddBackend final : public et::BackendInterface {
 public:
  bool is_available() const override { return true; }

  et::Result<et::DelegateHandle*> init(et::BackendInitContext&, et::FreeableBuffer*,
                                       et::ArrayRef<et::CompileSpec>) const override {
    return static_cast<et::DelegateHandle*>(nullptr);
  }

  et::Error execute(et::BackendExecutionContext&, et::DelegateHandle*,
                    et::Span<et::EValue*> args) const override {
    if (args.size() != 4 || args[2] != args[0]) return et::Error::InvalidArgument;
    const auto& state = args[0]->toTensor();
    const auto& x = args[1]->toTensor();
    const auto& scaled = args[3]->toTensor();
    if (x.numel() != state.numel() ||
        et::resize_tensor(args[3]->toTensor(), state.sizes()) != et::Error::Ok) {
      return et::Error::InvalidArgument;
    }
    for (ssize_t i = 0; i < state.numel(); ++i) {
      state.mutable_data_ptr<float>()[i] += x.const_data_ptr<float>()[i];
      scaled.mutable_data_ptr<float>()[i] = 10 * state.const_data_ptr<float>()[i];
    }
    return et::Error::Ok;
  }
};

class EngineAliasTest : public testing::Test {
 protected:
  EngineAliasTest() {
    static AddBackend backend;
    [[maybe_unused]] static const auto registered = et::register_backend({"AddBackend", &backend});
  }

  ir::Node* call_add(ir::Value* state, ir::Value* x) {
    ir::Node* call = p.call_sum({state, x}, {state->type(), state->type()}, "add");
    engine::EngineRecord& record = p.engines.back().record;
    record.backend = "AddBackend";
    record.aliases = {{0, 0, "kv_cache_update"}};
    return call;
  }

  ProgramToEmit p;
};

TEST_F(EngineAliasTest, ABufferIsUpdatedWhereItLies) {
  ir::Value* cache = p.buffer("cache", p.count({3}, {1}, 0));
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* call = call_add(cache, x);
  p.mutation("cache", call->output(0));
  p.output(call->output(1));
  EXPECT_THAT(p.instructions(), ElementsAre("engine"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 1, 1})})[0]), (Floats{10, 20, 30}));
  EXPECT_EQ(to_floats(run(method, {floats({3}, {2, 2, 2})})[0]), (Floats{30, 40, 50}));
  EXPECT_EQ(state_of(method), (Floats{3, 4, 5}));
}

TEST_F(EngineAliasTest, TheNewValueIsUsedToo) {
  ir::Value* cache = p.buffer("cache", p.count({3}, {1}, 0));
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* call = call_add(cache, x);
  auto b = p.build();
  p.mutation("cache", call->output(0));
  p.output(b.mul(call->output(0), SymInt(2)));
  p.output(call->output(0));
  EXPECT_THAT(p.instructions(), ElementsAre("engine", "aten::mul", "aten::alias_copy"));
  const slipway::Method method = p.load();
  const auto outputs = run(method, {floats({3}, {1, 1, 1})});
  EXPECT_EQ(to_floats(outputs[0]), (Floats{2, 4, 6}));
  EXPECT_EQ(to_floats(outputs[1]), (Floats{1, 2, 3}));
  EXPECT_EQ(state_of(method), (Floats{1, 2, 3}));
}

TEST_F(EngineAliasTest, AnInputIsUpdatedWhereItLies) {
  ir::Value* cache = p.input("cache", p.type({3}));
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* call = call_add(cache, x);
  p.mutation(ir::OutputKind::kUserInputMutation, "cache", call->output(0));
  p.output(call->output(1));
  EXPECT_THAT(p.instructions(), ElementsAre("engine"));
  const slipway::Method method = p.load();
  Tensor given = floats({3}, {1, 2, 3});
  EXPECT_EQ(to_floats(run(method, {given, floats({3}, {1, 1, 1})})[0]), (Floats{20, 30, 40}));
  EXPECT_EQ(to_floats(given), (Floats{2, 3, 4}));
}

// What may not be overwritten is copied first.
TEST_F(EngineAliasTest, WhatIsNotReplacedKeepsItsValue) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* c = p.constant("c", p.count({3}, {1}, 1));
  ir::Node* first = call_add(c, x);
  ir::Node* second = call_add(x, c);
  p.output(first->output(0));
  p.output(second->output(1));
  EXPECT_THAT(p.instructions(),
              ElementsAre("aten::alias_copy", "engine", "aten::alias_copy", "engine"));
  const slipway::Method method = p.load();
  const Tensor given = floats({3}, {10, 20, 30});
  for (int i = 0; i < 2; ++i) {
    const auto outputs = run(method, {given});
    EXPECT_EQ(to_floats(outputs[0]), (Floats{11, 22, 33}));
    EXPECT_EQ(to_floats(outputs[1]), (Floats{110, 220, 330}));
  }
  EXPECT_EQ(to_floats(given), (Floats{10, 20, 30}));
}

TEST_F(EngineAliasTest, TheOldValueIsUsedLater) {
  ir::Value* cache = p.buffer("cache", p.count({3}, {1}, 0));
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* call = call_add(cache, x);
  auto b = p.build();
  p.mutation("cache", call->output(0));
  p.output(b.mul(cache, SymInt(2)));
  EXPECT_THAT(p.instructions(),
              ElementsAre("aten::alias_copy", "engine", "aten::mul", "aten::copy_"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 1, 1})})[0]), (Floats{0, 2, 4}));
  EXPECT_EQ(to_floats(run(method, {floats({3}, {1, 1, 1})})[0]), (Floats{2, 4, 6}));
  EXPECT_EQ(state_of(method), (Floats{2, 3, 4}));
}

// The engine would read what it has just written.
TEST_F(EngineAliasTest, TheBufferIsReadTwice) {
  ir::Value* cache = p.buffer("cache", p.count({3}, {1}, 1));
  ir::Node* call = call_add(cache, cache);
  p.mutation("cache", call->output(0));
  p.output(call->output(1));
  EXPECT_THAT(p.instructions(), ElementsAre("aten::alias_copy", "engine", "aten::copy_"));
  const slipway::Method method = p.load();
  EXPECT_EQ(to_floats(run(method, {})[0]), (Floats{20, 40, 60}));
  EXPECT_EQ(state_of(method), (Floats{2, 4, 6}));
}

TEST_F(EngineAliasTest, AnotherBufferTakesTheResult) {
  ir::Value* from = p.buffer("from", p.count({3}, {1}, 1));
  p.buffer("to", p.count({3}, {1}, 7));
  ir::Value* x = p.input("x", p.type({3}));
  ir::Node* call = call_add(from, x);
  p.mutation("to", call->output(0));
  p.mutation("from", call->output(1));
  p.output(SymInt(0));
  const slipway::Method method = p.load();
  run(method, {floats({3}, {1, 1, 1})});
  EXPECT_EQ(state_of(method, 0), (Floats{20, 30, 40}));
  EXPECT_EQ(state_of(method, 1), (Floats{2, 3, 4}));
}

TEST_F(EngineAliasTest, SizesMayBeDynamic) {
  p.program.ranges["s0"] = {1, 5};
  ir::Value* x = p.input("x", p.type({SymInt::symbol("s0")}));
  ir::Value* y = p.input("y", p.type({SymInt::symbol("s0")}));
  ir::Node* call = call_add(x, y);
  p.output(call->output(0));
  p.output(call->output(1));
  p.engines[0].record.aliases = {{0, 0, "user"}};
  const slipway::Method method = p.load();
  for (const int64_t size : {2, 5, 1}) {
    const auto count = static_cast<size_t>(size);
    const auto outputs =
        run(method, {floats({size}, Floats(count, 1)), floats({size}, Floats(count, 2))});
    EXPECT_EQ(sizes_of(outputs[0]), (Sizes{size}));
    EXPECT_EQ(to_floats(outputs[0]), Floats(count, 3));
  }
}

TEST_F(EngineAliasTest, AliasesThatCannotBeAreInternalErrors) {
  ir::Value* x = p.input("x", p.type({3}));
  ir::Value* y = p.input("y", p.type({3, 1}));
  ir::Node* call = call_add(x, y);
  p.output(call->output(0));
  auto& aliases = p.engines[0].record.aliases;
  EXPECT_EQ(p.emit_error(), "");
  aliases = {{0, 1, "user"}};
  EXPECT_THAT(p.emit_error(), HasSubstr("is in the memory of y, and of another type"));
  aliases = {{2, 0, "user"}};
  EXPECT_THAT(p.emit_error(), HasSubstr("output 2 can't be in the memory of input 0"));
  aliases = {{0, 2, "user"}};
  EXPECT_THAT(p.emit_error(), HasSubstr("output 0 can't be in the memory of input 2"));
  aliases = {{0, 0, "user"}, {1, 0, "user"}};
  EXPECT_THAT(p.emit_error(), HasSubstr("output 1 can't be in the memory of input 0"));
}

}  // namespace
}  // namespace slipway::pte
