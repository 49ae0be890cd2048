// The values of a graph while kernels are made of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/sym_int.h"
#include "onnx/graph.h"
#include "slipway/tensor.h"

namespace slipway::cuda {

class Kernel;
struct MatrixProduct;
struct Value;
struct View;

using Sizes = std::vector<ir::SymInt>;
// Where an element lies: a C expression for each dimension.
using Indices = std::vector<std::string>;
// Writes what computes an element into the kernel, and gives the C expression of it.
using Definition = std::function<std::string(Kernel&, const Indices&)>;
// The same of operands' elements: a C expression for each.
using Expression = std::function<std::string(Kernel&, const std::vector<std::string>&)>;
// Takes an element of a root, in the kernel that computes it.
using Store = std::function<void(Kernel&, const Indices&, const std::string&)>;

// A value that takes a kernel of its own: a reduction, a product. `emit` writes that kernel, and
// calls its Store once for each element.
struct Root {
  const Value* value = nullptr;
  std::function<void(Kernel&, const Store&)> emit;
  // What it is, where attention may take it into its own kernel (attention.h): a product, or the
  // softmax of scores that no kernel has computed yet.
  std::shared_ptr<const MatrixProduct> product = nullptr;
  Value* softmax_of = nullptr;
};

// How the dimensions follow each other in memory.
enum class Order : uint8_t {
  kAsGiven,
  kChannelsLast,  // the second one is the innermost one
  kTokensFirst,   // of [batch, heads, tokens, width] the heads come behind the tokens
};

struct Value {
  std::string name;
  DType dtype = DType::kFloat32;
  Sizes sizes;
  // The elements of a short vector of integers, or of a single one, that is known from sizes.
  std::optional<std::vector<ir::SymInt>> ints;
  // What a float64 is: a size times a factor.
  std::optional<std::pair<ir::SymInt, double>> scaled;
  const onnx::Initializer* initializer = nullptr;
  Definition define;  // null for what is in memory only
  std::optional<uint32_t> buffer;
  // A half type that has each of its elements, which are float32.
  std::optional<DType> narrow;
  Order order = Order::kAsGiven;
  // Of what only moves elements: whose, and where they are, given where all of those are
  // (view_of()).
  const Value* moved = nullptr;
  std::function<std::optional<View>(View)> move;
  // Of what computes each element from one of each operand, broadcast to its own sizes.
  std::vector<const Value*> operands;
  Expression expression;
  // Whether that only changes the type of numbers; and whether it makes floating point of its first
  // operand before all else.
  bool is_cast = false;
  bool makes_floats = false;
  // The root that `define` reads at its own indices, and which has no kernel yet.
  std::shared_ptr<Root> root;
  // Of such a value with several readers: whether they can be in that kernel, too
  // (Generator::rejoins()).
  bool rejoins = false;
  int weight = 0;   // how many operations an element takes, of those that no buffer holds
  int readers = 0;  // nodes
  const onnx::Node* maker = nullptr;
  std::optional<uint32_t> output;  // of the graph, by position
  bool is_refused = false;
};

}  // namespace slipway::cuda
