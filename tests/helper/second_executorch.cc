// What a second copy of ExecuTorch in a process shows: a registry of its own.

#include <executorch/runtime/backend/interface.h>

namespace executorch::runtime {

__attribute__((visibility("default"))) Error register_backend(const Backend&) {
  return Error::NotSupported;
}

}  // namespace executorch::runtime
