// What passes and partitions ask of graphs and programs.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <unordered_map>

#include "ir/program.h"

namespace slipway::ir {

// Adds the symbols that occur in the argument, those of sub-graphs included.
void collect_symbols(const Argument& argument, std::set<std::string>& symbols);
// Adds the symbols that occur in a tensor's sizes or a symbolic integer's expression.
void collect_symbols(const Value& value, std::set<std::string>& symbols);

// Whether the node's results or numbers take a scaled size (SymInt::scale) that is no dimension of
// a tensor it is given: making one takes float64.
bool makes_scaled_size(const Node& node);

// Whether a node of the graph takes the value, or the graph gives it out.
bool is_used(const Graph& graph, const Value* value);

// The nodes of a graph, and of those that its nodes have.
size_t count_nodes(const Graph& graph);

// The symbols that each node brings into being: numbers read from tensors, sizes that depend on
// data. Nodes that make none have no entry.
std::unordered_map<const Node*, std::set<std::string>> symbols_made(const Graph& graph);

// The targets of the program's buffer mutations.
std::set<std::string> mutated_targets(const Program& program);
// The entries of constants: parameters, buffers and constants with data that nothing mutates, by
// value.
std::unordered_map<const Value*, const Input*> constant_inputs(const Program& program);

}  // namespace slipway::ir
