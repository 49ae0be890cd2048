// What a generator makes of small graphs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/builder/generator.h"
#include "onnx/graph_maker_test.h"

namespace slipway::cuda {

using Maker = onnx::GraphMaker;

struct Generated {
  std::vector<engine_build::Refusal> refusals;
  table::EngineT engine;
  std::string kernels;  // without the prelude
};

inline Generated generate(const onnx::Graph& graph, bool is_for_hopper = false) {
  const auto constants = engine_build::Constants::of(graph);
  EXPECT_TRUE(constants.ok());
  Generator generator(graph, *constants,
                      {.are_for_hopper = is_for_hopper, .are_for_others = !is_for_hopper});
  Generated result;
  result.refusals = generator.run();
  result.engine = generator.take_engine();
  const std::string source = generator.source();
  const size_t first = source.find("extern \"C\"");
  if (first != std::string::npos) result.kernels = source.substr(first);
  return result;
}

// x of float32 as a half type, and back as kernels compute.
inline void add_half(Maker& m, const std::string& x, const std::string& half, DType type) {
  const auto number = int64_t{type == DType::kFloat16 ? 10 : 16};  // ONNX's
  m.node("Cast", {x}, half + "_rounded", {{"to", number}});
  m.node("Cast", {half + "_rounded"}, half, {{"to", int64_t{1}}});
}

}  // namespace slipway::cuda
