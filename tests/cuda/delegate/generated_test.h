// Engines that the generator makes of small graphs, for the stand-in.
#pragma once

#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/builder/generator.h"
#include "cuda/format/engine_maker_test.h"

namespace slipway::cuda {

inline std::vector<std::byte> blob_of(const onnx::Graph& graph, Generator::Ways ways) {
  const auto constants = engine_build::Constants::of(graph);
  Generator generator(graph, *constants, ways);
  EXPECT_TRUE(generator.run().empty());
  EngineMaker made;
  made.engine = generator.take_engine();
  made.images = {{"compute_10", generator.source()}};
  made.constants = generator.constant_pieces(made.engine.constant_bytes);
  return made.blob();
}

}  // namespace slipway::cuda
