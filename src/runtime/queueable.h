// Which methods engines of a device run by themselves.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "pte/reader/reader.h"
#include "runtime/device_state.h"
#include "runtime/plan.h"

namespace slipway::runtime {

// Whether a method's work can be queued and waited for later: engines of one CUDA device alone run
// it, each once, and what one of them leaves to another is in that device's memory. `written` are
// the inputs, as values of the plan, that the program writes to; `program` is what the delegates
// know the method by.
bool can_be_queued(const pte::File& file, const std::string& method, const Plan& plan,
                   const DeviceState& state, const std::set<size_t>& written,
                   const std::string& program);

}  // namespace slipway::runtime
