#include "tensorrt/delegate/refuse.h"

#include "cuda/options/options.h"
#include "delegate/log.h"

namespace slipway::tensorrt {

namespace et = executorch::runtime;

et::Error refuse(const Error& error) { return refuse(error, cuda::to_executorch(error.code())); }

et::Error refuse(const Error& error, et::Error code) {
  delegate::log_error(kTitle, error.message());
  return code;
}

}  // namespace slipway::tensorrt
