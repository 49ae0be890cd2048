// Kernels of ExecuTorch that end the process for some arguments get an error instead.
#pragma once

namespace slipway::runtime {

// Puts a check before each kernel of a table (kernel_guards.cc says for each what it takes for
// granted): divisors, sizes and steps that are not positive, shapes and types that don't fit each
// other, indices that lie outside, results that lie over what they are made of. The check looks at
// the arguments of each call, so that values which only a run knows are seen, and a call that it
// refuses fails with InvalidArgument and a line in ExecuTorch's log.
//
// Changes ExecuTorch's registry, for all who use it in this process. Kernels that are registered
// later are not guarded. Call it once, before methods are loaded.
void guard_kernels();

}  // namespace slipway::runtime
