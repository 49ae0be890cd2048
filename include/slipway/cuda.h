// CUDA streams for the engines of programs.
#pragma once

#include "slipway/export.h"

namespace slipway::cuda {

// While it lives, the engines that this thread runs queue their work on `stream`: behind what the
// caller queued there, such as what makes their inputs. A run still returns when its results are
// there. Without one, engines have streams of their own, which wait for none of the caller's.
//
// `stream` is a CUstream or cudaStream_t of the engines' GPU; null and cudaStreamPerThread are
// streams too. It must not be being captured: a run is refused then. Guards nest, and must end in
// the thread and the order that they were made in. Modules that are isolated do not see them.
class StreamGuard {
 public:
  SLIPWAY_API explicit StreamGuard(void* stream);
  SLIPWAY_API ~StreamGuard();
  StreamGuard(const StreamGuard&) = delete;
  StreamGuard& operator=(const StreamGuard&) = delete;

 private:
  void* before_;
  bool was_chosen_;
};

}  // namespace slipway::cuda
