// What the user keeps from engines by name.
#pragma once

#include <optional>
#include <string>

#include "ir/program.h"
#include "partition/partition.h"
#include "slipway/result.h"

namespace slipway::partition {

// An error for an operator or node that the program lacks, with names that are near, and for an
// engine that is not of the list.
Status check_exclusions(const ir::Program& program, const Options& options);

// Leaves of the exclusions those that name an operator or a node of the program.
void keep_named(const ir::Program& program, Options& options);

// "excluded by its operator, aten.cos"; nullopt for a node that is not excluded. One that holds
// graphs is excluded with any node in them. `engine` is its place among Options::engines; without,
// what is excluded from all of them.
std::optional<std::string> why_excluded(const ir::Node& node, const Options& options,
                                        std::optional<size_t> engine = std::nullopt);

}  // namespace slipway::partition
