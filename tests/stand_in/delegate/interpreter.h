// One engine in memory, and how it runs.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "slipway/result.h"
#include "slipway/tensor.h"
#include "stand_in/format/blob.h"

namespace slipway::stand_in {

// Immutable; may run in several threads.
class Interpreter {
 public:
  static Result<Interpreter> of(std::span<const std::byte> engine);

  const Model& model() const { return model_; }
  // The outputs. An error for inputs of other types or ranks than the engine's.
  Result<std::vector<Tensor>> run(const std::vector<Tensor>& inputs) const;

 private:
  explicit Interpreter(Model model) : model_(std::move(model)) {}

  Model model_;
};

}  // namespace slipway::stand_in
