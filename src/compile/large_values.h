// What would make an engine, or the building of one, large out of nothing.
#pragma once

#include <map>
#include <string>

#include "ir/program.h"

namespace slipway {

// Nodes whose results are much larger than what they are made of: than constants, where they depend
// on these alone (eye(100000)), or than all constants and inputs of the program (a picture that is
// resized to 10^9 columns); nodes that take such results; and why they stay outside. A builder
// computes the former ahead of time and keeps what they give, and lays out tables and tensors for
// the latter, while a kernel makes both in the memory of the run, which has a limit.
std::map<const ir::Node*, std::string> find_large_values(const ir::Program& program);

}  // namespace slipway
