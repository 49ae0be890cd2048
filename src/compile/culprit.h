// Which node is to blame where an engine's library fails without naming one.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine_build/builder.h"
#include "partition/partition.h"
#include "slipway/result.h"

namespace slipway {

// Nodes of a partition that stay outside, with the reasons.
using RefusedNodes = std::vector<std::pair<const ir::Node*, std::string>>;

// A partition of the first `count` nodes of one.
partition::Partition head_of(const partition::Partition& part, size_t count);

// Builds such a part, keeping nothing: the library's refusals, none where it is built.
using TryBuild =
    std::function<Result<std::vector<engine_build::Refusal>>(const partition::Partition& head)>;

// How often a partition is built in part, at most, over a whole program.
inline constexpr int kMostTries = 64;

// For a partition that the library fails to build for `reason`: the last node of the shortest head
// of it that fails. It takes as many tries as the logarithm of its length, and `tries_left` counts
// them down; where they run out, it is all nodes that are still in question. Where a head fails
// with names, those.
Result<RefusedNodes> find_culprit(const partition::Partition& part, std::string reason,
                                  const TryBuild& try_build, int& tries_left);

// The nodes that refusals name; empty where none does.
RefusedNodes find_refused(const partition::Partition& part,
                          const std::vector<engine_build::Refusal>& refusals);

// An error where the library builds nothing at all, not even one trivial node: no node is to blame
// then.
Status check_builds_anything(const engine_build::Builder& builder, const std::string& reason);

}  // namespace slipway
