// Kernels of ExecuTorch that end the process for some arguments get an error instead.
#pragma once

namespace slipway::runtime {

// Puts a check before each kernel of a table: integer division by zero, and of the least integer by
// -1; a shape with -1 beside 0; quantized embeddings whose scales don't fit; spectra of other
// types. The check looks at the arguments of each call, so that values which only a run knows are
// seen, and a call that it refuses fails with InvalidArgument and a line in ExecuTorch's log.
//
// Changes ExecuTorch's registry, for all who use it in this process. Kernels that are registered
// later are not guarded. Call it once, before methods are loaded.
void guard_kernels();

}  // namespace slipway::runtime
