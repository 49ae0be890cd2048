// Calls of operators that nothing has checked, for tests of what reads them: a file may hold any.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "ir/default_argument.h"
#include "ir/graph.h"
#include "schema/schema.h"

namespace slipway::ir {

struct UncheckedCall {
  size_t rank = 0;      // of every tensor, results included
  size_t items = 0;     // of every list
  int64_t integer = 1;  // every integer
  DType dtype = DType::kFloat32;
  bool absent = false;   // the tensors of lists are missing
  bool defaults = true;  // arguments that have a default take it

  std::string to_string() const {
    return "rank " + std::to_string(rank) + ", lists of " + std::to_string(items) + ", integers " +
           std::to_string(integer) + ", " + std::string(dtype_name(dtype)) +
           (absent ? ", absent" : "") + (defaults ? ", defaults" : "");
  }

  Argument argument(Graph& graph, const schema::Type& type) const {
    switch (type.base) {
      case schema::BaseType::kTensor: {
        if (!type.list) return tensor(graph);
        std::vector<Value*> list;
        for (size_t i = 0; i < items; ++i) list.push_back(absent ? nullptr : tensor(graph));
        return list;
      }
      case schema::BaseType::kInt:
        if (type.list) return std::vector<SymInt>(items, integer);
        return SymInt(integer);
      case schema::BaseType::kFloat:
        if (type.list) return std::vector<double>(items, 1.0);
        return 1.0;
      case schema::BaseType::kBool:
        if (type.list) return std::vector<bool>(items, true);
        return true;
      case schema::BaseType::kScalar:
        return SymInt(integer);
      case schema::BaseType::kString:
        return std::string("ij,jk->ik");
      case schema::BaseType::kScalarType:
        return dtype;
      default:
        return None();
    }
  }

  // Adds the call and its inputs to the graph.
  Node* add(Graph& graph, const schema::Schema& schema) const {
    std::vector<Argument> args;
    for (const schema::Parameter& parameter : schema.parameters) {
      auto given = defaults ? default_argument(parameter) : std::nullopt;
      args.push_back(given ? *given : argument(graph, parameter.type));
    }
    Node* node = graph.add_node(schema.target(), std::move(args), {});
    for (size_t i = 0; i < schema.returns.size(); ++i) graph.add_output(node, type());
    return node;
  }

  // One of each combination that differs in what the operator is given. With the environment
  // variable SLIPWAY_EVERY_CALL=K each K-th of them, over all operators.
  template <typename Visit>
  static void for_each(const schema::Schema& schema, const Visit& visit_one) {
    static const char* const kGiven = std::getenv("SLIPWAY_EVERY_CALL");
    static const size_t kEvery = kGiven == nullptr ? 1 : std::strtoull(kGiven, nullptr, 10);
    static size_t count = 0;
    const auto visit = [&](const UncheckedCall& call) {
      if (count++ % kEvery == 0) visit_one(call);
    };
    bool has_lists = false;
    bool has_integers = false;
    bool has_defaults = false;
    for (const schema::Parameter& parameter : schema.parameters) {
      has_lists |= parameter.type.list;
      has_integers |= parameter.type.base == schema::BaseType::kInt ||
                      parameter.type.base == schema::BaseType::kScalar;
      has_defaults |= default_argument(parameter).has_value();
    }
    visit({.rank = 2, .items = 2, .absent = true});
    for (size_t rank = 0; rank <= 5; ++rank) {
      for (size_t items = 0; items <= (has_lists ? 3 : 0); ++items) {
        for (int64_t integer : {-7, -1, 0, 2}) {
          if (!has_integers && integer != 2) continue;
          for (DType dtype : {DType::kFloat32, DType::kInt64, DType::kComplex64}) {
            for (bool defaults : {true, false}) {
              if (defaults && !has_defaults) continue;
              visit({rank, items, integer, dtype, false, defaults});
            }
          }
        }
      }
    }
  }

 private:
  TensorType type() const { return {dtype, std::vector<SymInt>(rank, 2), {}}; }
  Value* tensor(Graph& graph) const {
    return graph.add_input("x" + std::to_string(graph.inputs().size()), type());
  }
};

}  // namespace slipway::ir
