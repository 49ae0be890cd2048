// The bytes of the stand-in's engines: a graph whose values are numbered, inputs first, then
// constants, then what each step gives.
//
//   header   "SLIPSTND", the engine's size (8 bytes)
//   engine   "STANDENG", the size of the JSON (8 bytes), XXH3 of all that follows (32 digits),
//            the JSON, zeros up to a multiple of 16, the constants one behind the other
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/record.h"
#include "slipway/result.h"
#include "slipway/tensor.h"

namespace slipway::stand_in {

struct Input {
  DType dtype = DType::kFloat32;
  uint64_t rank = 0;
};

struct Step {
  std::string op;  // ONNX's name
  std::vector<uint64_t> inputs;
  std::map<std::string, std::vector<int64_t>> attributes;
};

struct Model {
  std::vector<Input> inputs;
  std::vector<Tensor> constants;
  std::vector<Step> steps;
  std::vector<uint64_t> outputs;
};

std::vector<std::byte> write_engine(const Model& model);
// Copies the constants. Every value that a step or an output names is there before it.
Result<Model> read_engine(std::span<const std::byte> bytes);
bool begins_engine(std::span<const std::byte> bytes);

// As engine::Description has them.
Result<std::vector<std::byte>> header_of(const engine::EngineRecord& record);
Result<std::span<const std::byte>> engine_of(std::span<const std::byte> blob);

}  // namespace slipway::stand_in
