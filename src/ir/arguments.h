// How a node's arguments are read: by their index in the operator's schema, past whose end there is
// None.
//
// A file may hold any argument anywhere, so each reader says what it takes: a bool where an integer
// is expected is 0 or 1 and a known integer where a bool is expected is one, as in Python; a lone
// number stands for a list of one, as PyTorch's own parser has it; None is no number and no list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace slipway::ir {

// The dimension counted from the front; nullopt for one that a tensor of this rank does not have. A
// 0-dim tensor counts as one of rank 1, as in PyTorch.
std::optional<int64_t> wrap_dim(int64_t dim, int64_t rank);

// For those who ask: what an argument holds, or nullopt (null) where it holds something else.
class Arguments {
 public:
  explicit Arguments(const Node& node) : args_(&node.args()) {}

  const Argument& at(size_t i) const;
  bool has(size_t i) const { return !std::holds_alternative<None>(at(i)); }
  Value* tensor(size_t i) const;
  // Null for a None among them. A lone tensor, and an empty list of whatever it would be.
  std::optional<std::vector<Value*>> tensors(size_t i) const;
  std::optional<SymInt> integer(size_t i) const;
  std::optional<std::vector<SymInt>> integers(size_t i) const;
  std::optional<int64_t> constant(size_t i) const;  // an integer that is known
  std::optional<double> number(size_t i) const;     // that is known
  std::optional<bool> flag(size_t i) const;
  const std::string* text(size_t i) const;
  std::optional<DType> dtype(size_t i) const;
  std::optional<int64_t> dim(size_t i, int64_t rank) const;  // counted from the front

 private:
  const std::vector<Argument>* args_;
};

// For rules that count on what they read: one that is not there makes fail() keep the reason, and
// something harmless is given, so that a rule may go on and be asked once at its end.
class ArgumentReader {
 public:
  // The first reason stays.
  virtual void fail(std::string reason) = 0;

  const Argument& arg(size_t i) const { return arguments().at(i); }
  bool has(size_t i) const { return arguments().has(i); }  // not None
  bool is_tensor(size_t i) const { return arguments().tensor(i) != nullptr; }

  std::vector<Value*> values(size_t i);  // tensors; empty for None
  SymInt integer(size_t i);
  std::vector<SymInt> integers(size_t i);
  int64_t constant(size_t i);  // an integer that must be known
  std::vector<int64_t> constants(size_t i);
  std::optional<double> number(size_t i) const { return arguments().number(i); }
  double real(size_t i);  // a number that must be known
  std::vector<double> numbers(size_t i);
  bool flag(size_t i);         // false for None
  std::string text(size_t i);  // empty for None
  std::optional<DType> dtype(size_t i) const { return arguments().dtype(i); }

  // The value of an expression that must be known; `what` says what it is, for the message.
  int64_t known(const SymInt& value, const std::string& what);
  // Dimensions, counted from the front.
  int64_t dim(int64_t dim, int64_t rank);
  std::vector<int64_t> dims(const std::vector<int64_t>& dims, int64_t rank);

 protected:
  ArgumentReader() = default;
  explicit ArgumentReader(const Node* node) : node_(node) {}
  ~ArgumentReader() = default;
  Arguments arguments() const { return Arguments(*node_); }

  const Node* node_ = nullptr;  // whose arguments are read
};

}  // namespace slipway::ir
