// Which values of a graph need no memory of their own, decided before its nodes are emitted.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <vector>

#include "engine/record.h"
#include "ir/graph.h"
#include "ir/program.h"

namespace slipway::pte {

// Whether the node only gives its input another shape: the bytes stay as they are, because every
// tensor is contiguous.
bool is_view(const ir::Node& node);

// A place that exists before the graph runs, for one of its results: an output that the caller
// provides, or the result of a cond.
struct Target {
  const ir::Value* value = nullptr;  // what must be there at the end; null: not a tensor
  ir::TensorType type;
};

struct Placement {
  // Written straight into the target.
  std::map<const ir::Value*, size_t> direct;
  // A target's bytes are computed under another shape: this value is a view of the target.
  std::map<const ir::Value*, size_t> through_view;
  // Targets that are filled by a copy once the graph is done.
  std::set<size_t> copied;
  // Mutated buffers and inputs whose new value is computed in their own memory.
  std::map<const ir::Value*, const ir::Value*> in_place;

  bool is_placed(const ir::Value* value) const {
    return direct.contains(value) || through_view.contains(value) || in_place.contains(value);
  }
  // Whether the result of a view is written out, because it is a target.
  bool is_copied_view(const ir::Value* value) const {
    return direct.contains(value) && !aliases_target.contains(value);
  }
  // Views whose bytes are in a target already, by through_view.
  std::set<const ir::Value*> aliases_target;

  // The value whose bytes `value` has: itself, or what it is a view of.
  const ir::Value* root(const ir::Value* value) const;
};

// For a branch of a cond.
Placement place(const std::vector<Target>& targets);
// For the body of a loop whose first inputs, and outputs, are these states: those whose new value
// is computed in the memory of the old one have that as their target.
Placement place_loop(const ir::Graph& body, size_t states);
// For a program's graph, mutations included; one target for each user output. It may call these
// engines.
Placement place(const ir::Program& program, const std::vector<Target>& targets,
                const std::vector<engine::Engine>& engines);

// The entry of the buffer, parameter or user input that a mutation changes, or null.
const ir::Input* mutation_target(const ir::Program& program, const ir::Output& output);

}  // namespace slipway::pte
