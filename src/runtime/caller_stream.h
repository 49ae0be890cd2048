// The stream that slipway::cuda::StreamGuard chose in this thread, for the delegates that use one.
#pragma once

namespace slipway::runtime {

// Hands it to the delegate in an opened library, if that wants it: one that has the function
//   extern "C" void slipway_use_caller_stream(bool (*get)(void** stream));
// `get` gives false where this thread's caller chose none. Any thread may call it, and `get`.
void share_caller_stream(void* library);

}  // namespace slipway::runtime
