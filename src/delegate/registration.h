// Registers a delegate with ExecuTorch, and notices what would keep programs from it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <executorch/runtime/backend/interface.h>

namespace slipway::delegate {

// Under the name, unless another delegate has it: that one stays then, and is named in the log. So
// are other copies of ExecuTorch in this process, whose programs don't find the delegate. One that
// is registered is never destroyed, because programs may end later than static destructors run.
bool register_delegate(const char* name,
                       std::unique_ptr<executorch::runtime::BackendInterface> backend);

// The files of this process that have a copy of ExecuTorch and show it, but for the one that this
// delegate is registered with.
std::vector<std::string> other_executorchs();

}  // namespace slipway::delegate
