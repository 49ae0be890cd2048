// How this thread's calls run engines on a GPU.
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

// While it lives, the engines that this thread runs use their optimization profile of this number,
// where they have several; a call whose shapes it does not serve is refused, and so is a number
// that an engine does not have. Without one, each call takes the profile of the call before it, or
// else the first that serves its shapes. Nesting, threads and isolated modules as above.
class ProfileGuard {
 public:
  SLIPWAY_API explicit ProfileGuard(int profile);
  SLIPWAY_API ~ProfileGuard();
  ProfileGuard(const ProfileGuard&) = delete;
  ProfileGuard& operator=(const ProfileGuard&) = delete;

 private:
  int before_;
  bool was_chosen_;
};

}  // namespace slipway::cuda
