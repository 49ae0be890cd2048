// For tests of slipway::Module with engines of TensorRT: programs that call stand-in plans.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pte/emitter/emitted_program_test.h"
#include "tensorrt/delegate/delegate_test.h"
#include "tensorrt/format/description.h"

namespace slipway::tensorrt {

class ModuleTest : public DelegateTest {
 protected:
  // A call of an engine that computes a * x + b.
  ir::Value* call(ir::Value* x, const std::string& size, double a, double b,
                  const std::string& name) {
    ir::Value* const result =
        p.call_sum({x}, {p.type({x->sizes()[0], ir::SymInt(3)})}, name)->output();
    engine::Engine& engine = p.engines.back();
    engine.record.engine = "tensorrt";
    engine.record.backend = kBackend;
    engine.record.library_version = "TensorRT 11.1.0";
    engine.record.compile_specs = {{"target_device", "cuda:0"}};
    const std::string& in = engine.record.inputs[0].name;
    const std::string& out = engine.record.outputs[0].name;
    engine.bytes = own_bytes(stand_in_plan(more_ + "input " + in + " float32 " + size +
                                           " 3\noutput " + out + " " + in + " " +
                                           std::to_string(a) + " " + std::to_string(b) + "\n"));
    engine.record.size = engine.bytes.bytes.size();
    engine.record.sha256 = sha256_hex(engine.bytes.bytes);
    const auto header = kDescription.header(engine.record);
    EXPECT_TRUE(header.ok()) << header.error().message();
    engine.header = *header;
    return result;
  }

  // A cache that an engine adds to in place.
  ir::Value* cache(double add) {
    ir::Value* const cache = p.buffer("cache", p.count({1, 3}, {3, 1}, 1));
    ir::Value* const updated = call(cache, "1", 1, add, "updated");
    is_updated(updated);
    return updated;
  }
  // One to which an engine adds 10, and another gives its hundredfold before that.
  void cache_of_two_engines() {
    ir::Value* const cache = p.buffer("cache", p.count({1, 3}, {3, 1}, 1));
    ir::Value* const read = call(cache, "1", 100, 0, "read");
    is_updated(call(cache, "1", 1, 10, "updated"));
    p.output(read);
  }

  ir::Value* dynamic_input() {
    p.program.ranges["s0"] = {1, 8};
    return p.input("x", p.type({ir::SymInt::symbol("s0"), 3}));
  }

  Result<Module> module(const LoadOptions& options = {}) {
    auto bytes = p.emit_bytes();
    EXPECT_TRUE(bytes.ok()) << bytes.error().message();
    return Module::load(*std::move(bytes), "m.pte", options);
  }

  pte::ProgramToEmit p;
  std::string more_;  // lines of the plans

 private:
  // The last engine writes its result to the cache that it reads.
  void is_updated(ir::Value* updated) {
    engine::Engine& engine = p.engines.back();
    engine.record.aliases = {{0, 0, "kv_cache_update"}};
    engine.header = *kDescription.header(engine.record);
    p.mutation("cache", updated);
  }
};

}  // namespace slipway::tensorrt
