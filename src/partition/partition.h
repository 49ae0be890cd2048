// Which nodes of a program go to which engine.
//
// Functions here may be called from several threads, on programs of their own.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/program.h"
#include "slipway/result.h"

namespace slipway::partition {

// Why an engine, by its place among Options::engines, does not take a node; nullopt for one that it
// takes.
using WhyNot = std::function<std::optional<std::string>(const ir::Node&, size_t engine)>;

struct Options {
  std::vector<std::string> engines = {"engine"};  // names, by priority
  // "aten.cos.default" or "aten.cos"; "engine:aten.cos": not for that engine.
  std::set<std::string> exclude_ops;
  // Names in the graph, or in the archive; "engine:conv2d": not for that engine.
  std::set<std::string> exclude_nodes;
  size_t min_size = 1;  // partitions with fewer nodes stay outside
};

// A node of a partition that an engine of higher priority does not take.
struct PassedOver {
  const ir::Node* node = nullptr;
  size_t engine = 0;  // the one that does not take it
  std::string reason;
};

// The nodes of one engine, in topological order. `inputs` and `outputs` are tensors; constants that
// the program does not change belong to the partition and are no inputs.
struct Partition {
  size_t engine = 0;  // its place among Options::engines
  std::vector<const ir::Node*> nodes;
  std::vector<PassedOver> passed_over;
  std::vector<const ir::Value*> inputs;
  std::vector<const ir::Value*> outputs;
};

struct Outside {
  const ir::Node* node = nullptr;
  std::string reason;
};

struct Plan {
  std::vector<Partition> partitions;
  std::vector<Outside> outside;
};

// Each node goes to the first engine that takes it. The nodes of each engine become groups such
// that no group needs, through a node of another group or outside, what it gives itself: the fewest
// there are for one engine, and for several the fewest that one order of engines gives. The same
// program gives the same plan.
//
// Nodes that take or give other things than tensors, whose results' sizes depend on data, or that
// only check something stay outside, and so do constants for nodes outside and groups that are
// small or only give tensors other shapes, which costs nothing without an engine. Calls of engines
// that are there already stay, and are not counted as outside. An error for an
// operator or node in `options` that the program lacks.
//
// Requires a program after functionalize, remove_no_ops and remove_dead_code: the archive's nodes
// that compute sizes are gone then, and every group gives something.
Result<Plan> plan(const ir::Program& program, const WhyNot& why_not, const Options& options);

// Puts calls of engines (ir::kCallEngine) in place of the partitions of a plan for this program,
// the i-th calling engine `first_engine + i`. The partitions' outputs keep their names and
// addresses; their nodes are gone afterwards, and the others are in an order in which each has what
// it needs.
//
// `symbols[i]`, in the order of onnx::Graph::symbol_inputs: the symbols that partition i needs and
// that no tensor among its inputs defines. They are further inputs, as int64 tensors of one
// element.
Status replace(ir::Program& program, const Plan& plan, size_t first_engine,
               const std::vector<std::vector<std::string>>& symbols);

}  // namespace slipway::partition
