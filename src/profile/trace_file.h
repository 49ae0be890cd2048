// Profiles as files for other tools.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "profile/profiler.h"
#include "slipway/profile.h"

namespace slipway::profile {

// Chrome's trace format, which chrome://tracing and Perfetto show: JSON, the runs one after the
// other, with the summary as its member "profile". Layers have a line of their own, below the calls
// that they are of, laid end to end from where the call begins; what none of them has is behind
// them.
std::string chrome_trace(const std::vector<RunProfile>& runs, const Summary& summary);

// An ETDump (ExecuTorch's devtools/etdump), which executorch.devtools.Inspector opens.
std::vector<std::byte> etdump(const std::vector<RunProfile>& runs);

}  // namespace slipway::profile
