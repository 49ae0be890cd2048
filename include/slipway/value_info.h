// What a method takes and gives.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "slipway/export.h"
#include "slipway/tensor.h"

namespace slipway {

// A size of a tensor, or an integer that varies.
struct SizeInfo {
  // "3", "s77", "2*s77"; "?" where the file does not say.
  std::string text;
  // Inclusive.
  int64_t min = 0;
  int64_t max = 0;
};

struct TensorInfo {
  DType dtype = DType::kFloat32;
  std::vector<SizeInfo> sizes;
  // Inputs: the program writes to this tensor's memory.
  bool mutated = false;
};

// An input that the caller chooses, or an output that follows from the inputs.
struct IntegerInfo {
  SizeInfo range;
  // Inputs: what it is when it is left out.
  int64_t value = 0;
};

// A number, text or None. Inputs: what export specialised on, to be given as it is, or left out.
// Outputs: what the file holds; where it is computed, a run gives another value of the same kind.
struct LiteralInfo {
  // No tensor.
  Value value;
};

// One flattened input or output.
struct ValueInfo {
  std::string name;
  std::variant<TensorInfo, IntegerInfo, LiteralInfo> type;

  // Null for anything else.
  const TensorInfo* tensor() const { return std::get_if<TensorInfo>(&type); }

  // "float32[s77, 3]", "int s5", "int 3"
  SLIPWAY_API std::string type_text() const;
};

}  // namespace slipway
