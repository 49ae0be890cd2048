// Symbolic integers as the numbers of an engine: each once, each of earlier ones.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/format/engine_generated.h"
#include "ir/sym_int.h"
#include "onnx/graph.h"

namespace slipway::cuda {

class NumberTable {
 public:
  // The symbols of the graph's inputs become known by their dimensions.
  explicit NumberTable(const onnx::Graph& graph);

  uint32_t of(int64_t value);
  // Nothing for a symbol that no input defines.
  std::optional<uint32_t> of(const ir::SymInt& value);

  std::vector<table::NumberT> take() { return std::move(numbers_); }

 private:
  uint32_t add(table::NumberKind kind, uint32_t a, uint32_t b, int64_t value = 0,
               double factor = 0);
  std::optional<uint32_t> of(const ir::SymInt::Factor& factor);

  std::vector<table::NumberT> numbers_;
  std::map<std::tuple<int, uint32_t, uint32_t, int64_t, double>, uint32_t> known_;
  std::map<ir::SymInt, uint32_t> expressions_;
  std::map<std::string, uint32_t> symbols_;
};

}  // namespace slipway::cuda
